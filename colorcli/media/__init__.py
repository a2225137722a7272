"""Files in, files out: inputs -> jobs (`discover`), photo -> lightness (`photos`), chroma -> written photo (`results`).

    inputs --discover--> Job --photos--> PhotoHeader + network lightness ... slope, offset --results--> file

`targets` says where results go, `sidecars` which hints are whose, `places` how files are named and appear whole.
`formats` holds what is known of each file type, `sources` opens one, `lightness` and `recombination` are the pixel
arithmetic, `metadata` the EXIF and XMP, `tiff_tags` the EXIF of TIFF, `other_formats` what libvips lacks, `hints` and
`attention` what a person draws and sees beside the photo, `unwritable` what a failed writing means. `inscriptions` is
text that libvips passes over, found by `png_chunks`, `jpeg_segments`, `gif_comments`, put into files by `insertion`.
"""
