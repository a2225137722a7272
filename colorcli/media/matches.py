"""A photo's matches with its reference, as pictures: colours, similarity, places."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.items import PhotoHeader
from colorcli.media.metadata.describe import Provenance
from colorcli.media.pictures import size_within, synthetic, whole_pictures
from colorcli.media.places import match_paths

_LONGEST = 1024  # pixels, of a picture; matches are much coarser
_LONGEST_TILE = 320  # pixels, of one map among several
_GAP = 8  # white pixels between maps

Bytes = NDArray[np.uint8]


def match_pictures(
    start: Path,
    colours: Bytes,
    similarities: list[list[Bytes]],
    places: Bytes,
    header: PhotoHeader,
    provenance: Provenance | None,
) -> AbstractContextManager[None]:
    """Write three PNGs of the photo's shape; what their names begin with is `start`, see `match_paths`.

    colours: (h, w, 3) sRGB, the photo in the reference's colours; it says in its XMP that these are synthetic, unless
    `provenance` is None. similarities: rows of maps of that shape, which come side by side in one picture. places:
    (h, w, 3) sRGB, where in the reference the matches lie. Values are repeated, not mixed: between two places of the
    reference there is none. The files are there, and errors are, as `whole_pictures` says.
    """
    coloured = synthetic(_picture(colours, *size_within(header, _LONGEST)), provenance)
    tiles = [_picture(tile, *size_within(header, _LONGEST_TILE)) for row in similarities for tile in row]
    sheet = pyvips.Image.arrayjoin(tiles, across=len(similarities[0]), shim=_GAP, background=[255, 255, 255])
    drawn = (coloured, sheet, _picture(places, *size_within(header, _LONGEST)))
    return whole_pictures("the pictures of matches", dict(zip(match_paths(start), drawn, strict=True)))


def _picture(pixels: Bytes, width: int, height: int) -> pyvips.Image:
    """(h, w, 3) sRGB at another size: each pixel's nearest."""
    rows, columns = (
        ((np.arange(size) + 0.5) * (side / size)).astype(int)
        for size, side in zip((height, width), pixels.shape, strict=False)
    )
    nearest = np.ascontiguousarray(pixels[rows[:, None], columns])  # (h, w, 3) -> (height, width, 3)
    return pyvips.Image.new_from_array(nearest).copy(interpretation="srgb")
