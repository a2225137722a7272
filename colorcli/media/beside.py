"""What lies beside photos, has a photo's extension, and is none to be coloured."""

from __future__ import annotations

import os
from pathlib import Path

from colorcli.media.places import ATTENTION, BESIDE, BESIDE_LEDGER, COMPARISON, HINTS, MATCHES, STAGES, THUMBNAIL

_KINDS = {  # by ending
    HINTS: "colour hints, not a photo",
    ATTENTION: "an attention map, not a photo",
    **dict.fromkeys(MATCHES, "a picture of matches, not a photo"),
    STAGES: "the stages of a result, not a photo",
    THUMBNAIL: "a picture of a report, not a photo",
}


def kind_beside_photos(path: Path) -> str | None:
    """What a file is that is no photo by its name; None for photos."""
    return next((kind for ending, kind in _KINDS.items() if path.name.lower().endswith(ending)), None)


def is_result_beside(path: Path) -> bool:
    """Whether a file is a result that `exemplar` put beside its photo, or the comparison of one.

    Its name says so, and its folder holds the ledger of such results: elsewhere a `.colorized.` photo is a photo.
    """
    name = path.name.lower()
    return (f"{BESIDE}." in name or name.endswith(COMPARISON)) and os.path.lexists(path.parent / BESIDE_LEDGER)
