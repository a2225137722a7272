"""Grayed photographs from scikit-image's wheel, to try the tool on."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from colorcli.errors import ColorizeError
from colorcli.media.places import whole_files

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")  # colour photographs that the wheel carries
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as a scanner's gray


def photograph(name: str) -> NDArray[np.uint8]:
    """One of the photographs, (H, W, 3) uint8 RGB; nothing is downloaded."""
    import skimage.data

    picture: NDArray[np.uint8] = getattr(skimage.data, name)()
    return picture


def write_samples(folder: Path) -> list[Path]:
    """Write the photographs as gray JPEGs. Files that are there already stay as they are.

    Returns their paths. A folder that cannot be written raises ColorizeError.
    """
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in PHOTOGRAPHS:
            path = folder / f"{name}.jpg"
            paths.append(path)
            if path.exists():
                continue
            gray = np.rint(photograph(name) @ _LUMA).astype(np.uint8)  # (H, W, 3) -> (H, W)
            with whole_files(path) as (part,):
                imageio.imwrite(part, gray, extension=".jpg", quality=95)
    except OSError as error:
        raise ColorizeError(f"cannot write the samples into {folder}: {error.strerror or error}") from error
    return paths
