"""What stands in a photo's file beside its pixels, and what of it a result keeps.

`describe` is the EXIF and XMP of libvips' image, `tiff_tags` the EXIF of TIFF, `photoshop` IPTC. `inscriptions` is text
that libvips passes over: found by `png_chunks`, `jpeg_segments`, `gif_comments`, put into files by `insertion`.
"""
