"""Errors that nobody foresaw: the failure of one file, never of the run."""

from __future__ import annotations

import traceback
from collections.abc import Callable

_VERBOSE_TRACEBACK = 2


def unforeseen(error: Exception, verbosity: int, say: Callable[[str], None]) -> str:
    """The reason of the failure. `say` is told the traceback where the verbosity is 2 or more."""
    if verbosity >= _VERBOSE_TRACEBACK:
        for line in "".join(traceback.format_exception(error)).splitlines():
            say(line)
    return f"unexpected {type(error).__name__}: {error}"
