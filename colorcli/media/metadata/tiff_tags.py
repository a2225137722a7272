"""EXIF in TIFF files, which libvips neither reads nor writes: from a file's tags to an EXIF block, and back.

An EXIF block is itself a small TIFF file behind `Exif\\0\\0`: both are a header and directories of (tag, type, count,
value), the value in place or elsewhere (TIFF 6.0, section 2; BigTIFF: the same with longer numbers). Values are copied
as they stand, in the byte order that is asked for; no pixel is read.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import ExifTags

_PREFIX = b"Exif\0\0"
_LONGEST = 4_000_000  # bytes of all values together: descriptions are far shorter, private tags hold whole pictures
_EXIF, _GPS = 0x8769, 0x8825  # tags that point to further directories
_PHOTO = 0  # stands for the first directory, to which nothing points but the header
_SHORT, _LONG, _LONG8 = 3, 4, 16
_WHOLE_NUMBERS = {1: "B", _SHORT: "H", _LONG: "I", 13: "I", _LONG8: "Q", 18: "Q"}  # type -> as `struct` writes it
_POINTERS = {_LONG: "I", 13: "I", _LONG8: "Q", 18: "Q"}  # 13, 18: IFD, IFD8
_COLOR_SPACE, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA001, 0xA002, 0xA003
_WIDTH, _LENGTH = 256, 257

# Types of values that EXIF can hold -> bytes of one, and of the numbers in it. 129: UTF-8, EXIF 3.0.
_TYPES = {1: (1, 1), 2: (1, 1), 3: (2, 2), 4: (4, 4), 5: (8, 4), 6: (1, 1), 7: (1, 1), 8: (2, 2), 9: (4, 4)}
_TYPES |= {10: (8, 4), 11: (4, 4), 12: (8, 8), 129: (1, 1)}
_ASCII = 2

# Tags of the first directory that say how this very file stores its pixels (TIFF 6.0, its supplements, DNG), or that
# libvips carries by itself (resolution, orientation, XMP, IPTC, ICC, Photoshop's resources). All others describe.
_OF_THE_FILE = frozenset(
    {_EXIF, _GPS, 254, 255, *range(256, 260), *range(262, 267), 273, 274, *range(277, 285), *range(288, 294), 296, 297}
    | {301, *range(317, 337), *range(338, 366), *range(400, 406), *range(433, 436), *range(512, 522), 529, 530, 531}
    | {532, 559, 700, 32995, 32996, 33421, 33422, 33723, 34377, 34675, 37724}
    | {59932, 59933}  # Windows' padding
    | set(range(50706, 52600))  # DNG
)
_OF_THE_JPEG = frozenset({0xA005})  # the interoperability directory: whether a camera's JPEG keeps to DCF

_MALFORMED = (OSError, ValueError, OverflowError, struct.error)  # OverflowError: offsets beyond what seek takes


class _Entry(NamedTuple):
    tag: int
    kind: int
    values: int  # how many; TIFF calls it the count
    place: bytes  # the value where it fits, else its offset


_Directory = dict[int, tuple[int, bytes]]  # tag -> type, value
_Directories = dict[int, _Directory]  # by the tag that points there


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers are stored: byte order as `struct` writes it, and whether offsets have 8 bytes (BigTIFF) or 4."""

    order: str
    big: bool

    def number(self, value: int) -> bytes:
        """An offset, or a directory's pointer to the next."""
        return struct.pack(self.order + ("Q" if self.big else "I"), value)

    @property
    def count(self) -> struct.Struct:
        """How many entries a directory has."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def room(self) -> int:
        """Bytes of a value that stand in the entry itself."""
        return 8 if self.big else 4


def exif_of_tiff(path: Path) -> tuple[bytes | None, tuple[str, ...]]:
    """The EXIF block of a TIFF file, None where it has none, and the names of the tags that cannot be read.

    In the file's byte order, which camera makers' notes may rely on.
    """
    try:
        with path.open("rb") as file:
            layout, first = _header(file)
            directories, unreadable = _read(file, layout, first)
    except _MALFORMED:
        return None, ("EXIF",)
    if not any(directories.values()):
        return None, unreadable
    classic = _Layout(layout.order, big=False)
    body, start = _assemble(directories, classic, at=8)
    mark = b"II*\0" if layout.order == "<" else b"MM\0*"
    return _PREFIX + mark + classic.number(start) + body, unreadable


def add_exif(path: Path, block: bytes) -> tuple[str, ...]:
    """Give a TIFF file the tags of an EXIF block: a new first directory at its end, old entries and these.

    Size and colour space are said as they are in the file (sRGB). Returns the names of the tags that cannot be read.
    Errors: OSError where the file cannot be written.
    """
    try:
        source = io.BytesIO(block.removeprefix(_PREFIX))
        found, start = _header(source)
        directories, unreadable = _read(source, found, start)
    except _MALFORMED:
        return ("EXIF",)
    if not any(directories.values()):
        return unreadable
    with path.open("r+b") as file:
        layout, old = _header(file)
        kept, following = _entries(file, layout, old)
        directories = {
            pointer: {tag: (kind, _reorder(kind, value, found, layout)) for tag, (kind, value) in directory.items()}
            for pointer, directory in directories.items()
        }
        _say_size(directories[_EXIF], {entry.tag: entry for entry in kept})
        if directories[_EXIF]:
            directories[_EXIF][_COLOR_SPACE] = _SHORT, struct.pack(layout.order + "H", 1)  # sRGB: EXIF 2.32, table 7
        end = file.seek(0, os.SEEK_END)
        body, start = _assemble(directories, layout, end + end % 2, tuple(kept), following)
        file.write(b"\0" * (end % 2) + body)
        file.seek(8 if layout.big else 4)
        file.write(layout.number(start))
    return unreadable


def described(block: bytes) -> tuple[str, ...]:
    """The names of the tags in an EXIF block that describe the photo, in order; none where it cannot be read."""
    try:
        file = io.BytesIO(block.removeprefix(_PREFIX))
        directories, _ = _read(file, *_header(file))
    except _MALFORMED:
        return ()
    return tuple(_name(pointer, tag) for pointer, directory in directories.items() for tag in sorted(directory))


def first_numbers(path: Path, tags: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Those of `tags` that the first directory of a TIFF file has; the other tags' values are not read.

    A value that is no whole numbers, too long or cut off is empty. Errors: OSError, ValueError where there is no
    directory.
    """
    try:
        with path.open("rb") as file:
            layout, first = _header(file)
            entries, _ = _entries(file, layout, first)
            return {entry.tag: _whole_numbers(file, layout, entry) for entry in entries if entry.tag in tags}
    except (OverflowError, struct.error) as error:
        raise ValueError(f"{path} is malformed: {error}") from error


def _whole_numbers(file: BinaryIO, layout: _Layout, entry: _Entry) -> tuple[int, ...]:
    try:
        code = f"{layout.order}{entry.values}{_WHOLE_NUMBERS[entry.kind]}"
        return struct.unpack(code, _stored(file, layout, entry, struct.calcsize(code), _LONGEST))
    except (*_MALFORMED, KeyError):
        return ()


def _header(file: BinaryIO) -> tuple[_Layout, int]:
    """The layout and the first directory's place. Errors: ValueError, struct.error."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise ValueError(f"{head[:2]!r} is no TIFF header; expected II or MM")
    big = struct.unpack_from(order + "H", head, 2)[0] == 43  # 42 in classic TIFF
    (first,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
    return _Layout(order, big), first


def _entries(file: BinaryIO, layout: _Layout, at: int) -> tuple[list[_Entry], int]:
    """A directory's entries, as many as the file has of them, and where the next directory stands (0: none)."""
    file.seek(at)
    (count,) = layout.count.unpack(file.read(layout.count.size))
    table = file.read(min(count, 0xFFFF) * layout.entry.size)
    whole = len(table) // layout.entry.size * layout.entry.size
    entries = [_Entry(*fields) for fields in layout.entry.iter_unpack(table[:whole])]
    following = file.read(layout.room).ljust(layout.room, b"\0")
    return entries, int.from_bytes(following, "little" if layout.order == "<" else "big")


def _read(file: BinaryIO, layout: _Layout, first: int) -> tuple[_Directories, tuple[str, ...]]:
    """What describes the photo: the first directory's tags, EXIF's and GPS's; and the names of the unreadable."""
    entries, _ = _entries(file, layout, first)
    listed = {_PHOTO: [entry for entry in entries if entry.tag not in _OF_THE_FILE], _EXIF: [], _GPS: []}
    unreadable = []
    for entry in entries:
        if entry.tag not in (_EXIF, _GPS):
            continue
        try:
            (at,) = struct.unpack_from(layout.order + _POINTERS[entry.kind], entry.place)
            listed[entry.tag], _ = _entries(file, layout, at)
        except (*_MALFORMED, KeyError):
            unreadable.append(_name(_PHOTO, entry.tag))
    directories: _Directories = {pointer: {} for pointer in listed}
    left = _LONGEST
    for pointer, directory in directories.items():
        for entry in listed[pointer]:
            if entry.tag in directory or not entry.values or (pointer == _EXIF and entry.tag in _OF_THE_JPEG):
                continue
            try:
                value = _value(file, layout, entry, left)
            except (*_MALFORMED, KeyError):
                unreadable.append(_name(pointer, entry.tag))
                continue
            left -= len(value)
            directory[entry.tag] = entry.kind, value
    return directories, tuple(unreadable)


def _value(file: BinaryIO, layout: _Layout, entry: _Entry, longest: int) -> bytes:
    """An entry's value. Errors: KeyError for a type that EXIF has not, ValueError where it is too long or cut off."""
    value = _stored(file, layout, entry, _TYPES[entry.kind][0] * entry.values, longest)
    return value if entry.kind != _ASCII or value.endswith(b"\0") else value + b"\0"


def _stored(file: BinaryIO, layout: _Layout, entry: _Entry, length: int, longest: int) -> bytes:
    """The bytes of an entry's value. Errors: ValueError where there are more than `longest`, or the file ends first."""
    if length > longest:
        raise ValueError(f"{length} bytes; expected {longest} at most")
    value = entry.place[:length]
    if length > layout.room:
        file.seek(struct.unpack(layout.order + ("Q" if layout.big else "I"), entry.place)[0])
        value = file.read(length)
    if len(value) < length:
        raise ValueError(f"{len(value)} bytes; expected {length}")
    return value


def _assemble(
    directories: _Directories, layout: _Layout, at: int, kept: tuple[_Entry, ...] = (), following: int = 0
) -> tuple[bytes, int]:
    """The bytes of all directories, to stand at `at`, and where among them the first one starts.

    kept: entries of the first directory that stay as they are; following: what it says of the next one.
    """
    first, body = dict(directories[_PHOTO]), b""
    for pointer in (_EXIF, _GPS):
        if directories[pointer]:
            first[pointer] = _LONG8 if layout.big else _LONG, layout.number(at + len(body))
            body += _pack(directories[pointer], layout, at + len(body))
    return body + _pack(first, layout, at + len(body), kept, following), at + len(body)


def _pack(directory: _Directory, layout: _Layout, at: int, kept: tuple[_Entry, ...] = (), following: int = 0) -> bytes:
    """The bytes of a directory that stands at `at`, its long values behind it; of even length, as offsets must be."""
    entries = {entry.tag: entry for entry in kept if entry.tag not in directory}
    values_at = at + layout.count.size + (len(entries) + len(directory)) * layout.entry.size + layout.room
    values = b""
    for tag, (kind, value) in directory.items():
        place = value.ljust(layout.room, b"\0")
        if len(value) > layout.room:
            place = layout.number(values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
        size = 8 if kind == _LONG8 else _TYPES[kind][0]
        entries[tag] = _Entry(tag, kind, len(value) // size, place)
    table = b"".join(layout.entry.pack(*entries[tag]) for tag in sorted(entries))
    return layout.count.pack(len(entries)) + table + layout.number(following) + values


def _reorder(kind: int, value: bytes, found: _Layout, wanted: _Layout) -> bytes:
    if found.order == wanted.order:
        return value
    return np.frombuffer(value, dtype=f"u{_TYPES[kind][1]}").byteswap().tobytes()


def _say_size(exif: _Directory, of_the_file: dict[int, _Entry]) -> None:
    for tag, original in ((_PIXEL_WIDTH, _WIDTH), (_PIXEL_HEIGHT, _LENGTH)):
        if tag in exif:  # a turned photo's sides are swapped
            entry = of_the_file[original]
            exif[tag] = entry.kind, entry.place[: _TYPES[entry.kind][0]]


def _name(pointer: int, tag: int) -> str:
    names = ExifTags.GPSTAGS if pointer == _GPS else ExifTags.TAGS
    return names.get(tag, f"tag 0x{tag:04X}")
