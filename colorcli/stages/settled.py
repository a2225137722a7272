"""Chroma in 8 bits that rests: what was seen in the frame before keeps its value while that is hardly wrong.

Where colour hardly changes, rounding alone would change it: a value between two steps falls on one or the other from
frame to frame, and the larger part of what flickers in a steadied film of muted colours would be that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from colorcli.color.flow import Motion
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.pixels import keep_extremes, plane_of

_FINE = {f"yuv{letter}{chroma}p": f"yuv{chroma}p16le" for chroma in ("420", "422", "444") for letter in ("", "j")}
_KEPT = 0.75  # 8-bit steps that a sample may be wrong by; rounding alone is by up to 0.5
_RELIABLE = 0.5  # of a motion's reliability

Samples = NDArray[np.uint8]


def fine_format(pixels: str) -> str:
    """The format of 16 bits that frames are made in which are to come out in one of 8; of any other that itself."""
    return _FINE.get(pixels, pixels)


class Settled:
    """The frames of one shot, rounded in their order."""

    def __init__(self, header: FilmHeader, pixels: str) -> None:
        """pixels: libav's format of the results."""
        self._header, self._pixels = header, pixels
        self._step = 257 if header.full_range or pixels.startswith("yuvj") else 256  # of 16 bits, as swscale has them
        self._chroma: list[Samples] = []  # of the frame before, upright

    def rounded(self, picture: VideoFrame, source: VideoFrame, moved: Motion | None) -> VideoFrame:
        """The frame in its final format. picture: in that of `fine_format`, else it comes out as it is.

        source: the film's frame that it is of. moved: how it came from the one before, upright, at the network's size;
        None: it begins anew.
        """
        if picture.format.name == self._pixels:
            return picture
        made = VideoFrame(picture.width, picture.height, self._pixels)
        luma, *chroma = (plane_of(plane, 16) for plane in picture.planes)
        plane_of(made.planes[0], 8)[:] = self._nearest(luma)
        self._chroma = self._rested([np.rot90(plane, self._header.turns) for plane in chroma], moved)
        for plane, values in zip(made.planes[1:], self._chroma, strict=True):
            plane_of(plane, 8)[:] = np.rot90(values, -self._header.turns)
        made.colorspace, made.color_range = picture.colorspace, picture.color_range
        made.color_trc, made.color_primaries = picture.color_trc, picture.color_primaries
        keep_extremes(source, made, self._header)
        return made

    def _rested(self, planes: list[NDArray[np.uint16]], moved: Motion | None) -> list[Samples]:
        nearest = [self._nearest(values) for values in planes]
        if moved is None or not self._chroma:
            return nearest
        places, known = _places(moved, *planes[0].shape)
        rested = []
        for values, own, before in zip(planes, nearest, self._chroma, strict=True):
            carried = _taken(before, places)
            wrong = np.abs(values.astype(np.int32) - carried.astype(np.int32) * self._step)
            rested.append(np.where(known & (wrong <= _KEPT * self._step), carried, own))
        return rested

    def _nearest(self, values: NDArray[np.uint16]) -> Samples:
        nearest: Samples = ((values.astype(np.int32) + self._step // 2) // self._step).astype(np.uint8)
        return nearest


def _places(moved: Motion, height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where each sample of a plane was in the frame before, (height, width, 2) x and y; and where that is known."""
    import cv2

    across, down = width / moved.flow.shape[2], height / moved.flow.shape[1]
    flow: Any = cv2.resize(moved.flow.permute(1, 2, 0).numpy(), (width, height))  # (2, h, w) -> (height, width, 2)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    places = np.stack((columns + flow[..., 0] * across, rows + flow[..., 1] * down), axis=-1).astype(np.float32)
    reliable: Any = cv2.resize(moved.reliable[0].numpy(), (width, height))
    return places, np.asarray(reliable >= _RELIABLE)


def _taken(before: Samples, places: NDArray[np.float32]) -> Samples:
    """The samples at these places; beyond the border the border's own."""
    import cv2

    remap: Any = cv2.remap  # its stubs want two maps
    return np.asarray(
        remap(np.ascontiguousarray(before), places, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )
