"""A photo file as a network sees it: its lightness at about the network's size, and its header."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.errors import PhotoError
from colorcli.items import PhotoHeader
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.libvips import VipsError
from colorcli.media.lightness import lightness_of, standard_rgb
from colorcli.media.sources import Source, open_source, plain_reason, warning_of

LONGEST_ASPECT = 8.0  # a 1x5000 strip is shown to the network as 8:1; beyond that one side has no content


def network_size(width: int, height: int, side: int, multiple: int) -> tuple[int, int]:
    """Height and width at which a network sees a photo: area near side * side, each a multiple of `multiple`.

    The aspect is the photo's up to that rounding, and at most LONGEST_ASPECT. Small photos are enlarged: networks
    know objects at the size they were trained at.
    """
    if min(width, height, side, multiple) < 1:
        raise ValueError(f"sizes must be positive: {width}x{height}, side {side}, multiple {multiple}")
    aspect = min(max(width / height, 1 / LONGEST_ASPECT), LONGEST_ASPECT)
    rows = max(1, round(side / math.sqrt(aspect) / multiple))
    columns = max(1, round(side * math.sqrt(aspect) / multiple))
    return rows * multiple, columns * multiple


def read_photo(
    path: Path, *, side: int, multiple: int, max_pixels: int = MAX_PIXELS
) -> tuple[PhotoHeader, NDArray[np.float32]]:
    """Read a photo's header and its lightness at the network's size.

    Returns the header and (h, w) float32, CIE L 0..100, upright, ICC honoured, h and w as `network_size` says.
    Errors: PhotoError for a file that is empty, damaged, too large, animated or of several pages.
    """
    source = open_source(path, max_pixels=max_pixels)
    height, width = network_size(source.header.width, source.header.height, side, multiple)

    def seen(small: pyvips.Image) -> NDArray[np.float32]:
        pixels: NDArray[np.float32] = lightness_of(small, source_bands(small)).numpy()
        return pixels

    pixels, damage = _read(source, width, height, seen)
    header = replace(source.header, damage=damage)
    return header, np.clip(pixels, 0.0, 100.0, dtype=np.float32).reshape(height, width)


def read_colors(path: Path, *, side: int, max_pixels: int = MAX_PIXELS) -> NDArray[np.float32]:
    """Read a photo's colours, reduced or enlarged to about side x side pixels in its own aspect.

    Returns what `read_photo_in_colour` does besides the header. Errors: PhotoError, as of `read_photo`.
    """
    return read_photo_in_colour(path, side=side, multiple=1, max_pixels=max_pixels)[1]


def read_photo_in_colour(
    path: Path, *, side: int, multiple: int, max_pixels: int = MAX_PIXELS
) -> tuple[PhotoHeader, NDArray[np.float32]]:
    """Read a photo's header and its colours at the network's size.

    Returns the header and (3, h, w) float32, sRGB 0..1, upright, ICC honoured, in steps of 8 bits or finer, h and w as
    `network_size` says; what is transparent lies on white. Errors: PhotoError, as of `read_photo`.
    """
    source = open_source(path, max_pixels=max_pixels)
    height, width = network_size(source.header.width, source.header.height, side, multiple)
    rgb, damage = _colours(source, width, height)
    return replace(source.header, damage=damage), rgb


def read_full_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read all of a photo's pixels: (3, H, W) uint8, sRGB, upright, ICC honoured; what is transparent lies on white.

    Errors: PhotoError, as of `read_photo`.
    """
    source = open_source(path, max_pixels=max_pixels)
    rgb, _ = _colours(source, source.header.width, source.header.height)
    return np.rint(255 * rgb).astype(np.uint8)


def _colours(source: Source, width: int, height: int) -> tuple[NDArray[np.float32], str]:
    """(3, height, width) sRGB 0..1, transparency on white; and damage, as of `_read`. Errors: PhotoError."""
    pixels, damage = _read(source, width, height, _on_white)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)), damage  # (h, w, 3) -> (3, h, w)


def _on_white(small: pyvips.Image) -> NDArray[np.float32]:
    """(h, w, 3) sRGB 0..1 of a thumbnail."""
    bands = source_bands(small)
    color = standard_rgb(small.extract_band(0, n=bands))
    rgb = color.bandjoin([color, color]) if color.bands == 1 else color
    rgb = rgb / (65_535 if color.format == "ushort" else 255)
    if small.bands > bands:
        alpha = small.extract_band(bands) / 255  # a thumbnail has 8 bits
        rgb = rgb * alpha + (1 - alpha)
    pixels: NDArray[np.float32] = rgb.cast("float").numpy()
    return pixels


def _read(
    source: Source, width: int, height: int, seen: Callable[[pyvips.Image], NDArray[np.float32]]
) -> tuple[NDArray[np.float32], str]:
    """What `seen` makes of the thumbnail; and what the decoder warned of, where a second reading got over that.

    Only JPEG is read twice: a photo with a hole in its data goes on behind it, or ends in gray. Errors: PhotoError.
    """
    try:
        try:
            return seen(thumbnail(source, width, height, strict=True)), ""
        except VipsError as error:
            if source.data is None or source.color_bands == 4:  # CMYK is read by the image itself, which is read once
                raise
            damage = warning_of(error, source.path, source.format)
        return seen(thumbnail(source, width, height)), damage
    except VipsError as error:
        raise PhotoError(plain_reason(error, source.path, format=source.format)) from error


def thumbnail(source: Source, width: int, height: int, *, strict: bool = False) -> pyvips.Image:
    """The photo stretched to width x height, upright, without decoding all of it where its format allows.

    strict: a decoder's warning is an error, for files that are held. CMYK comes back as sRGB; other colour stays in the
    photo's own profile. 8 bits. Errors: VipsError.
    """
    if source.color_bands == 4:
        return _cmyk_thumbnail(source, width, height)
    if source.data is not None:  # fail_on of this one is not heard (libvips 8.18)
        options = f"[fail_on={'warning' if strict else source.fail_on}]"
        return pyvips.Image.thumbnail_buffer(source.data, width, height=height, size="force", option_string=options)
    name = os.fsencode(source.path)
    if source.format and source.as_stored and _is_utf8(name):
        return pyvips.Image.thumbnail(name, width, height=height, size="force", fail_on=source.fail_on)
    return source.image.thumbnail_image(width, height=height, size="force")


def _cmyk_thumbnail(source: Source, width: int, height: int) -> pyvips.Image:
    """Shrunk as it is and then converted as the result is; libvips' own thumbnail lets black be gray."""
    image = source.image
    across, down = (height, width) if source.orientation >= 5 else (width, height)
    small = image.resize(across / image.width, vscale=down / image.height).copy_memory().autorot()
    color = standard_rgb(small.extract_band(0, n=4)).colourspace("srgb")
    if not source.header.alpha:
        return color
    alpha = small.extract_band(4)
    return color.bandjoin((alpha >> 8 if source.header.bits == 16 else alpha).cast("uchar"))


def _is_utf8(name: bytes) -> bool:
    """Whether pyvips can log the name: `thumbnail` does, and pyvips fails on any other encoding."""
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def source_bands(small: pyvips.Image) -> int:
    """Colour bands of a thumbnail: 1 or 3, without alpha."""
    return 1 if small.bands <= 2 else 3
