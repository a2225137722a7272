"""Small valid files of every format that is read, and deterministic damage to them."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tifffile
from numpy.random import Generator
from PIL import Image, ImageCms, PngImagePlugin
from safetensors.numpy import save
from skimage import data

_SIZE = (40, 30)
_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_HEADER = 256  # bytes: where most formats have their numbers
_PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF>'
    b"</x:xmpmeta>"
)


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid file."""

    name: str  # with the extension under which it is read
    kind: str  # "photo", "hints", "weights"
    content: bytes


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298] = 6, "Maker", "Somebody"
    exif.get_ifd(0x8769)[0x9003] = "1931:01:02 03:04:05"
    exif.get_ifd(0x8825)[1] = "N"
    return exif.tobytes()


def seeds() -> tuple[Seed, ...]:
    """All of them, in an order that stays."""
    color = Image.fromarray(data.astronaut()).resize(_SIZE)
    gray, clear = color.convert("L"), color.convert("RGBA")
    clear.putalpha(gray)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    deep = np.asarray(gray, np.uint16) * 257
    told = {"exif": _exif(), "xmp": _PACKET, "icc_profile": profile}
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "of a scanner", zip=True)
    text.add_itxt("XML:com.adobe.xmp", _PACKET.decode())

    def saved(picture: Image.Image, format: str, **options: object) -> bytes:
        stream = io.BytesIO()
        picture.save(stream, format, **options)
        return stream.getvalue()

    def tiff(pixels: np.ndarray, **options: object) -> bytes:
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, metadata=None, **options)
        return stream.getvalue()

    jpeg = saved(color, "JPEG", comment=b"of a scanner", **told)
    resources = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", 8) + b"\x1c\x02\x05\0\x03abc"
    jpeg = jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(resources) + 2) + resources + jpeg[2:]
    turns = [color.rotate(angle) for angle in (20, 40)]
    tensors = {"a": np.ones((4, 3), np.float32), "b": np.zeros(7, np.float16)}
    described = {"colorize": json.dumps({"format": 1, "method": "smsanet", "network": {"widths": [4, 4, 8, 8]}})}
    photos = {
        "baseline.jpg": jpeg,
        "progressive.jpg": saved(gray, "JPEG", progressive=True),
        "ink.jpg": saved(color.convert("CMYK"), "JPEG"),
        "color.png": saved(color, "PNG", pnginfo=text, exif=_exif(), icc_profile=profile),
        "palette.png": saved(color.quantize(8), "PNG", transparency=2),
        "deep.png": saved(Image.fromarray(deep), "PNG"),
        "strip.tif": saved(color, "TIFF", exif=_exif(), icc_profile=profile),
        "tile.tif": tiff(deep, tile=(16, 16), bigtiff=True),
        "deflate.tif": saved(color, "TIFF", compression="tiff_adobe_deflate"),
        "lzw.tif": saved(gray, "TIFF", compression="tiff_lzw"),
        "fax.tif": saved(color.convert("1"), "TIFF", compression="group4"),
        "jpeg.tif": saved(color, "TIFF", compression="jpeg"),
        "lossy.webp": saved(clear, "WEBP", **told),
        "lossless.webp": saved(gray, "WEBP", lossless=True),
        "moving.webp": saved(color, "WEBP", save_all=True, append_images=turns),
        "color.avif": saved(color, "AVIF", exif=_exif()),
        "still.gif": saved(color, "GIF", comment=b"of a scanner"),
        "moving.gif": saved(color, "GIF", save_all=True, append_images=turns),
        "color.bmp": saved(color, "BMP"),
        "palette.bmp": saved(color.quantize(8), "BMP"),
        "color.jp2": saved(color, "JPEG2000"),
        "bare.j2k": saved(gray, "JPEG2000", no_jp2=True),
        "color.ppm": saved(color, "PPM"),
        "plain.pgm": b"P2 # of a scanner\n3 2 255\n" + b"1 20 255\n30 4 0\n",
        "color.tga": saved(color, "TGA", compression="tga_rle"),
    }
    return (
        *(Seed(name, "photo", content) for name, content in photos.items()),
        Seed("photo.hints.png", "hints", saved(clear, "PNG")),
        Seed("tiny.safetensors", "weights", save(tensors, metadata=described)),
    )


def mutated(chosen: tuple[Seed, ...], number: int) -> tuple[Seed, str]:
    """The mutation of that number, the same in every run, and what was done: of each file in its turn."""
    seed = chosen[number % len(chosen)]
    random = np.random.default_rng(number)
    content, done = bytearray(seed.content), []
    for _ in range(int(random.integers(1, 4))):
        change = _CHANGES[int(random.integers(len(_CHANGES)))]
        change(content, random)
        done.append(change.__name__.strip("_"))
    if seed.name.endswith(".png") and random.random() < 0.7:  # else the first checksum ends it
        content = _checked(content)
        done.append("checked")
    return Seed(f"{number}-{seed.name}", seed.kind, bytes(content)), "+".join(done)


def _flip(content: bytearray, random: Generator) -> None:
    for place in random.integers(len(content), size=int(random.integers(1, 9))):
        content[place] ^= 1 << int(random.integers(8))


def _truncate(content: bytearray, random: Generator) -> None:
    del content[int(random.integers(1, len(content) + 1)) :]


def _block(content: bytearray, random: Generator) -> slice:
    start = int(random.integers(len(content)))
    return slice(start, start + int(random.integers(1, 65)))


def _zero(content: bytearray, random: Generator) -> None:
    place = _block(content, random)
    content[place] = bytes(len(content[place]))


def _remove(content: bytearray, random: Generator) -> None:
    if len(content) > 65:
        del content[_block(content, random)]


def _duplicate(content: bytearray, random: Generator) -> None:
    place = _block(content, random)
    content[place.stop : place.stop] = content[place] * int(random.integers(1, 30))


def _insert(content: bytearray, random: Generator) -> None:
    place = int(random.integers(len(content)))
    content[place:place] = random.bytes(int(random.integers(1, 65)))


def _number(content: bytearray, random: Generator) -> None:
    """An extreme number of 1, 2 or 4 bytes, mostly in the header."""
    size = int(random.choice([1, 2, 4]))
    place = int(random.integers(min(len(content), _HEADER if random.random() < 0.7 else len(content))))
    value = int(random.choice(_EXTREMES)) & (1 << 8 * size) - 1
    packed = value.to_bytes(size, "big" if random.random() < 0.5 else "little")
    content[place : place + size] = packed[: max(1, len(content) - place)]


_CHANGES: tuple[Callable[[bytearray, Generator], None], ...] = (
    *(_flip, _truncate, _zero, _remove, _duplicate, _insert, _number, _number, _number),
)


def _checked(content: bytearray) -> bytearray:
    """A PNG with the right checksum in each of its chunks, as far as they can be followed."""
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 8 + length
        if end + 4 > len(content):
            break
        struct.pack_into(">I", content, end, zlib.crc32(content[at + 4 : end]))
        at = end + 4
    return content
