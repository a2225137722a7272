"""Motion between two frames, from their lightness alone: dense flow, what it carries, and where it can be relied on.

Flow is (2, h, w) float32, dx and dy in pixels. Frames are CIE lightness, (1, h, w) float32, 0..100, on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

SMALLEST = 12  # pixels: DIS refuses sides below it
_FINE = 160 * 160  # pixels of a frame up to which flow is found at full resolution, above at half: what CPU time allows
_GRAIN = 0.7  # pixels, standard deviation of the blur before flow: grain moves by itself
_SPREAD = 40.0  # 8-bit steps to a standard deviation of L: three of them fit on either side of the middle
_FLAT = 2.0  # units of L: a frame that varies by less is not stretched further, or flow would follow its noise
_ROUND_TRIP = (0.01, 0.25)  # of squared length, and square pixels: Sundaram et al. (2010), stricter for small frames
_MISMATCH = 6.0  # units of L by which a moved pixel may miss before it counts as another thing
_NOISE = 3.0  # times the median miss, where the whole frame misses by more (grain)


@dataclass(frozen=True, slots=True)
class Motion:
    """How a frame came from the one before it."""

    flow: Tensor  # (2, h, w): from a place in this frame to where it was in the one before
    reliable: Tensor  # (1, h, w), 0..1: 1 where this place was seen in the frame before, and there


def dense_flow(start: Tensor, end: Tensor) -> Tensor:
    """DIS flow (Kroeger et al. 2016, OpenCV's): what lies at x in `start` lies at x + flow(x) in `end`. (2, h, w).

    Both frames are brought to one mean and spread first, so that fades and exposure do not look like motion.
    Errors: ValueError for frames of different sizes. Frames with a side below 12 pixels get flow 0.
    """
    if start.shape != end.shape or start.dim() != 3 or start.shape[0] != 1:
        raise ValueError(f"expected two frames (1, h, w), got {tuple(start.shape)} and {tuple(end.shape)}")
    height, width = start.shape[1:]
    if min(height, width) < SMALLEST:
        return torch.zeros(2, height, width)
    found = _finder(height * width).calc(_levels(start), _levels(end), None)
    return torch.from_numpy(found).permute(2, 0, 1).contiguous()  # (h, w, 2) -> (2, h, w)


def _finder(pixels: int) -> Any:
    import cv2

    cv2.setNumThreads(1)  # frames are small, and threads of its own would wait for the networks' cores
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    finder.setFinestScale(0 if pixels <= _FINE else 1)
    return finder


def _levels(lightness: Tensor) -> NDArray[np.uint8]:
    """(1, h, w) -> (h, w), what DIS reads."""
    import cv2

    spread = float(lightness.std(correction=0))
    stretched = 128 + _SPREAD / max(spread, _FLAT) * (lightness - lightness.mean())
    levels: NDArray[np.uint8] = stretched.round().clamp(0, 255).to(torch.uint8)[0].numpy()
    blurred: NDArray[np.uint8] = np.asarray(cv2.GaussianBlur(levels, (0, 0), _GRAIN), dtype=np.uint8)
    return blurred


def carry(maps: Tensor, flow: Tensor) -> Tensor:
    """Backward warping: the value at x is that of `maps` at x + flow(x), bilinear; beyond the border the border's own.

    maps: (C, h, w) float. flow: (2, h, w). Returns (C, h, w). Errors: ValueError for sizes that do not fit.
    """
    if maps.dim() != 3 or flow.shape != (2, *maps.shape[1:]):
        raise ValueError(f"expected maps (C, h, w) and flow (2, h, w), got {tuple(maps.shape)} and {tuple(flow.shape)}")
    x, y = _places(flow)
    height, width = maps.shape[1:]
    # grid_sample counts from -1 to 1 between the outer borders of the outermost pixels
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)  # 2 x (h, w) -> (h, w, 2)
    return F.grid_sample(maps[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)[0]


def _places(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows that the flow points to, (h, w) each."""
    height, width = flow.shape[1:]
    columns = torch.arange(width, dtype=flow.dtype)
    rows = torch.arange(height, dtype=flow.dtype)[:, None]
    return columns + flow[0], rows + flow[1]


def motion(before: Tensor, now: Tensor) -> Motion:
    """How `now` came from `before`, and where that can be relied on.

    Three things must hold for a place: it was inside the frame; the flow there and back ends where it began (what was
    hidden has no way back); and its lightness is what it was, but for a change of the whole frame. The least of the
    3x3 pixels around counts, since at the border of a moving thing a pixel holds some of both.
    Errors: ValueError for frames of different sizes.
    """
    flow, ahead = dense_flow(now, before), dense_flow(before, now)
    back = carry(ahead, flow)
    share, square = _ROUND_TRIP
    allowed = share * (flow.square().sum(0, keepdim=True) + back.square().sum(0, keepdim=True)) + square
    returned = torch.exp(-(flow + back).square().sum(0, keepdim=True) / allowed)
    missed = _blurred(carry(_matched(before, now), flow) - now).abs()
    allowed_miss = max(_MISMATCH, _NOISE * float(missed.median()))
    alike = torch.exp(-((missed / allowed_miss) ** 2))
    reliable = returned * alike * _inside(flow)
    return Motion(flow, -F.max_pool2d(-reliable, 3, stride=1, padding=1))  # (1, h, w) -> (1, h, w)


def _matched(before: Tensor, now: Tensor) -> Tensor:
    """The frame before at the mean and spread of this one."""
    gain = float(now.std(correction=0)) / max(float(before.std(correction=0)), _FLAT)
    return gain * (before - before.mean()) + now.mean()


def _blurred(maps: Tensor) -> Tensor:
    return F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)


def _inside(flow: Tensor) -> Tensor:
    """1 where the flow points into the frame, (1, h, w)."""
    x, y = _places(flow)
    height, width = flow.shape[1:]
    return ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)).to(flow.dtype)[None]
