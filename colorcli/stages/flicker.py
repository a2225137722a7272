"""How much a film flickers: counted while it is coloured, on the network's small chroma, in constant memory.

The figures tell whether steadying did its work. They know no truth, so the film's own change of colour is in them too:
a still picture has 0, and a muted film less than a colourful one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from colorcli.color.flow import Motion, carry
from colorcli.color.lab import lab_to_rgb
from colorcli.items import Flicker
from colorcli.metrics.distribution import Consistency, value_histograms
from colorcli.metrics.temporal import chroma_change, chroma_warp_error

RELIABLE = 0.5  # of `Motion.reliable`: places above it are compared


@dataclass(frozen=True, slots=True)
class Small:
    """A frame at the network's size."""

    lightness: Tensor  # (1, h, w) CIE L
    own: Tensor  # (2, h, w) CIE ab, as predicted
    chroma: Tensor  # (2, h, w) CIE ab, as used; the very same tensor where nothing steadies it


@dataclass(frozen=True, slots=True)
class Measured:
    """What a frame adds to its shot's figures. NaN: nothing to compare it with."""

    strength: float  # mean CIE chroma
    warp: float  # units of ab
    warp_own: float
    histograms: Tensor  # (3, 3, 256): in gray, as predicted, as used
    steadied: bool  # what was predicted and what is used are two things


def measure(before: Small | None, now: Small, moved: Motion | None, saturation: float) -> Measured:
    """A frame beside the one before it in its shot (None: it is the first), along the motion between them."""
    steadied = now.own is not now.chroma
    warps = [math.nan, math.nan]
    if before is not None and moved is not None:
        then, shown = (torch.stack((small.own, small.chroma)) for small in (before, now))  # (2, 2, h, w)
        carried = torch.stack([carry(chroma, moved.flow) for chroma in then])
        reliable = (moved.reliable > RELIABLE).expand(2, -1, -1)  # (1, h, w) -> (2, h, w)
        warps = (saturation * chroma_warp_error(chroma_change(carried, shown), reliable)).tolist()
    films = torch.stack((torch.zeros_like(now.own), now.own, now.chroma)) * saturation
    lab = torch.cat((now.lightness.expand(3, -1, -1, -1), films), dim=1)  # (3, 3, h, w)
    histograms = value_histograms((lab_to_rgb(lab) * 255).round().to(torch.uint8))
    strength = float(torch.linalg.vector_norm(now.chroma, dim=0).mean())
    return Measured(strength, warps[1], warps[0], histograms, steadied)


@dataclass(frozen=True, slots=True)
class ShotFigures:
    """What is told of a shot's colours."""

    chroma: float  # mean CIE chroma
    flicker: Flicker


class Tally:
    """A shot's figures, frame by frame, in their order."""

    def __init__(self) -> None:
        self._frames, self._strength, self._steadied = 0, 0.0, False
        self._compared, self._warp, self._warp_own = 0, 0.0, 0.0
        self._gray, self._own, self._used = Consistency(), Consistency(), Consistency()

    def add(self, measured: Measured) -> None:
        """The next frame."""
        self._frames += 1
        self._strength += measured.strength
        self._steadied |= measured.steadied
        if not math.isnan(measured.warp):
            self._compared += 1
            self._warp += measured.warp
            self._warp_own += measured.warp_own
        for film, histogram in zip((self._gray, self._own, self._used), measured.histograms, strict=True):
            film.add(histogram)

    def figures(self) -> ShotFigures:
        """Of all frames so far, of which there is one at least."""
        compared, steadied = self._compared, self._steadied
        flicker = Flicker(
            warp=self._warp / compared if compared else None,
            warp_own=self._warp_own / compared if compared and steadied else None,
            consistency=self._used.value,
            consistency_own=self._own.value if steadied else None,
            consistency_gray=self._gray.value,
        )
        return ShotFigures(self._strength / self._frames, flicker)
