"""The comments of GIF files. Source: GIF89a specification, sections 15 to 24."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEADER = 13  # bytes: the signature and the logical screen descriptor
_EXTENSION, _IMAGE, _COMMENT = b"!", b",", b"\xfe"


def gif_comments(path: Path, longest: int = 8_000_000) -> Iterator[bytes]:
    """A GIF file's comments, as far as the file is whole; none of other files.

    longest: bytes; of a longer comment a little more than these is given. Errors: OSError.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER)
        if not header.startswith(b"GIF8"):
            return
        _skip_colors(file, header[10:11])
        while (kind := file.read(1)) in (_EXTENSION, _IMAGE):
            if kind == _EXTENSION:
                label = file.read(1)
            else:
                label = b""
                _skip_colors(file, file.read(9)[8:])
                file.read(1)  # bits of the first codes
            if label == _COMMENT:
                comment = bytearray()
                for block in _blocks(file):
                    if len(comment) <= longest:
                        comment += block
                yield bytes(comment)
            else:
                for _ in _blocks(file):
                    pass


def _skip_colors(file: BinaryIO, flags: bytes) -> None:
    """Pass over the colour table that the flags announce: bit 7 says whether, bits 0 to 2 of how many colours."""
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, os.SEEK_CUR)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Blocks of 255 bytes at most, each behind its length, up to an empty one."""
    while length := file.read(1).rjust(1, b"\0")[0]:
        yield file.read(length)
