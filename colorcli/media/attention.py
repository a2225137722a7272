"""Attention maps: where a network looked, as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.items import PhotoHeader
from colorcli.media.places import part_path, whole_files
from colorcli.media.recombination import enlarge
from colorcli.media.sources import without_paths
from colorcli.media.unwritable import unwritable, write_failure

_LONGEST = 1024  # pixels: the map itself is much coarser


@contextmanager
def attention_map(
    target: Path, attention: NDArray[np.float32], colors: NDArray[np.uint8], header: PhotoHeader
) -> Iterator[None]:
    """Write a map of the photo's size, its long side at most 1024 pixels, as a PNG.

    attention: (h, w), 0..1. colors: (256, 3) sRGB, from low to high. The file appears under its name when the block
    ends well, so that a photo that fails there has none. Errors: as of `unwritable`.
    """
    scale = min(1.0, _LONGEST / max(header.width, header.height))
    width, height = (max(1, round(side * scale)) for side in (header.width, header.height))
    steps = (enlarge(attention[..., None], width, height) * 255 + 0.5).cast("uchar")
    picture = steps.maplut(pyvips.Image.new_from_array(colors[None])).copy(interpretation="srgb")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_files(target) as (part,):
            picture.pngsave(os.fsencode(part), keep="none")
            yield
    except (OSError, pyvips.Error) as error:
        told = error.strerror if isinstance(error, OSError) else write_failure(without_paths(error, part_path(target)))
        reason = told or "no space, or no permission"
        raise unwritable(f"the attention map {target}", target, reason) from error
