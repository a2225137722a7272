"""Frames as lightness, and coloured pixels as frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from colorcli.media.films.header import FilmHeader
from colorcli.media.films.pixels import (
    as_picture,
    full_lightness,
    is_gray,
    network_shape,
    small_lightness,
    upright_to_stored,
)

Photograph = Callable[..., Any]
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_HEADER = FilmHeader(
    path=Path("film.mkv"),
    width=64,
    height=48,
    aspect=Fraction(1),
    turns=0,
    display=None,
    codec="ffv1",
    pixels="yuv444p",
    bits=8,
    alpha=False,
    rate=Fraction(24),
    unit=Fraction(1, 24),
    frames=1,
    seconds=None,
    fields=0,
    full_range=False,
    matrix=1,
    transfer=1,
    primaries=1,
)


def _frame(rgb: Any, pixels: str = "yuv444p") -> VideoFrame:
    """BT.709, limited range."""
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
    return picture.reformat(format=pixels, interpolation=_EXACT, dst_colorspace=1, dst_color_range=1)


@pytest.mark.parametrize("gray", [False, True])
def test_lightness_is_that_of_the_colours(gray: bool, photograph: Photograph) -> None:
    """Oracle: scikit-image's L of the picture that the frame was made of, gray or not; 0.6: 8-bit steps of YCbCr."""
    from skimage.color import rgb2lab

    rgb = photograph("coffee", 64, 48)
    if gray:
        rgb = np.repeat(rgb.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    frame = _frame(rgb)
    assert is_gray(frame) is gray
    found = full_lightness(frame, _HEADER).numpy().reshape(48, 64)
    assert np.quantile(np.abs(found - rgb2lab(rgb)[..., 0]), 0.99) < 0.6


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le", "yuv422p10le", "yuv444p10le"])
def test_a_plain_colour_is_as_light_in_every_line(pixels: str) -> None:
    """Oracle: scikit-image's L of the colour; 0.6: steps of YCbCr. Some of swscale's ways spoil the first line."""
    from skimage.color import rgb2lab

    rgb = np.full((48, 64, 3), (117, 102, 86), np.uint8)
    header = replace(_HEADER, pixels=pixels, bits=10 if "10" in pixels else 8)
    found = full_lightness(_frame(rgb, pixels), header).numpy()
    assert np.abs(found - rgb2lab(rgb[:1, :1])[0, 0, 0]).max() < 0.6


def test_a_turned_film_is_seen_upright(photograph: Photograph) -> None:
    """Oracle: the upright picture, seen at the same size; maps turned back are as they were."""
    upright = photograph("astronaut", 48, 64)
    stored = np.rot90(upright, -1)  # a player turns it counterclockwise by 90 degrees
    turned = replace(_HEADER, turns=1)
    shape = network_shape(turned, 32, 8)
    assert shape == network_shape(replace(_HEADER, width=48, height=64), 32, 8) and shape[0] > shape[1]
    plain = replace(_HEADER, width=48, height=64)
    difference = small_lightness(_frame(stored), turned, *shape) - small_lightness(_frame(upright), plain, *shape)
    assert np.abs(difference).max() < 0.5
    maps = np.random.default_rng(0).random((*shape, 2)).astype(np.float32)
    assert (np.rot90(upright_to_stored(maps, turned), 1) == maps).all()


def test_wide_pixels_are_seen_wide() -> None:
    """Oracle: 720x576 pixels of 64:45 are 16:9."""
    height, width = network_shape(replace(_HEADER, width=720, height=576, aspect=Fraction(64, 45)), 256, 8)
    assert abs(width / height - 16 / 9) < 0.05


def test_luma_beyond_black_and_white_stays() -> None:
    """Oracle: the source's own plane, where it is below 16 or above 235; elsewhere within a step of the same gray."""
    luma = np.linspace(2, 253, 64 * 48).reshape(48, 64).astype(np.uint8)
    planes = np.stack((luma, np.full_like(luma, 128), np.full_like(luma, 128)))
    source = VideoFrame.from_ndarray(planes, "yuv444p")
    scaled = np.clip((luma.astype(float) - 16) / 219 * 255, 0, 255).round().astype(np.uint8)
    image = pyvips.Image.new_from_array(np.repeat(scaled[..., None], 3, axis=2))
    made = as_picture(image, source, _HEADER, "yuv444p").to_ndarray()[0]
    beyond = (luma < 16) | (luma > 235)
    assert (made[beyond] == luma[beyond]).all() and np.abs(made.astype(int) - luma).max() <= 1
