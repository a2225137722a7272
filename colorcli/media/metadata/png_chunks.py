"""The text chunks of PNG files, read and written as they stand: libvips takes all text for Latin-1, and compresses it.

Source: PNG specification, third edition, 5.3 (chunks) and 11.3.3 (text); for XMP: XMP part 3, 1.1.5.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from colorcli.media.metadata.insertion import insert

XMP = "XML:com.adobe.xmp"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_HEADER_END = 33  # bytes: the signature, and IHDR, which is always first and 25 bytes long
_MOST = 1000  # texts, as many as libpng reads
_LONGEST = 8_000_000  # bytes of all text together, and of an XMP packet when it is unpacked


class TextChunk(NamedTuple):
    """A text as it stands in the file."""

    kind: bytes  # tEXt, zTXt or iTXt
    data: bytes

    @property
    def keyword(self) -> str:
        return self.data.partition(b"\0")[0].decode("latin-1")


def read_texts(path: Path) -> tuple[tuple[TextChunk, ...], bool]:
    """A PNG file's texts, before and behind its pixels, none of other files; and whether these are all.

    Left out are those whose checksum is wrong, or that cannot be unpacked, those that bring all texts, as they are
    unpacked, above 8 MB, and those behind the first 1000. Errors: OSError.
    """
    found: list[TextChunk] = []
    left, whole = _LONGEST, True
    with path.open("rb") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            return (), True
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            length, kind = struct.unpack(">I4s", head)
            if kind not in _TEXTS or length > left or len(found) == _MOST:
                whole = whole and kind not in _TEXTS
                file.seek(length + 4, os.SEEK_CUR)  # the data and its checksum
                continue
            chunk = TextChunk(kind, file.read(length))
            unpacked = _unpacked_length(chunk, left) if file.read(4) == _checksum(chunk) else None
            if unpacked is None:
                whole = False
            else:
                found.append(chunk)
                left -= max(length, unpacked)
    return tuple(found), whole


def xmp_of(chunk: TextChunk) -> bytes | None:
    """The XMP packet in a chunk; None where it holds another text, cannot be unpacked, or is longer than 8 MB."""
    if chunk.keyword != XMP:
        return None
    text, packed = _text_of(chunk)
    return _unpacked(text, _LONGEST) if packed else text


def _text_of(chunk: TextChunk) -> tuple[bytes, bool]:
    """What stands behind the keyword, and whether it is packed."""
    text = chunk.data.partition(b"\0")[2]
    if chunk.kind == b"zTXt":
        return text[1:], True  # behind the method
    if chunk.kind == b"iTXt":  # behind the method, the language and the keyword in it
        return text[2:].split(b"\0", 2)[-1], text[:1] == b"\1"
    return text, False


def _unpacked(packed: bytes, longest: int) -> bytes | None:
    """None where it is damaged, or longer than that."""
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(packed, longest)
    except zlib.error:
        return None
    return text if unpacking.eof else None


def _unpacked_length(chunk: TextChunk, longest: int) -> int | None:
    """As of `_unpacked`; 0 of what is not packed."""
    text, packed = _text_of(chunk)
    if not packed:
        return 0
    plain = _unpacked(text, longest)
    return None if plain is None else len(plain)


def international_text(keyword: str, text: str) -> TextChunk:
    """An uncompressed text in UTF-8, its language not said."""
    plain = text.replace("\0", "").encode()
    return TextChunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + plain)


def add_texts(path: Path, chunks: Iterable[TextChunk]) -> None:
    """Put texts into a PNG file, before its pixels: behind them many readers pass over text. Errors: OSError."""
    packed = b"".join(
        struct.pack(">I4s", len(chunk.data), chunk.kind) + chunk.data + _checksum(chunk) for chunk in chunks
    )
    if packed:
        insert(path, _HEADER_END, packed)


def _checksum(chunk: TextChunk) -> bytes:
    return struct.pack(">I", zlib.crc32(chunk.kind + chunk.data))
