"""What is written into a photo's file and libvips passes over: comments, PNG's text, further segments of JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyvips

from colorcli.errors import PhotoError
from colorcli.media.metadata import jpeg_segments, png_chunks
from colorcli.media.metadata.describe import listed
from colorcli.media.metadata.gif_comments import gif_comments
from colorcli.media.metadata.photoshop import MARK
from colorcli.media.metadata.png_chunks import TextChunk

_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"  # XMP part 3, 1.1.3.1
_EXTENDED_HEAD = len(_EXTENDED_XMP) + 40  # bytes; the packet's MD5, its whole length and the place of this piece
_BLANK = b"\0 \r\n\t"
_LONGEST = 8_000_000  # bytes of all that is kept of one file; descriptions are far shorter
_TOO_LONG = "comments or resources of more than 8 MB were left out"


@dataclass(frozen=True, slots=True)
class Inscriptions:
    """What is written into one file; nothing in most."""

    comments: tuple[bytes, ...] = ()  # of JPEG or GIF, which do not say their encoding
    texts: tuple[TextChunk, ...] = ()  # of PNG, without XMP
    packet: bytes | None = None  # XMP of PNG
    resources: bytes | None = None  # Photoshop's, of all segments of a JPEG together; None where it has no segment
    notes: tuple[str, ...] = ()  # for a person: what no result has


def read_inscriptions(path: Path) -> Inscriptions:
    """What is written into a photo's file; its pixels are not read. Errors: PhotoError where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start.startswith(b"\xff\xd8"):
            return _of_jpeg(path)
        if start == b"\x89PNG":
            return _of_png(path)
        return _of_gif(path)
    except OSError as error:
        raise PhotoError(f"the file cannot be read ({error.strerror}); check that it exists and may be read") from error


def complete(image: pyvips.Image, inscriptions: Inscriptions) -> pyvips.Image:
    """The image with the XMP that stands behind a PNG's pixels, and with Photoshop's resources of all segments."""
    result = image.copy()
    if inscriptions.packet is not None and not image.get_typeof("xmp-data"):
        result.set_type(pyvips.GValue.blob_type, "xmp-data", inscriptions.packet)
    if inscriptions.resources is not None and image.get_typeof("iptc-data"):  # there: the first segment, whatever it is
        result.remove("iptc-data")
    if inscriptions.resources:
        result.set_type(pyvips.GValue.blob_type, "iptc-data", MARK + inscriptions.resources)
    return result


def without_texts(image: pyvips.Image) -> tuple[pyvips.Image, bytes | None]:
    """The image without what libvips would write as text into PNG, and its XMP packet."""
    result = image.copy()
    packet = bytes(image.get("xmp-data")) if image.get_typeof("xmp-data") else None
    for field in image.get_fields():
        if field == "xmp-data" or field.startswith("png-comment-"):
            result.remove(field)
    return result, packet


def keep_inscriptions(inscriptions: Inscriptions, written: Path, saver: str, packet: bytes | None) -> list[str]:
    """Put a source's comments and text into the result that `saver` wrote, and into PNG its own XMP packet.

    JPEG and GIF comments are kept in JPEG and, as text, in PNG; PNG's text is kept in PNG. Returns notes for a person:
    what was left out. Errors: OSError where the result cannot be written.
    """
    notes = list(inscriptions.notes)
    if saver == "pngsave":
        chunks = [] if packet is None else [png_chunks.international_text(png_chunks.XMP, packet.decode())]
        chunks += inscriptions.texts
        chunks += [png_chunks.international_text("Comment", _decoded(comment)) for comment in inscriptions.comments]
        png_chunks.add_texts(written, chunks)
        return notes
    if saver == "jpegsave":
        jpeg_segments.add_comments(written, inscriptions.comments)
    elif inscriptions.comments:
        notes.append("the source's comment was left out: --format jpg or png keeps it")
    if inscriptions.texts:
        names = {"".join(filter(str.isprintable, text.keyword)) for text in inscriptions.texts}
        notes.append(f"text was left out, --format png keeps it: {listed(names)}")
    return notes


def _of_gif(path: Path) -> Inscriptions:
    comments: list[bytes] = []
    left = _LONGEST
    for comment in gif_comments(path, _LONGEST):
        left -= len(comment)
        if comment.strip(_BLANK) and left >= 0:
            comments.append(comment)
    return Inscriptions(tuple(comments), notes=(_TOO_LONG,) if left < 0 else ())


def _of_jpeg(path: Path) -> Inscriptions:
    comments: list[bytes] = []
    resources: list[bytes] = []
    left = _LONGEST
    extended = 0  # bytes
    for marker, data, _ in jpeg_segments.segments(path):
        if marker == jpeg_segments.COMMENT and data.strip(_BLANK):
            kept, piece = comments, data
        elif marker == jpeg_segments.APP13:
            kept, piece = resources, data.removeprefix(MARK) if data.startswith(MARK) else b""
        else:
            if marker == jpeg_segments.APP1 and data.startswith(_EXTENDED_XMP):
                extended += max(0, len(data) - _EXTENDED_HEAD)
            continue
        left -= len(piece)
        if left >= 0:
            kept.append(piece)
    notes = [f"the source's extended XMP was left out: {extended:,} bytes"] if extended else []
    notes += [_TOO_LONG] if left < 0 else []
    joined = b"".join(resources) if resources else None
    return Inscriptions(tuple(comments), resources=joined, notes=tuple(notes))


def _of_png(path: Path) -> Inscriptions:
    chunks, whole = png_chunks.read_texts(path)
    texts = tuple(chunk for chunk in chunks if chunk.keyword != png_chunks.XMP)
    packets = [packet for packet in map(png_chunks.xmp_of, chunks) if packet is not None]
    whole = whole and len(texts) + len(packets) == len(chunks)
    notes = () if whole else ("text that is damaged or too long was left out",)
    return Inscriptions(texts=texts, packet=packets[0] if packets else None, notes=notes)


def _decoded(comment: bytes) -> str:
    try:
        return comment.decode().rstrip("\0")
    except UnicodeDecodeError:
        return comment.decode("latin-1").rstrip("\0")
