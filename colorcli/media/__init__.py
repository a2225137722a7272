"""Files in, files out: inputs -> jobs (`discover`), photo -> lightness (`photos`), chroma -> written photo (`results`).

    inputs --discover--> Job --photos--> PhotoHeader + network lightness ... slope, offset --results--> file

`targets` says where results go, `sidecars` which hints are whose, `references` which reference a photo gets, `places`
how files are named and appear whole. `formats` holds what is known of each file type, `sources` opens one, `lightness`
and `recombination` are the pixel arithmetic, `metadata` is what else stands in the file, `other_formats` what libvips
lacks, `films` (a package) what moves, `hints` and `attention` what a person draws and sees beside the photo,
`unwritable` what a failed writing means.
"""
