"""Films in, films out. PyAV (libav) reads and writes them, libvips animated GIF and WebP; no frame touches the disk.

    file --header--> FilmHeader --reading--> Frame ... pixels (lightness, colour) ... --segments--> one file a shot
         --scan----> Shot                                                  all shots --assembly--> film

`codecs` is what is known of containers and codecs, `encoding` what a result is encoded with, `others` the sound and
what else goes with the picture, `kinds` which files are films at all, `animations` the films that are GIF or WebP,
`program` the encoders of the ffmpeg program, `poster` one frame for a page, `sheet` a picture of all shots.
"""
