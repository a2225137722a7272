"""Files as they are read: regular ones only, and the same from the first look at them to the last."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from colorcli.errors import PhotoError
from colorcli.items import Stamp

CHANGED = "the file was changed during the run, so that its result would be of both; run again"
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # POSIX has one, Windows the other


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading. A pipe or device, which may also have taken its place, is not waited for.

    Errors: OSError.
    """
    descriptor = os.open(path, _READING)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "a pipe, socket or device", str(path))


def unopened(error: OSError) -> PhotoError:
    """What a file that the system does not open is to a person."""
    return PhotoError(f"the file cannot be opened ({error.strerror}); check that it exists and may be read")


def stamp_of(path: Path) -> Stamp:
    """What a file is known by. Errors: OSError."""
    facts = path.stat()
    return Stamp(facts.st_ino, facts.st_size, facts.st_ctime_ns)


def is_unchanged(path: Path, stamp: Stamp) -> bool:
    """Whether it is the file that it was, with its content; False where it is gone."""
    try:
        return stamp_of(path) == stamp
    except OSError:
        return False


def refuse_changed(path: Path, stamp: Stamp | None) -> None:
    """PhotoError where a file is gone, or no longer what it was. None: nobody looked at it before."""
    if stamp is not None and not is_unchanged(path, stamp):
        raise PhotoError(CHANGED)
