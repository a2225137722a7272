"""Whether a file is long enough for the pixels that its header announces: told before any memory is given to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from colorcli.errors import PhotoError
from colorcli.media.metadata import jpeg_segments

# ImageWidth, ImageLength, BitsPerSample, Compression, PhotometricInterpretation, StripOffsets, SamplesPerPixel,
# TileOffsets: TIFF 6.0
TIFF_LAYOUT = frozenset({256, 257, 258, 259, 262, 273, 277, 324})
_BLOCK = 64  # pixels of a JPEG's block; each takes a bit or more (ITU-T T.81, F.1.2.1), if not coded arithmetically
_ARITHMETIC = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})  # markers of frames: ITU-T T.81, table B.1
_DEFLATED = 1032  # bytes that one of zlib's may stand for: 258, the longest match, in two bits (RFC 1951)
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type: PNG specification, third edition, 11.2.1
_PNG_HEAD = 26  # bytes, up to bit depth and colour type


def refuse_short(path: Path, name: str, width: int, height: int, tags: Mapping[int, tuple[int, ...]]) -> None:
    """PhotoError where the file ends long before the pixels that it announces.

    name: the format's. tags: of a TIFF's first directory. Only what no file of this size could hold is refused.
    """
    try:
        length = path.stat().st_size
        if name == "JPEG":
            needed = _needed_by_jpeg(path, width * height, length)
        elif name == "PNG":
            needed = _needed_by_png(path, width, height)
        else:
            needed = _needed_by_tiff(tags)
    except (OSError, LookupError):
        return  # it is gone, or libtiff knows more kinds of TIFF
    if needed > length:
        raise PhotoError(
            f"the file is damaged or cut short ({length:,} bytes; its header announces more than {needed:,}); copy or "
            "scan it again"
        )


def said_whole(tags: Mapping[int, tuple[int, ...]], wanted: Collection[int]) -> bool:
    """Whether all of these tags of a TIFF that are there could be read."""
    return all(tags.get(tag) != () for tag in wanted)


def _needed_by_jpeg(path: Path, pixels: int, length: int) -> int:
    needed = pixels // _BLOCK // 8
    if needed <= length:  # nearly always: the markers need not be looked at
        return 0
    return 0 if any(segment.marker in _ARITHMETIC for segment in jpeg_segments.segments(path)) else needed


def _needed_by_png(path: Path, width: int, height: int) -> int:
    with path.open("rb") as file:
        bits, kind = file.read(_PNG_HEAD)[24:]
    return -(-width * bits * _PNG_CHANNELS[kind] // 8) * height // _DEFLATED


def _needed_by_tiff(tags: Mapping[int, tuple[int, ...]]) -> int:
    """Of an uncompressed one, in whose place libtiff fills with black what is not there. 0 for others, and no TIFF."""
    if not said_whole(tags, TIFF_LAYOUT):
        return 0
    offsets = tags.get(273) or tags.get(324) or (0,)
    # Pixels of YCbCr may share their chroma; offset 0 means that the strip or tile is not stored (GDAL's way).
    if tags.get(259, (1,)) != (1,) or tags.get(262) == (6,) or 0 in offsets:
        return 0
    depths = tags.get(258, (1,))
    bits = sum(depths) if len(depths) > 1 else depths[0] * tags.get(277, (1,))[0]
    return min(offsets) + -(-tags[256][0] * bits // 8) * tags[257][0]
