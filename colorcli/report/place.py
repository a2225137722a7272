"""Where a page may be written; told before the work that it is about."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from colorcli.errors import ColorizeError, UsageError
from colorcli.report.template import is_ours

_HEAD = 4_000  # bytes that say whose page it is


def check_place(
    place: Path,
    *,
    overwrite: bool = False,
    option: str = "--report",
    endings: Sequence[str] = (".html", ".htm"),
    what: str = "a page for a browser",
    ours: Callable[[str], bool] = is_ours,
) -> None:
    """Refuse a place that no page, or other report, can be written to; nothing is made.

    overwrite: a file that is there may be replaced though it is none of ours. option: that names the place. ours: tells
    by a file's beginning. Errors: UsageError for a name that ends otherwise and for a folder; ColorizeError for a file
    of others and for a folder that cannot be written.
    """
    if place.suffix.lower() not in endings:
        raise UsageError(f"{option} {place} must end in {' or '.join(endings)}: it is {what}")
    if os.path.isdir(place):  # noqa: PTH112 - Path.is_dir may raise
        raise UsageError(f"{option} {place} is a folder; name a file in it")
    if os.path.lexists(place) and not overwrite and not _was_ours(place, ours):
        raise ColorizeError(f"{place} exists and is no report of this tool: choose another {option}, or --overwrite")
    folder = place.absolute().parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not os.path.isdir(folder):  # noqa: PTH112
        raise ColorizeError(f"{option} {place} cannot be written: {folder} is a file; choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ColorizeError(f"{option} {place} cannot be written: no permission in {folder}; choose another place")


def _was_ours(place: Path, ours: Callable[[str], bool]) -> bool:
    try:
        with place.open("rb") as file:
            return ours(file.read(_HEAD).decode("utf-8", "replace"))
    except OSError:
        return False
