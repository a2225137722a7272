"""A film's frames through the stages: Frame -> Photo, as the network sees it, and Colored -> the coloured picture."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyvips
import torch
from av.video.frame import VideoFrame
from torch import Tensor

from colorcli.color.chroma import guide
from colorcli.color.flow import Motion, motion
from colorcli.items import Job, Photo, PhotoHeader
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.pixels import as_picture, full_lightness, small_lightness, small_rgb, upright_to_stored
from colorcli.media.recombination import recombine
from colorcli.stages.encode import gamut


class Steadying(Protocol):
    """Keeps colour still within a shot, frame by frame."""

    moved: Motion | None  # how the last step's frame came from the one before; None: it was its shot's first

    def reset(self) -> None:
        """A new shot begins."""

    def step(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """lightness: (1, h, w) CIE L; chroma: (2, h, w) CIE ab, as predicted. Returns the chroma to use, (2, h, w)."""


class Unsteadied:
    """Each frame's own chroma (`--no-temporal`)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new shot begins."""
        self.moved: Motion | None = None
        self._lightness: Tensor | None = None

    def step(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """The chroma as it is. The motion is found all the same, to say how much it flickers."""
        self.moved = None if self._lightness is None else motion(self._lightness, lightness)
        self._lightness = lightness
        return chroma


def see(picture: VideoFrame, job: Job, header: FilmHeader, height: int, width: int) -> Photo:
    """A frame as a network sees it: its lightness at (height, width), upright."""
    lightness = small_lightness(picture, header, height, width)
    about = PhotoHeader(*header.seen, f"frame {header.bits}-bit", 16 if header.bits > 8 else 8, header.alpha)
    return Photo(job, about, torch.from_numpy(lightness)[None])  # (h, w) -> (1, h, w)


def colour_frame(
    picture: VideoFrame, header: FilmHeader, lightness: Tensor, chroma: Tensor, saturation: float, pixels: str
) -> VideoFrame:
    """The frame in colour, in libav's pixel format `pixels`: its own full lightness, and chroma that follows it.

    lightness (1, h, w), chroma (2, h, w): upright, at the network's size.
    """
    slope, offset = guide(lightness[None], chroma[None])  # (1, 2, h, w)
    maps = [upright_to_stored(part[0].permute(1, 2, 0).numpy(), header) for part in (slope, offset)]  # -> (h, w, 2)
    factor = np.float32(saturation)
    bits = 16 if header.bits > 8 else 8
    coloured = recombine(full_lightness(picture, header), maps[0] * factor, maps[1] * factor, gamut(), bits)
    return as_picture(coloured, picture, header, pixels)


def side_by_side(before: VideoFrame, after: VideoFrame, header: FilmHeader, width: int) -> bytes:
    """Both pictures upright with square pixels, `width` pixels wide each, as a JPEG."""
    seen_width, seen_height = header.seen
    height = max(2, round(seen_height * width / seen_width))
    pixels = np.concatenate([small_rgb(one, header, height, width) for one in (before, after)], axis=1)
    encoded: bytes = pyvips.Image.new_from_array(pixels).jpegsave_buffer(Q=90)
    return encoded
