"""Awkward files, built by tests, and what `colorize` has to make of each: one table.

The oracle of a row is what a person may expect: a result with the photo's true size, depth, alpha and format, or a
failure that names the file and says what was found in it.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage import data

from .media.profiles import gray_profile

Build = Callable[[Path], None]
SIZE = (48, 32)  # of a photo that has no reason for another one, pixels
_PNG = b"\x89PNG\r\n\x1a\n"
_CAMERA = Image.fromarray(data.camera()).resize(SIZE)
_COLORS = Image.fromarray(data.astronaut()).resize(SIZE)
_LONG = "n" * 251  # with .png 255 bytes, what file systems take


@dataclass(frozen=True, slots=True)
class Awkward:
    """One awkward file, and what is to become of it."""

    name: str  # path in the folder; with surrogates for bytes that are no UTF-8
    what: str  # for a person
    build: Build
    state: str  # "done", "failed", "skipped"
    words: str = ""  # in the reason, or in one of the notes
    size: tuple[int, int] = SIZE  # of the result, pixels
    bits: int = 8
    alpha: bool = False
    format: str = "PNG"  # of the result, as Pillow calls it
    frames: int = 1
    result: str = ""  # the result's path in the output folder; "": the name


def _mode(kind: str) -> Image.Image:
    return (_CAMERA if kind in ("L", "1", "LA", "I;16") else _COLORS).convert(kind)


def saved(mode: str = "L", kind: str = "", **options: Any) -> Build:
    """Writes a small photograph of that mode by the name's own format, or by `kind`, Pillow's name of one."""

    def build(path: Path) -> None:
        path.write_bytes(encoded(kind or Image.registered_extensions()[path.suffix.lower()], mode, **options))

    return build


def encoded(kind: str, mode: str = "L", size: tuple[int, int] = SIZE, **options: Any) -> bytes:
    """A small photograph as a file of that format."""
    stream = io.BytesIO()
    _mode(mode).resize(size).save(stream, kind, **options)
    return stream.getvalue()


def content(value: bytes) -> Build:
    return lambda path: path.write_bytes(value) and None


def cut(kind: str, kept: float, **options: Any) -> Build:
    """The first part of a whole file, as a copy that broke off."""

    def build(path: Path) -> None:
        whole = encoded(kind, "RGB", (200, 150), **options)
        path.write_bytes(whole[: int(kept * len(whole))])

    return build


def holed(kind: str, **options: Any) -> Build:
    """A hole of zeros in the midst of a file, as failing disks leave."""

    def build(path: Path) -> None:
        whole = bytearray(encoded(kind, "RGB", (400, 300), **options))
        middle = len(whole) // 2
        whole[middle : middle + len(whole) // 5] = bytes(len(whole) // 5)
        path.write_bytes(whole)

    return build


def array(pixels: NDArray[Any], **options: Any) -> Build:
    return lambda path: tifffile.imwrite(path, pixels, metadata=None, **options)


def chunk(kind: bytes, value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, color: int = 0, interlaced: bool = False) -> bytes:
    """A PNG of black; of a huge one, its first rows only."""
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    rows = zlib.compress(bytes(min((width + 1) * height, 10_000)))
    return b"".join((_PNG, chunk(b"IHDR", head), *chunks, chunk(b"IDAT", rows), chunk(b"IEND", b"")))


def deflated_zeros(count: int) -> bytes:
    """A zlib stream of `count` MB of zeros, a thousandth as long; made of equal blocks, so at once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    check = (count * 2**20 % 65_521) << 16 | 1  # Adler-32 of zeros: RFC 1950, 8.2
    return b"\x78\xda" + block * count + b"\x03\0" + struct.pack(">I", check)


def tiff(*entries: tuple[int, int, int, int], following: int = 0, tail: bytes = bytes(400)) -> bytes:
    """A little-endian TIFF: (tag, type, count, value) of its one directory, and what stands behind it."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + struct.pack("<I", following) + tail


def plain_tags(width: int, height: int, compression: int = 1, length: int = 64) -> list[tuple[int, int, int, int]]:
    """The entries of a gray TIFF of one strip at byte 200."""
    return [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1)),
        (273, 4, 1, 200),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, length),
    ]


def _tiff_pages(count: int) -> bytes:
    """A TIFF of that many directories, all of the same 64 pixels."""
    entries = b"".join(struct.pack("<HHII", *entry) for entry in plain_tags(8, 8))
    size = 2 + len(entries) + 4
    places = (struct.pack("<I", 300 + page * size if page < count else 0) for page in range(1, count + 1))
    pages = b"".join(b"\x09\0" + entries + place for place in places)
    return b"II*\0" + struct.pack("<I", 300) + bytes(292) + pages


def _sparse_tag(tag: int, length: int) -> Build:
    """A TIFF with a value of that many bytes, which is a hole in the file."""

    def build(path: Path) -> None:
        path.write_bytes(tiff(*plain_tags(8, 8), (tag, 7, length, 400)))
        os.truncate(path, 400 + length)

    return build


def jpeg_claiming(width: int, height: int, progressive: bool = False) -> bytes:
    """A small JPEG whose header says another size."""
    whole = encoded("JPEG", progressive=progressive)
    at = whole.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


def _jpeg_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = encoded("JPEG", "RGB", (1000, 800), progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * count + whole[-2:]


def _jpeg_segments(marker: int, value: bytes, count: int) -> bytes:
    whole = encoded("JPEG")
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(value) + 2) + value
    return whole[:2] + segment * count + whole[2:]


def _gif(width: int, height: int, frames: int) -> bytes:
    """A GIF whose screen and frames claim that size, and hold one pixel."""
    frame = b"!\xf9\x04\0\x0a\0\0\0," + struct.pack("<HHHH", 0, 0, width, height) + b"\0\x02\x02D\x01\0"
    screen = struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + screen + frame * frames + b";"


def _webp(width: int, height: int) -> bytes:
    image = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(40)
    return b"RIFF" + struct.pack("<I", len(image) + 12) + b"WEBPVP8L" + struct.pack("<I", len(image)) + image


def _avif_claiming(width: int, height: int) -> bytes:
    whole = encoded("AVIF", "RGB")
    at = whole.index(b"ispe") + 8
    return whole[:at] + struct.pack(">II", width, height) + whole[at + 8 :]


def _jp2_claiming(width: int, height: int) -> bytes:
    whole = encoded("JPEG2000", "RGB")
    box, codestream = whole.index(b"ihdr") + 4, whole.index(b"\xff\x51") + 6
    size = struct.pack(">II", width, height)
    return whole[:box] + size[4:] + size[:4] + whole[box + 8 : codestream] + size + whole[codestream + 8 :]


def _bmp(width: int, height: int) -> bytes:
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + sizes + bytes(3000)


def _tga(width: int, height: int) -> bytes:
    return struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, width, height, 24, 0x20) + bytes(3000)


def _link(target: str) -> Build:
    return lambda path: path.symlink_to(target)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        place = Path.cwd()
        os.chdir(path.parent)  # a socket's path is 107 bytes at most
        try:
            server.bind(path.name)
        finally:
            os.chdir(place)


def _oriented(value: int) -> Build:
    exif = Image.Exif()
    exif[0x0112] = value
    return saved("L", exif=exif)


def _pages(*sizes: tuple[int, int]) -> Build:
    pages = [_mode("L").resize(size) for size in sizes]
    return lambda path: pages[0].save(path, save_all=True, append_images=pages[1:])


def _animation(path: Path) -> None:
    frames = [_mode("RGB").rotate(angle) for angle in (0, 20, 40)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


def _broken_crc(kind: bytes) -> Build:
    """A PNG with a wrong checksum in a chunk, whose data are whole."""

    def build(path: Path) -> None:
        whole = bytearray(encoded("PNG"))
        at = whole.index(kind)
        (length,) = struct.unpack_from(">I", whole, at - 4)
        whole[at + 4 + length] ^= 0xFF
        path.write_bytes(whole)

    return build


def _palette_with_transparency(path: Path) -> None:
    picture = _mode("RGB").quantize(16)
    picture.save(path, transparency=bytes([0, 128] + [255] * 14))


def _damaged_profile() -> bytes:
    whole = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    whole[140:] = bytes(len(whole) - 140)
    return bytes(whole)


_RAMP = np.linspace(0, 65_535, SIZE[0] * SIZE[1]).astype(np.uint16).reshape(SIZE[::-1])
_DAMAGED = "damaged or cut short"
_LIMIT = "--max-pixels"
_UNKNOWN = "not a photo: its content is no known format"

DAMAGED: tuple[Awkward, ...] = (
    Awkward("empty.jpg", "zero bytes", content(b""), "failed", "empty"),
    Awkward("header.jpg", "the first 20 bytes of a JPEG", content(encoded("JPEG")[:20]), "failed", _DAMAGED),
    Awkward("half.jpg", "half of a JPEG", cut("JPEG", 0.5), "failed", _DAMAGED),
    Awkward(
        "half-progressive.jpg", "half of a progressive JPEG", cut("JPEG", 0.5, progressive=True), "failed", _DAMAGED
    ),
    Awkward("half.png", "half of a PNG", cut("PNG", 0.5), "failed", _DAMAGED),
    Awkward("half.tif", "half of a TIFF", cut("TIFF", 0.5), "failed", _DAMAGED),
    Awkward("half-deflate.tif", "half of a TIFF, deflated", cut("TIFF", 0.5, compression="tiff_deflate"), "failed"),
    Awkward("half.webp", "half of a WebP", cut("WEBP", 0.5), "failed", _DAMAGED),
    Awkward("half.avif", "half of an AVIF", cut("AVIF", 0.5), "failed"),
    Awkward("half.gif", "half of a GIF", cut("GIF", 0.5), "failed", _DAMAGED),
    Awkward("half.bmp", "half of a BMP", cut("BMP", 0.5), "failed", _DAMAGED),
    Awkward("half.jp2", "half of a JPEG 2000", cut("JPEG2000", 0.5), "failed", _DAMAGED),
    Awkward("half.tga", "half of a TGA", cut("TGA", 0.5), "failed", _DAMAGED),
    Awkward(
        "hole.jpg",
        "a hole of zeros in a JPEG",
        holed("JPEG"),
        "done",
        "the file is damaged",
        (400, 300),
        format="JPEG",
    ),
    Awkward("hole.png", "a hole of zeros in a PNG", holed("PNG"), "failed", _DAMAGED),
    Awkward(
        "hole-lzw.tif", "a hole of zeros in a TIFF, LZW", holed("TIFF", compression="tiff_lzw"), "failed", _DAMAGED
    ),
    Awkward("crc-pixels.png", "wrong checksum of PNG's pixels, which are whole", _broken_crc(b"IDAT"), "done"),
    Awkward("crc-header.png", "wrong checksum of PNG's header", _broken_crc(b"IHDR"), "done"),
    Awkward("tail.jpg", "bytes behind the end", content(encoded("JPEG") + b"x" * 5000), "done", format="JPEG"),
    Awkward("no-end.jpg", "a JPEG without its end marker", content(encoded("JPEG")[:-2]), "failed", _DAMAGED),
)

CONTENTS: tuple[Awkward, ...] = (
    Awkward("png-called.jpg", "a PNG called JPEG", saved("L", "PNG"), "done", format="JPEG"),
    Awkward("jpeg-called.png", "a JPEG called PNG", saved("L", "JPEG"), "done"),
    Awkward("tiff-called.jpeg", "a TIFF called JPEG", saved("L", "TIFF"), "done", format="JPEG"),
    Awkward("webp-called.png", "a WebP called PNG", saved("RGB", "WEBP"), "done"),
    Awkward("jpeg-called.bmp", "a JPEG called BMP", saved("L", "JPEG"), "done", format="BMP"),
    Awkward("UPPER.JPG", "an extension in capitals", saved("L", "JPEG"), "done", format="JPEG"),
    Awkward("text.jpg", "text called JPEG", content(b"no photo at all, though it says so\n"), "failed", _UNKNOWN),
    Awkward("page.jpg", "the page of an error 404", content(b"<!doctype html><title>404</title>"), "failed", _UNKNOWN),
    Awkward(
        "drawing.png", "SVG called PNG", content(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), "failed", "no photo"
    ),
    Awkward("program.jpg", "PostScript, which Ghostscript would run", saved("L", "EPS"), "failed", _UNKNOWN),
    Awkward("icon.jpg", "a Windows icon called JPEG", saved("RGBA", "ICO"), "failed", _UNKNOWN),
    Awkward("zeros.jpg", "8 kB of zeros", content(bytes(8192)), "failed", _UNKNOWN),
    Awkward("still.mp4", "a JPEG called MP4", saved("L", "JPEG"), "failed", "a still picture (jpeg), not a film"),
    Awkward("phone.heic", "what HEIC begins with", content(b"\0\0\0\x18ftypheic" + bytes(12)), "failed"),
    Awkward("notes.txt", "a text file", content(b"no photo"), "skipped", "not a photo or film"),
    Awkward("no-extension", "a photo without an extension", content(encoded("PNG")), "skipped", "not a photo or film"),
    Awkward(".hidden.png", "a hidden photo", saved(), "skipped", "a hidden file"),
    Awkward("._mac.jpg", "what macOS leaves on foreign disks", content(bytes(100)), "skipped", "a hidden file"),
)

KINDS: tuple[Awkward, ...] = (
    Awkward("1x1.png", "one pixel", content(png(1, 1)), "done", size=(1, 1)),
    Awkward("1x5000.png", "one pixel wide", content(encoded("PNG", size=(1, 5000))), "done", size=(1, 5000)),
    Awkward(
        "5000x1.tif", "one pixel high", content(encoded("TIFF", size=(5000, 1))), "done", size=(5000, 1), format="TIFF"
    ),
    Awkward(
        "3x900.jpg", "three pixels wide", content(encoded("JPEG", size=(3, 900))), "done", size=(3, 900), format="JPEG"
    ),
    Awkward("16-bit.png", "16 bits", saved("I;16"), "done", bits=16),
    Awkward("16-bit.tif", "16 bits", array(_RAMP), "done", bits=16, format="TIFF"),
    Awkward(
        "16-bit-big-endian.tif", "16 bits, big-endian", array(_RAMP, byteorder=">"), "done", bits=16, format="TIFF"
    ),
    Awkward("bigtiff.tif", "BigTIFF", array(_RAMP, bigtiff=True), "done", bits=16, format="TIFF"),
    Awkward("tiles.tif", "TIFF in tiles", array(_RAMP, tile=(16, 16)), "done", bits=16, format="TIFF"),
    Awkward(
        "planes.tif",
        "RGB in planes",
        array(np.stack([_RAMP] * 3), photometric="rgb", planarconfig="separate"),
        "done",
        bits=16,
        format="TIFF",
    ),
    Awkward("float.tif", "32-bit float", array(np.asarray(_CAMERA, np.float32)), "failed", "float numbers"),
    Awkward("double.tif", "64-bit float", array(np.asarray(_CAMERA, np.float64)), "failed", "samples out of range"),
    Awkward(
        "int32.tif", "32-bit integers", array(np.asarray(_CAMERA, np.uint32)), "failed", "numbers; expected 8 or 16"
    ),
    Awkward(
        "six-channels.tif",
        "six channels",
        array(np.zeros((32, 48, 6), np.uint8), photometric="rgb"),
        "done",
        "3 channels that the file does not call transparency",
        format="TIFF",
    ),
    Awkward("pages.tif", "TIFF of two pages", _pages(SIZE, SIZE), "failed", "2 pages"),
    Awkward(
        "preview.tif",
        "TIFF with a scanner's preview",
        _pages(SIZE, (24, 16)),
        "done",
        "preview pages left out",
        format="TIFF",
    ),
    Awkward("1-bit.png", "black and white", saved("1"), "done"),
    Awkward("1-bit-g4.tif", "black and white, fax", saved("1", compression="group4"), "done", format="TIFF"),
    Awkward("palette.png", "palette with transparency", _palette_with_transparency, "done", alpha=True),
    Awkward("gray-key.png", "gray with one transparent value", saved("L", transparency=0), "done", alpha=True),
    Awkward("alpha.webp", "WebP with alpha", saved("RGBA", lossless=True), "done", format="WEBP"),
    Awkward("cmyk.jpg", "CMYK", saved("CMYK"), "done", format="JPEG"),
    Awkward("cmyk.tif", "CMYK", saved("CMYK"), "done", format="TIFF"),
    Awkward("gray-profile.png", "gray with a linear profile", saved("L", icc_profile=gray_profile(1)), "done"),
    Awkward("damaged-profile.png", "half of a profile", saved("RGB", icc_profile=_damaged_profile()), "done"),
    Awkward(
        "foreign-profile.jpg", "a gray profile in RGB", saved("RGB", icc_profile=gray_profile(1)), "done", format="JPEG"
    ),
    Awkward("no-profile.jpg", "text for a profile", saved("L", icc_profile=b"no profile"), "done", format="JPEG"),
    Awkward("no-exif.jpg", "text for EXIF", saved("L", exif=b"Exif\0\0no exif"), "done", format="JPEG"),
    *(
        Awkward(
            f"turned-{value}.jpg",
            f"orientation {value}",
            _oriented(value),
            "done",
            size=SIZE[::-1] if 5 <= value <= 8 else SIZE,
            format="JPEG",
        )
        for value in (*range(10), 65_535)
    ),
    Awkward("moving.gif", "an animation", _animation, "done", format="GIF", frames=3),
    Awkward("moving.webp", "an animation", _animation, "done", format="WEBP", frames=3),
    Awkward("moving.png", "an animation", _animation, "failed", "animation of 3 frames"),
)

BOMBS: tuple[Awkward, ...] = (
    Awkward("bomb.png", "a header of 60000x60000", content(png(60_000, 60_000)), "failed", _LIMIT),
    Awkward("bomb-wide.png", "a header of 2147483647x1", content(png(2**31 - 1, 1)), "failed", "damaged"),
    Awkward("bomb.jpg", "a header of 65500x65500", content(jpeg_claiming(65_500, 65_500)), "failed", _LIMIT),
    Awkward("bomb.tif", "a header of 60000x60000", content(tiff(*plain_tags(60_000, 60_000, 8))), "failed", _LIMIT),
    Awkward("bomb.webp", "a header of 16384x16384", content(_webp(16_384, 16_384)), "failed"),
    Awkward("bomb.avif", "a header of 60000x60000", content(_avif_claiming(60_000, 60_000)), "failed"),
    Awkward("bomb.jp2", "a header of 60000x60000", content(_jp2_claiming(60_000, 60_000)), "failed", _LIMIT),
    Awkward("bomb.bmp", "a header of 60000x60000", content(_bmp(60_000, 60_000)), "failed", _LIMIT),
    Awkward("bomb-negative.bmp", "a header of -22000x22000", content(_bmp(-22_000, 22_000)), "failed", _LIMIT),
    Awkward("bomb.tga", "a header of 65535x65535", content(_tga(65_535, 65_535)), "failed", _LIMIT),
    Awkward("bomb.ppm", "a header of 60000x60000", content(b"P6 60000 60000 255\n" + bytes(999)), "failed", _LIMIT),
    Awkward(
        "bomb-moving.gif",
        "an animation of 60000x60000",
        content(_gif(60_000, 60_000, 2)),
        "failed",
        "at most 16384 a side",
    ),
    Awkward("short.png", "a header of 480 megapixels", content(png(22_000, 22_000, color=2)), "failed", _DAMAGED),
    Awkward(
        "short-interlaced.png",
        "as above, to be held whole",
        content(png(22_000, 22_000, depth=16, color=6, interlaced=True)),
        "failed",
        _DAMAGED,
    ),
    Awkward("short.jpg", "a header of 480 megapixels", content(jpeg_claiming(22_000, 22_000)), "failed", _DAMAGED),
    Awkward(
        "short-progressive.jpg",
        "as above, to be held whole",
        content(jpeg_claiming(22_000, 22_000, progressive=True)),
        "failed",
        _DAMAGED,
    ),
    Awkward("short.bmp", "a header of 480 megapixels", content(_bmp(22_000, 22_000)), "failed", _DAMAGED),
    Awkward("short.tga", "a header of 480 megapixels", content(_tga(22_000, 22_000)), "failed", _DAMAGED),
    Awkward(
        "short.ppm", "a header of 480 megapixels", content(b"P6 22000 22000 255\n" + bytes(999)), "failed", _DAMAGED
    ),
    Awkward(
        "profile-4-gb.png",
        "a profile of 4 GB, packed into 4 MB",
        content(png(32, 32, chunk(b"iCCP", b"x\0\0" + deflated_zeros(4096)))),
        "done",
        size=(32, 32),
    ),
    Awkward(
        "text-4-gb.png",
        "a text of 4 GB, packed into 4 MB",
        content(png(32, 32, chunk(b"zTXt", b"Comment\0\0" + deflated_zeros(4096)))),
        "done",
        "text that is damaged or too long",
        size=(32, 32),
    ),
    Awkward(
        "xmp-4-gb.png",
        "XMP of 4 GB, packed into 4 MB",
        content(png(32, 32, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + deflated_zeros(4096)))),
        "done",
        "text that is damaged or too long",
        (32, 32),
    ),
    Awkward(
        "texts.png", "20000 texts", content(png(32, 32, chunk(b"tEXt", b"k\0v") * 20_000)), "done", "text", (32, 32)
    ),
    Awkward("xmp.tif", "XMP of 100 MB", _sparse_tag(700, 100_000_000), "failed"),
    Awkward("profile.tif", "a profile of 100 MB", _sparse_tag(34_675, 100_000_000), "failed"),
    Awkward(
        "comments.jpg",
        "20 MB of comments",
        content(_jpeg_segments(0xFE, b"c" * 65_000, 320)),
        "done",
        "more than 8 MB",
        format="JPEG",
    ),
    Awkward(
        "resources.jpg",
        "20 MB of Photoshop's resources",
        content(_jpeg_segments(0xED, b"Photoshop 3.0\0" + b"8BIM\4\5\0\0\0\0\0\0" * 5000, 320)),
        "done",
        "more than 8 MB",
        format="JPEG",
    ),
    Awkward(
        "loop.tif",
        "a directory that follows itself",
        content(tiff(*plain_tags(8, 8), following=8)),
        "done",
        size=(8, 8),
        format="TIFF",
    ),
    Awkward("20000-pages.tif", "20000 directories", content(_tiff_pages(20_000)), "failed", "pages"),
    Awkward("scans.jpg", "a progressive JPEG of 500 scans", content(_jpeg_scans(500)), "failed", _DAMAGED),
)

NAMES: tuple[Awkward, ...] = (
    *(
        Awkward(name, what, saved(), "done")
        for name, what in (
            ("with space.png", "a space"),
            (" leading.png", "a leading space"),
            ("trailing .png", "a trailing space before the extension"),
            ("new\nline.png", "a line break"),
            ("tab\tbell\a.png", "control characters"),
            ("-o.png", "a leading dash, as an option"),
            ("--help.png", "as an option"),
            ("été Ω 写真 🎞.png", "other scripts"),
            ("e\u0301.png", "an accent of its own"),
            ("\u202egnp.png", "from right to left"),
            (os.fsdecode(b"latin-\xe9.png"), "bytes that are no UTF-8"),
            ("a [1].png", "brackets"),
            ("x.png[page=2].png", "what libvips takes for options"),
            ("100%s {0} $HOME `id`.png", "what shells and formats take for more"),
            ("CON.png", "a device of Windows"),
            ("a.b..png", "several dots"),
            ("truncated corrupt.png", "words of messages"),
            (f"{_LONG}.png", "255 bytes"),
            ("/".join(["d" * 60] * 4) + "/deep.png", "a path of 250 characters"),
            ("/".join("d" * 150) + "/deep.png", "150 folders deep"),
        )
    ),
    Awkward("same.png", "of the same stem", saved("L"), "done"),
    Awkward("same.jpg", "of the same stem", saved("L"), "done", format="JPEG"),
    Awkward("same.tif", "of the same stem", saved("L"), "done", format="TIFF"),
    Awkward("SAME.png", "of the same stem in capitals", saved("L"), "done"),
    Awkward("folder.png/inside.png", "a folder called as a photo", saved("L"), "done"),
    Awkward("link.png", "a link to a photo", _link("same.png"), "done"),
    Awkward("dangling.png", "a link to nothing", _link("nothing.png"), "failed", "cannot be opened"),
    Awkward("itself.png", "a link to itself", _link("itself.png"), "failed", "cannot be opened"),
    Awkward("zero.png", "a link to /dev/zero", _link("/dev/zero"), "failed", "not a regular file"),
    Awkward("pipe.png", "a fifo", lambda path: os.mkfifo(path), "failed", "not a regular file"),
    Awkward("socket.png", "a socket", _socket, "failed", "not a regular file"),
)

TABLE = DAMAGED + CONTENTS + KINDS + BOMBS + NAMES


def build_all(folder: Path) -> Path:
    """Every file of the table, and a folder that links to the one that holds it."""
    for row in TABLE:
        path = folder / row.name
        path.parent.mkdir(parents=True, exist_ok=True)
        row.build(path)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    return folder
