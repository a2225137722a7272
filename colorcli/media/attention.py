"""Attention maps: where a network looked, as a picture."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.items import PhotoHeader
from colorcli.media.further import further_picture
from colorcli.media.recombination import enlarge

_LONGEST = 1024  # pixels: the map itself is much coarser


def attention_map(
    target: Path, attention: NDArray[np.float32], colors: NDArray[np.uint8], header: PhotoHeader
) -> AbstractContextManager[None]:
    """Write a map of the photo's size, its long side at most 1024 pixels, as a PNG.

    attention: (h, w), 0..1. colors: (256, 3) sRGB, from low to high. The file appears under its name when the block
    ends well, so that a photo that fails there has none. Errors: as of `unwritable`.
    """
    scale = min(1.0, _LONGEST / max(header.width, header.height))
    width, height = (max(1, round(side * scale)) for side in (header.width, header.height))
    steps = (enlarge(attention[..., None], width, height) * 255 + 0.5).cast("uchar")
    picture = steps.maplut(pyvips.Image.new_from_array(colors[None])).copy(interpretation="srgb")
    return further_picture(target, picture, "the attention map")
