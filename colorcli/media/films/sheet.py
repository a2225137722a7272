"""The sheet of a film: one frame of each shot, before and after."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyvips

from colorcli.media.libvips import VipsError
from colorcli.media.metadata.describe import Provenance
from colorcli.media.pictures import save_sheet
from colorcli.media.places import whole_files
from colorcli.media.unwritable import unwritable

_ACROSS = 2  # pairs in a row
_MOST = 200  # shots; of more, that many are shown, evenly chosen


def write_sheet(place: Path, pairs: Sequence[Path], provenance: Provenance | None) -> None:
    """Write a JPEG of the pictures in `pairs`, in their order. Errors: PhotoError, ColorizeError, as of a result."""
    step = -(-len(pairs) // _MOST)
    try:
        pictures = [pyvips.Image.new_from_file(os.fsencode(pair)) for pair in pairs[::step]]
        across = min(_ACROSS, len(pictures))
        with whole_files(place) as (part,):
            save_sheet(part, pictures, across, provenance)
    except (VipsError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise unwritable("the comparison", place, reason) from error
