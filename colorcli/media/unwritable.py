"""What it means that a file cannot be written: for this photo alone, or for all that follow."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from colorcli.errors import ColorizeError, PhotoError

# No later photo would fare better. As texts: libvips hands on the system's words, not its numbers.
_FOR_ALL = frozenset(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS))
# Not "unable to write": pngsave also says that when its source breaks off.
_WRITE_FAILURE = re.compile(r"(?:write error|write failed|unable to open for write)\nsystem error: (.+)")


def unwritable(what: str, place: Path, reason: str) -> ColorizeError:
    """The error to raise where `what` cannot be written at `place`; reason: the system's words.

    A PhotoError, or ColorizeError itself where the disk is full or takes no files: the run must end.
    """
    if reason in _FOR_ALL:
        return ColorizeError(
            f"{place} cannot be written ({reason}); make room or choose another folder, the same command goes on where "
            "it stopped"
        )
    return PhotoError(f"{what} cannot be written ({reason}); check the output folder and its free space")


def write_failure(message: str) -> str | None:
    """The system's words in a message of libvips (without file names) about writing; None where it is of reading."""
    found = _WRITE_FAILURE.search(message)
    return found[1].strip() if found else None
