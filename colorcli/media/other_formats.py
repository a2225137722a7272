"""The formats that this libvips lacks (BMP, JPEG 2000, PNM, TGA), read and written whole through imageio."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from colorcli.errors import PhotoError

_MILLIMETRES_PER_INCH = 25.4
_LIMIT = threading.Lock()  # Pillow's limit is the process's
_GRAY_MODES = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"}


def read_other(path: Path, judge_size: Callable[[int, int], None]) -> pyvips.Image:
    """Read a file with imageio's Pillow plugin as a libvips image, uchar or ushort, b-w, grey16, srgb or rgb16.

    judge_size: called with the header's width and height before a pixel is decoded; what it raises comes out.
    Errors: PhotoError where the file is no picture or is damaged.
    """
    import imageio.v3 as imageio

    try:
        with _own_pixel_limit(), imageio.imopen(path, "r", plugin="pillow") as file:
            facts = file.metadata(exclude_applied=False)
            judge_size(*facts["shape"])
            pixels = file.read(index=0)
    except PhotoError:
        raise
    # Pillow's decoders raise whatever they meet: OSError, SyntaxError, ValueError, struct.error, bomb errors.
    except Exception as error:
        if "can not handle the given uri" in str(error):  # imageio's words where no decoder of Pillow's takes it
            raise PhotoError(
                "not a photo: its content is no known format; expected JPEG, PNG, TIFF, WebP, AVIF, GIF or BMP"
            ) from error
        raise PhotoError(
            f"it cannot be read as a picture ({error}); expected JPEG, PNG, TIFF, WebP, AVIF, GIF or BMP"
        ) from error
    return _to_vips(pixels, facts)


@contextmanager
def _own_pixel_limit() -> Iterator[None]:
    """Pillow's own limit, which prints a warning, gives way to ours, judged before a pixel is decoded."""
    with _LIMIT:
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
