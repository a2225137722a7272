"""The formats that this libvips lacks (BMP, JPEG 2000, PNM, TGA), read and written whole through imageio."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.Jpeg2KImagePlugin import BoxReader

from colorcli.errors import PhotoError

_MILLIMETRES_PER_INCH = 25.4
_LIMIT = threading.Lock()  # Pillow's limit is the process's, and so are the filters of warnings
_HEAD = 4096  # bytes; a PNM's header may hold comments
_JP2, _J2K = b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"  # ISO 15444-1: a file of boxes, a bare codestream
_SIGNATURES = (_JP2, _J2K, b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"P5", b"P6")  # BMP, TIFF, BigTIFF, PNM
# imageio's words where no decoder of Pillow's takes the file, and where one breaks off in its header
_UNOPENED = ("can not handle the given uri", "while initializing plugin")
# Pillow's names. Its others are no photos here, and one starts a program: EPS, in whatever name, Ghostscript.
_READ = ("BMP", "DIB", "JPEG2000", "PPM", "TGA")
_GRAY_MODES = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"}


def read_other(path: Path, judge_size: Callable[[int, int], None]) -> tuple[pyvips.Image, tuple[str, ...]]:
    """Read a file with imageio's Pillow plugin as a libvips image, uchar or ushort, b-w, grey16, srgb, rgb16 or cmyk.

    judge_size: called with the header's width and height before a pixel is decoded; what it raises comes out.
    Returns the image, with a JP2's ICC profile, and notes on what was lost.
    Errors: PhotoError where the file is no picture or ends in its header; for other damage what Pillow's decoders
    raise, which may be anything (OSError, SyntaxError, ValueError, struct.error).
    """
    import imageio.v3 as imageio

    with path.open("rb") as start:
        head = start.read(_HEAD)
    try:
        with _quiet_pillow(), _identified(path), imageio.imopen(path, "r", plugin="pillow") as file:
            facts = file.metadata(exclude_applied=False)
            judge_size(*facts["shape"])
            pixels = file.read(index=0)
    except OSError as error:
        if not isinstance(error, UnidentifiedImageError) and not any(words in str(error) for words in _UNOPENED):
            raise
        if head.startswith(_SIGNATURES):
            raise PhotoError(
                "the file is damaged or cut short (it begins as a photo, and its header cannot be read); copy or scan "
                "it again"
            ) from error
        raise PhotoError(
            "not a photo: its content is no known format; expected JPEG, PNG, TIFF, WebP, AVIF, GIF or BMP"
        ) from error
    profile, bits = _jp2_facts(path) if head.startswith(_JP2) else (None, _bits(head))
    image = _to_vips(pixels, facts)
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    if bits > 8 and image.format == "uchar":
        return image, (f"{bits} bits became 8 as the photo was read; save it as PNG or TIFF first to keep them",)
    return image, ()


@contextmanager
def _identified(path: Path) -> Iterator[None]:
    """UnidentifiedImageError where no decoder of those formats takes the file."""
    try:
        picture = Image.open(path, formats=_READ)
    except Exception as error:  # which may be anything
        raise UnidentifiedImageError(str(error)) from error
    with picture:
        yield


def _jp2_facts(path: Path) -> tuple[bytes | None, int]:
    """A JP2 file's ICC profile, None where it has none, and its bits per channel (ISO 15444-1, I.5.3).

    Errors: OSError, SyntaxError, struct.error where its boxes are malformed.
    """
    profile, bits = None, 8
    with path.open("rb") as file:
        boxes = BoxReader(file)
        while boxes.next_box_type() != b"jp2h":
            pass
        header = boxes.read_boxes()
        while header.has_next_box():
            kind = header.next_box_type()
            if kind == b"ihdr":
                bits = _j2k_bits(header.read_fields(">IIHB")[3])
            elif kind == b"colr" and header.read_fields(">BBB")[0] == 2:  # the method: 2 is an ICC profile
                profile = bytes(header.read_fields(f">{header.remaining_in_box}s")[0])
    return profile, bits


def _j2k_bits(stored: Any) -> int:
    """Bits per channel of an ihdr box's BPC or a codestream's Ssiz; the highest bit is the sign. 255: they vary."""
    return 8 if stored == 255 else (int(stored) & 0x7F) + 1


def _bits(head: bytes) -> int:
    """Bits per channel that the header of a PNM file or a bare JPEG 2000 codestream says; 8 for others."""
    if head.startswith(_J2K):
        return _j2k_bits(head[42])  # Ssiz: ISO 15444-1, A.5.1
    if head[:2] in (b"P2", b"P3", b"P5", b"P6"):
        words = re.sub(rb"#[^\n]*", b"", head).split(maxsplit=4)  # the magic number, width, height, largest value
        return int(words[3]).bit_length() if len(words) > 3 else 8
    return 8


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Pillow's own limit gives way to ours, judged before a pixel is decoded; its warnings name no photo."""
    with _LIMIT, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _to_vips(pixels: NDArray[Any], facts: dict[str, Any]) -> pyvips.Image:
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    elif pixels.dtype == np.int32 and pixels.min() >= 0 and pixels.max() <= 65_535:  # Pillow's mode I: 16-bit PGM
        pixels = pixels.astype(np.uint16)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise PhotoError(f"pixels are {pixels.dtype}; expected 8 or 16 bits per channel, convert the file first")
    gray = facts.get("mode") in _GRAY_MODES or pixels.ndim == 2
    deep = pixels.dtype == np.uint16
    interpretation = ("grey16" if deep else "b-w") if gray else ("rgb16" if deep else "srgb")
    if facts.get("mode") == "CMYK":
        interpretation = "cmyk"
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels)).copy(interpretation=interpretation)
    dpi = facts.get("dpi")
    if dpi and dpi[0] > 0 and dpi[1] > 0:
        x, y = (float(value) / _MILLIMETRES_PER_INCH for value in dpi)
        image = image.copy(xres=x, yres=y)
    return image


def write_other(image: pyvips.Image, part: Path, extension: str) -> None:
    """Write an 8-bit sRGB image, with alpha where the format holds it, in the format that `extension` names."""
    import imageio.v3 as imageio

    dpi = (image.xres * _MILLIMETRES_PER_INCH, image.yres * _MILLIMETRES_PER_INCH)
    options: dict[str, Any] = {"dpi": dpi} if extension in (".bmp", ".dib") else {}
    encoded = imageio.imwrite("<bytes>", image.numpy(), plugin="pillow", extension=extension, **options)
    part.write_bytes(encoded)
