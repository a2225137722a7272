"""Bytes put into the midst of a file that is too large to be held."""

from __future__ import annotations

import os
from pathlib import Path

_BLOCK = 4_000_000  # bytes that are moved at a time


def insert(path: Path, at: int, data: bytes) -> None:
    """Put `data` at byte `at` of a file; what stood from there on comes behind it. Errors: OSError."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > at:  # from the end, so that nothing is overwritten before it was read
            start = max(at, end - _BLOCK)
            file.seek(start)
            block = file.read(end - start)
            file.seek(start + len(data))
            file.write(block)
            end = start
        file.seek(at)
        file.write(data)
