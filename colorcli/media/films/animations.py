"""Animated GIF and WebP as short films, through libvips."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyvips
from av.video.frame import VideoFrame

from colorcli.errors import PhotoError
from colorcli.media.films.header import LONGEST_SIDE, FilmHeader
from colorcli.media.films.kinds import page_count
from colorcli.media.libvips import VipsError

UNIT = Fraction(1, 1000)  # s; both formats tell the time in ms or 10 ms
_SHORTEST = 100  # ms, of a page that says 0 or 10, as browsers show it
_RGB, _SRGB_TRANSFER, _BT709_PRIMARIES = 0, 13, 1  # libav's numbers


def animation_header(path: Path) -> FilmHeader:
    """Errors: PhotoError."""
    try:
        image = pyvips.Image.new_from_file(os.fsencode(path))
        count = page_count(path)
        times = _durations(image, count)
    except VipsError as error:
        raise PhotoError("not an animation, or damaged; copy it again") from error
    if max(image.width, image.height) > LONGEST_SIDE:
        raise PhotoError(f"frames are {image.width}x{image.height}; expected at most {LONGEST_SIDE} a side")
    return FilmHeader(
        path=path,
        width=image.width,
        height=image.height,
        aspect=Fraction(1),
        turns=0,
        display=None,
        codec="png",  # lossless, until all pages are written together
        pixels="rgba" if image.hasalpha() else "rgb24",
        bits=8,
        alpha=bool(image.hasalpha()),
        rate=Fraction(1000 * count, max(1, sum(times))).limit_denominator(1001),
        unit=UNIT,
        frames=count,
        seconds=sum(times) / 1000,
        fields=0,
        full_range=True,
        matrix=_RGB,
        transfer=_SRGB_TRANSFER,
        primaries=_BT709_PRIMARIES,
        animation=True,
    )


def read_pages(path: Path) -> Iterator[tuple[VideoFrame, int, int]]:
    """Each page, as a person sees it, with its time and duration in ms. Errors: PhotoError."""
    try:
        image = pyvips.Image.new_from_file(os.fsencode(path), n=-1, access="sequential")
        height, time = image.get("page-height"), 0
        for page, duration in enumerate(_durations(image, image.height // height)):
            pixels = image.crop(0, page * height, image.width, height).colourspace("srgb").numpy()
            alpha = pixels.shape[2] == 4
            yield VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgba" if alpha else "rgb24"), time, duration
            time += duration
    except VipsError as error:
        raise PhotoError("the animation is damaged or cut short; copy it again") from error


def write_pages(place: Path, source: Path, pages: Sequence[bytes], quality: int | None) -> None:
    """Write PNGs as the pages of an animation in the format of `source`'s name, with its times and its repeats.

    quality: 1..100 for WebP; None: lossless. Errors: VipsError.
    """
    like = pyvips.Image.new_from_file(os.fsencode(source))
    images = [pyvips.Image.new_from_buffer(page, "") for page in pages]
    joined = pyvips.Image.arrayjoin(images, across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", images[0].height)
    joined.set_type(pyvips.GValue.array_int_type, "delay", _durations(like, len(pages)))
    joined.set_type(pyvips.GValue.gint_type, "loop", like.get("loop") if like.get_typeof("loop") else 0)
    if source.suffix.lower() == ".gif":
        joined.gifsave(os.fsencode(place))
    elif quality is None:
        joined.webpsave(os.fsencode(place), lossless=True, keep="none")
    else:
        joined.webpsave(os.fsencode(place), Q=quality, keep="none")


def _durations(image: pyvips.Image, count: int) -> list[int]:
    """ms of each page."""
    told = [int(value) for value in image.get("delay")] if image.get_typeof("delay") else []
    return [value if value > 10 else _SHORTEST for value in (told + [0] * count)[:count]]
