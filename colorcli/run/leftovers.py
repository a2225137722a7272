"""What a killed process leaves half-written."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from colorcli.media.places import held_path, part_path


def remove_parts(files: Iterable[Path]) -> None:
    """Remove what a process that is no more had begun of these files; what cannot be removed stays."""
    for path in files:
        for unfinished in (part_path(path), held_path(path)):
            with suppress(OSError):  # it is not there, or its folder has become a file since
                unfinished.unlink()
