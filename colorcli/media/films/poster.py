"""One frame of a film as a small picture."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pyvips

from colorcli.errors import PhotoError
from colorcli.media.films.pixels import small_rgb
from colorcli.media.films.reading import frames_of, header_of


def poster(path: Path, number: int, longest: int) -> pyvips.Image:
    """The frame of that number, from 0, or the last, as 8-bit sRGB, upright with square pixels.

    longest: of its long side, pixels. All frames before it are decoded. Errors: PhotoError.
    """
    header = header_of(path)
    frame = None
    for frame in islice(frames_of(header), number + 1):  # noqa: B007 - the last is kept
        continue
    if frame is None:
        raise PhotoError("it has no frame")
    scale = min(1.0, longest / max(header.seen))
    width, height = (max(2, round(side * scale)) for side in header.seen)
    return pyvips.Image.new_from_array(small_rgb(frame.picture, header, height, width))
