"""A photo file that was opened: what its header says, and its pixels, decoded when they are asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyvips

from colorcli.errors import PhotoError
from colorcli.items import PhotoHeader
from colorcli.media import other_formats
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.lengths import TIFF_LAYOUT, refuse_short, said_whole
from colorcli.media.libvips import VipsError
from colorcli.media.metadata.tiff_tags import first_numbers
from colorcli.media.originals import open_regular, unopened

_LOADERS = {  # libvips GType -> name; others (SVG, CSV, raw) draw rather than decode
    "VipsForeignLoadJpegFile": "JPEG",
    "VipsForeignLoadUhdrFile": "Ultra HDR JPEG",
    "VipsForeignLoadPngFile": "PNG",
    "VipsForeignLoadTiffFile": "TIFF",
    "VipsForeignLoadWebpFile": "WebP",
    "VipsForeignLoadHeifFile": "AVIF",
    "VipsForeignLoadNsgifFile": "GIF",
}
# libvips maps these into memory, and a file that shrinks, or a bad sector, then kills the process (SIGBUS): they are
# read instead, and each reading is of one moment.
_HELD = frozenset({"JPEG", "Ultra HDR JPEG", "WebP"})
_LONGEST_HELD = 2**29  # bytes; no photo of 500 megapixels is longer, and what is may not fit into memory
# How the lines of a message begin that a format's decoder wrote; and pyvips' own, which tell no reason.
_SPEAKERS = {
    "JPEG": ("VipsJpeg:", "jpegload"),
    "Ultra HDR JPEG": ("uhdr",),
    "PNG": ("vipspng:", "pngload"),
    "TIFF": ("tiff2vips:", "tiffload"),
    "WebP": ("webp:", "webpload"),
    "AVIF": ("heif:", "heifload"),
    "GIF": ("gifload",),
}
_SAYS_NOTHING = (
    *("unable to call", "unable to write to memory", "unable to load from source"),
    *("VipsForeignLoad:", "image: no property named"),  # of whoever looked for a format, or a profile, last
)
_FAIL_ON = {"TIFF": "error"}  # libtiff fills a strip that it cannot decode with black, which is none of "truncated"
_COLOR_BANDS = {"b-w": 1, "grey16": 1, "srgb": 3, "rgb": 3, "rgb16": 3, "cmyk": 4}
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
# Compression, PhotometricInterpretation, ExtraSamples, YCbCrSubSampling: TIFF 6.0
_TIFF_COLORS = frozenset({259, 262, 338, 530})
_YCBCR, _JPEG = (6,), ((6,), (7,))  # a photometric interpretation; compressions, old and new
_DAMAGE = (
    *("premature", "truncated", "unexpected", "end of", "eof", "corrupt", "read error", "read gave", "short"),
    *("unable to parse image", "load error"),  # WebP, cut short or altered
    *("not yet in table", "decoding error", "not enough data", "inconsistent progression"),  # TIFF, JPEG, in the midst
    *("broken data stream", "not enough image data"),  # Pillow: JPEG 2000, PNM
)


@dataclass(frozen=True, slots=True)
class Source:
    """An open photo; `image` streams top to bottom once and is not yet upright."""

    path: Path
    header: PhotoHeader
    image: pyvips.Image
    orientation: int  # EXIF, 1..8
    color_bands: int  # 1 gray, 3 RGB, 4 CMYK; a further band is alpha
    format: str  # its name where libvips reads it; "": read by imageio, whole
    as_stored: bool  # `image` has all bands that libvips reads from the file
    data: bytes | None  # the file's content, where it is held in memory
    fail_on: str  # what ends its decoding, as libvips calls it
    notes: tuple[str, ...] = ()


def open_source(path: Path, *, max_pixels: int = MAX_PIXELS) -> Source:
    """Open a photo and judge its header; no pixel is decoded (formats that libvips lacks: after the size is judged).

    max_pixels: width x height that is still opened; 0 is no limit.
    Errors: PhotoError for what is empty, unknown, too large, animated, of several pages, or of an unusual pixel type.
    """
    name, stored, data, notes = _load(path, max_pixels)
    tags = _tiff_tags(path) if name == "TIFF" else {}
    _refuse_large(max_pixels, stored.width, stored.height)
    if name:
        refuse_short(path, name, stored.width, stored.height, tags)
    notes += _judge_pages(path, name, stored)
    image, left_out = _without_foreign_bands(stored, tags)
    notes += left_out
    color_bands = _judge_bands(image)
    orientation = int(image.get("orientation")) if image.get_typeof("orientation") else 1
    orientation = orientation if 1 <= orientation <= 8 else 1
    upright = (image.height, image.width) if orientation >= 5 else (image.width, image.height)
    bits = 16 if image.format == "ushort" else 8
    alpha = image.bands == color_bands + 1
    kind = f"{_MODES[color_bands]}{'A' if alpha else ''} {bits}-bit"
    header = PhotoHeader(upright[0], upright[1], kind, bits, alpha)
    as_stored = image.bands == stored.bands
    return Source(path, header, image, orientation, color_bands, name, as_stored, data, _fail_on(name), notes)


def without_paths(error: Exception, *paths: Path) -> str:
    """A library's message without the names of the files it is about: a photo may be called `truncated.jpg`."""
    message = str(error)
    for path in paths:
        message = re.sub(rf"(?<!\w){re.escape(str(path))}(?!\w):?", "", message)
    return message


def plain_reason(error: Exception, *paths: Path, format: str = "") -> str:
    """What a decoder's or encoder's message means to the person whose file it is.

    paths: those it may name. format: that of the file that was being read, if libvips read it.
    """
    lines = _own_lines(error, paths, format)
    if not lines and format:
        return "the file is damaged or cut short; copy or scan it again"
    detail = lines[-1] if lines else type(error).__name__
    message = "\n".join(lines).lower()
    damage = [line for line in lines if any(word in line.lower() for word in _DAMAGE)]
    if damage:
        return f"the file is damaged or cut short ({damage[0]}); copy or scan it again"
    if "unsupported codec" in message or "compression format" in message:
        return f"its compression is not supported here ({detail}); convert it to PNG, TIFF or JPEG"
    return f"it cannot be processed ({detail}); expected an intact photo, try saving it again as PNG or TIFF"


def _own_lines(error: Exception, paths: Collection[Path], format: str) -> list[str]:
    """The lines of a message, where the format is known those about a file of that format alone.

    libvips keeps one message for all threads: what another file's decoder said may be in it, and this one's not.
    """
    lines = [line.strip() for line in without_paths(error, *paths).splitlines() if line.strip()]
    if not format:
        return lines
    foreign = tuple(word for other, words in _SPEAKERS.items() if other != format for word in words)
    return [line for line in lines if not line.startswith((*foreign, *_SAYS_NOTHING))]


def warning_of(error: Exception, path: Path, format: str) -> str:
    """What a decoder warned of, for a person; "" for bytes too many, which many cameras write."""
    lines = _own_lines(error, [path], format)
    if not lines:
        return "its decoder warned"
    return "" if "extraneous bytes" in lines[-1] else lines[-1].partition(": ")[2]


def _load(path: Path, max_pixels: int) -> tuple[str, pyvips.Image, bytes | None, tuple[str, ...]]:
    """The format's name ("": read by imageio), the image, the file's content where it is held, and notes."""
    try:
        with open_regular(path) as file:  # unreadable files fail here, with the system's own words
            length = os.fstat(file.fileno()).st_size
            if length == 0:
                raise PhotoError("the file is empty; expected a photo, copy or scan it again")
            # Bytes, not str: names in old encodings are no UTF-8. By GType: new_from_file takes "[...]" for options.
            loader = pyvips.vips_lib.vips_foreign_find_load(os.fsencode(path))
            kind = "" if loader == pyvips.ffi.NULL else pyvips.ffi.string(loader).decode()
            if not kind:
                pyvips.vips_lib.vips_error_clear()  # or the next file's reason would be this one's
            name = _LOADERS.get(kind, "")
            data = file.read() if name in _HELD and length <= _LONGEST_HELD else None
    except OSError as error:
        raise unopened(error) from error
    if not kind:
        try:
            image, notes = other_formats.read_other(path, partial(_refuse_large, max_pixels))
        except PhotoError:
            raise
        except Exception as error:
            raise PhotoError(plain_reason(error, path)) from error
        return "", image, None, notes
    if not name:
        raise PhotoError("its content is no photo; expected JPEG, PNG, TIFF, WebP, AVIF, GIF or BMP, convert it first")
    how = {"access": "sequential", "fail_on": _fail_on(name)}
    try:
        if data is not None:
            return name, pyvips.Image.new_from_source(pyvips.Source.new_from_memory(data), "", **how), data, ()
        return name, pyvips.Operation.call(kind, os.fsencode(path), **how), None, ()
    except VipsError as error:
        raise PhotoError(plain_reason(error, path, format=name)) from error


def _fail_on(name: str) -> str:
    return _FAIL_ON.get(name, "truncated")


def _tiff_tags(path: Path) -> dict[int, tuple[int, ...]]:
    """What the first directory of a TIFF says of its layout and its colours, as `first_numbers` gives it."""
    try:
        return first_numbers(path, TIFF_LAYOUT | _TIFF_COLORS)
    except (OSError, ValueError):
        return {}  # libtiff knows more kinds of TIFF


def _without_foreign_bands(
    image: pyvips.Image, tags: Mapping[int, tuple[int, ...]]
) -> tuple[pyvips.Image, tuple[str, ...]]:
    """A TIFF's image without bands that are neither colour nor transparency, and a note where the file has such.

    tags: of its first directory. Errors: PhotoError for YCbCr that libtiff hands out as it is stored.
    """
    if not said_whole(tags, _TIFF_COLORS):
        return image, ()
    if tags.get(262) == _YCBCR and tags.get(259) not in _JPEG:
        if tags.get(530, (2, 2)) == (1, 1) or image.bands != 4:
            raise PhotoError(
                "its pixels are YCbCr without JPEG compression; expected gray, RGB or CMYK, convert it first"
            )
        return image.extract_band(0, n=3), ()  # libtiff makes shared chroma RGB, and adds an opaque alpha
    extra = tags.get(338, ())
    color_bands = image.bands - len(extra)
    if not extra or any(extra) or color_bands != _COLOR_BANDS.get(image.interpretation):
        return image, ()
    what = "a channel" if len(extra) == 1 else f"{len(extra)} channels"
    note = f"{what} that the file does not call transparency left out (infrared or a mask)"
    return image.extract_band(0, n=color_bands), (note,)


def _refuse_large(max_pixels: int, width: int, height: int) -> None:
    if 0 < max_pixels < width * height:
        raise PhotoError(
            f"the photo has {width * height / 1e6:,.0f} megapixels ({width}x{height}); the limit is "
            f"{max_pixels:,} pixels: make it smaller, or raise --max-pixels (0: no limit)"
        )


def _judge_pages(path: Path, name: str, image: pyvips.Image) -> tuple[str, ...]:
    pages = int(image.get("n-pages")) if image.get_typeof("n-pages") else 1
    if name == "PNG":
        pages = _png_frames(path)  # libvips reads the first and says nothing
    if pages == 1:
        return ()
    if name == "TIFF" and _are_previews(path, image, pages):
        return (f"{pages - 1} smaller preview pages left out",)
    if name in ("GIF", "WebP", "PNG"):
        raise PhotoError(f"an animation of {pages} frames; expected one still picture, save the frame you want as PNG")
    raise PhotoError(f"the file has {pages} pages; expected one, split it (for example with tiffsplit) and run again")


def _png_frames(path: Path) -> int:
    """What an APNG's acTL chunk says, which stands before the pixels; 1 for other PNG."""
    with path.open("rb") as file:
        file.seek(8)  # the signature
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            if head[4:] == b"acTL":
                return max(1, int.from_bytes(file.read(4), "big"))
            file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)  # the data and its checksum
    return 1


def _are_previews(path: Path, first: pyvips.Image, pages: int) -> bool:
    """Whether all further pages are the first one made small (scanners' previews, pyramids), not other pictures."""
    if pages > 16:  # a pyramid of 500 megapixels has fewer levels
        return False
    try:
        others = [pyvips.Operation.call("tiffload", os.fsencode(path), page=page) for page in range(1, pages)]
    except VipsError:
        pyvips.vips_lib.vips_error_clear()
        return False
    return all(
        other.width * 2 <= first.width + 1
        and abs(other.width / other.height * first.height / first.width - 1) < 0.05  # rounding of small previews
        for other in others
    )


def _judge_bands(image: pyvips.Image) -> int:
    if image.format not in ("uchar", "ushort"):
        raise PhotoError(
            f"pixels are {image.format} numbers; expected 8 or 16 bits per channel, convert the file first"
        )
    bands = _COLOR_BANDS.get(image.interpretation)
    if bands is None or image.bands - bands not in (0, 1):
        raise PhotoError(
            f"{image.bands} channels of kind {image.interpretation}; expected gray, RGB or CMYK with at most one alpha "
            "channel, convert the file first"
        )
    return bands
