"""The segments before a JPEG file's pixels, where what describes the photo stands, 64 kB at most in each.

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from colorcli.media.metadata.insertion import insert

APP1, APP13, COMMENT = 0xE1, 0xED, 0xFE
_APPLICATIONS = range(0xE0, 0xF0)
_START, _SCAN, _END = b"\xff\xd8", 0xDA, 0xD9
_LONGEST = 65_533  # bytes of data; the length before them counts itself


class Segment(NamedTuple):
    """A marker's second byte, its data without the length, and where in the file the next segment starts."""

    marker: int
    data: bytes
    end: int


def segments(path: Path) -> Iterator[Segment]:
    """A JPEG file's segments up to its pixels or to what is no segment; none of other files. Errors: OSError."""
    with path.open("rb") as file:
        if file.read(2) != _START:
            return
        while (marker := _marker(file)) not in (None, _SCAN, _END):
            length = int.from_bytes(file.read(2), "big")
            data = file.read(max(0, length - 2))
            yield Segment(marker, data, file.tell())


def add_comments(path: Path, comments: Iterable[bytes]) -> None:
    """Put comments into a JPEG file, behind its APP segments; long ones in several pieces. Errors: OSError."""
    packed = b""
    for comment in comments:
        for start in range(0, len(comment), _LONGEST):
            piece = comment[start : start + _LONGEST]
            packed += bytes([0xFF, COMMENT]) + (len(piece) + 2).to_bytes(2, "big") + piece
    at = len(_START)
    for segment in segments(path) if packed else ():
        if segment.marker not in _APPLICATIONS:
            break
        at = segment.end
    if packed:
        insert(path, at, packed)


def _marker(file: BinaryIO) -> int | None:
    """The next marker's second byte; None where there is none. Any number of FF may stand before it."""
    byte = file.read(1)
    if byte != b"\xff":
        return None
    while byte == b"\xff":
        byte = file.read(1)
    return byte[0] if byte else None
