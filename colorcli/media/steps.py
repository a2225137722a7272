"""The stages of a photo's way to its colour, as a picture."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.media.metadata.describe import Provenance
from colorcli.media.pictures import synthetic, whole_pictures

_GAP = 4  # white pixels between them


def stages_picture(
    target: Path, stages: NDArray[np.uint8], provenance: Provenance | None
) -> AbstractContextManager[None]:
    """Write them side by side as a PNG, which says in its XMP that its colours are synthetic, unless told nothing.

    stages: (N, h, w, 3) sRGB. The file is there, and errors are, as `whole_pictures` says.
    """
    tiles = [pyvips.Image.new_from_array(stage).copy(interpretation="srgb") for stage in stages]
    row = pyvips.Image.arrayjoin(tiles, across=len(tiles), shim=_GAP, background=[255, 255, 255])
    return whole_pictures("the stages", {target: synthetic(row, provenance)})
