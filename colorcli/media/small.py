"""Small pictures of photos and results, as pages and comparisons show them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pyvips

from colorcli.media.lightness import standard_rgb
from colorcli.media.photos import source_bands, thumbnail
from colorcli.media.sources import open_source

_QUALITIES = (80, 65, 50, 35)  # of WebP; the first that is short enough
_EFFORT = 2  # of 0..6; 4, libvips' own, takes twice the time for 3 % fewer bytes
_BYTES_A_PIXEL = 0.12  # at the first of these, photographs of 400 pixels
_SMALLEST = 48  # pixels of the long side; a picture is not made smaller to be short


def small_picture(path: Path, width: int, height: int) -> pyvips.Image:
    """The photo stretched to width x height, upright, 8-bit sRGB in three bands; what is transparent lies on white.

    Errors: libvips' own, PhotoError.
    """
    small = thumbnail(open_source(path, max_pixels=0), width, height)
    bands = source_bands(small)
    rgb = standard_rgb(small.extract_band(0, n=bands)).colourspace("srgb").cast("uchar")
    if small.bands > bands:
        alpha = small.extract_band(bands).cast("uchar")
        rgb = rgb.bandjoin(alpha).flatten(background=[255, 255, 255])
    return rgb


def within(picture: pyvips.Image, longest: int) -> pyvips.Image:
    """The picture, made smaller where its long side has more than `longest` pixels."""
    if max(picture.width, picture.height) <= longest:
        return picture
    return picture.thumbnail_image(longest, height=longest, size="down")


def encoded_alike(pictures: Sequence[pyvips.Image], most: int) -> list[bytes]:
    """WebP of each, of one size and quality, so that they can be compared; together at most `most` bytes.

    They are made as small as photographs usually have to be, then the quality falls, then the size; pictures of 48
    pixels are returned however long they are.
    """
    area = most / len(pictures) / _BYTES_A_PIXEL
    shown = [within(one, max(_SMALLEST, round(_longest_of(one, area)))) for one in pictures]
    while True:
        for quality in _QUALITIES:
            files: list[bytes] = [one.webpsave_buffer(Q=quality, effort=_EFFORT, keep="none") for one in shown]
            if sum(map(len, files)) <= most:
                return files
        longest = max(max(one.width, one.height) for one in shown)
        if longest <= _SMALLEST:
            return files
        shown = [within(one, max(_SMALLEST, longest * 3 // 4)) for one in shown]


def _longest_of(picture: pyvips.Image, area: float) -> float:
    """The long side that a picture of this shape has at that area, pixels."""
    return math.sqrt(area * max(picture.width, picture.height) / min(picture.width, picture.height))
