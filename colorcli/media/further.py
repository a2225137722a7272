"""Pictures that go with a result: there when the result is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.media.places import part_path, whole_files
from colorcli.media.sources import without_paths
from colorcli.media.unwritable import unwritable, write_failure

_GAP = 4  # white pixels between the pictures of a row


@contextmanager
def further_picture(target: Path, picture: pyvips.Image, what: str) -> Iterator[None]:
    """Write a picture as a PNG, whose folder is made if need be. what: "the attention map", for errors.

    The file appears under its name when the block ends well, so that a photo that fails there has none. Errors: as of
    `unwritable`.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_files(target) as (part,):
            picture.pngsave(os.fsencode(part), keep="none")
            yield
    except (OSError, pyvips.Error) as error:
        told = error.strerror if isinstance(error, OSError) else write_failure(without_paths(error, part_path(target)))
        reason = told or "no space, or no permission"
        raise unwritable(f"{what} {target}", target, reason) from error


def row(pictures: NDArray[np.uint8]) -> pyvips.Image:
    """Pictures side by side with white between them. (N, h, w, 3) sRGB."""
    count, height, width, _ = pictures.shape
    joined = np.full((height, count * (width + _GAP) - _GAP, 3), 255, dtype=np.uint8)
    for number, picture in enumerate(pictures):
        joined[:, number * (width + _GAP) :][:, :width] = picture
    return pyvips.Image.new_from_array(joined, interpretation="srgb")
