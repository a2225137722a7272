"""One frame of a film as a small picture."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pyvips

from colorcli.errors import PhotoError
from colorcli.media.films.reading import frames_of, header_of


def poster(path: Path, number: int, longest: int) -> pyvips.Image:
    """The frame of that number, from 0, upright with square pixels, its long side at most `longest` pixels, 8-bit sRGB.

    All frames before it are decoded. Errors: PhotoError, also where there is no such frame.
    """
    header = header_of(path)
    frame = next(islice(frames_of(header), number, None), None)
    if frame is None:
        raise PhotoError(f"it has no frame {number}")
    scale = min(1.0, longest / max(header.seen))
    width, height = (max(2, round(side * scale)) for side in header.seen)
    across, down = (height, width) if header.turns % 2 else (width, height)
    pixels = frame.picture.reformat(across, down, "rgb24", interpolation="AREA").to_ndarray()
    return pyvips.Image.new_from_array(np.ascontiguousarray(np.rot90(pixels, header.turns)))
