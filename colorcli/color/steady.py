"""Chroma that does not flicker: each frame's own prediction, blended with what flow carries from the frames before.

The rule, for each place of a frame:

    steadied = own + r n / (n + 1) (carried - own) + (1 - r) nearby

`carried` is the steadied chroma of the frame before, moved along the flow. n counts the frames that it is the mean of,
so that new content converges as a mean does; it stops at `memory`, so that a lasting change of the prediction wins
within about as many frames. r, 0..1, is how far the flow can be relied on here: what was hidden before, or has just
come into the picture, starts from its own prediction. `nearby` is the mean of what the first term adds to reliable
places around: most flicker is a tint of a whole region, and without it uncovered places would keep that tint and show
as patches. It moves no colour from one thing to another, only a difference between two predictions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.color.flow import Motion, carry, motion

_NEARBY = 1 / 16  # radius of the window for `nearby`, of the frame's side; passed twice
_FEW = 0.1  # share of reliable pixels in the window at which they count half


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How strongly chroma is held."""

    memory: float = 8.0  # frames that a place's colour is the mean of, at most
    exposure: float = 8.0  # units of L: a step of the frame's mean by this much makes memory count 1/e

    def __post_init__(self) -> None:
        if not (self.memory >= 1 and self.exposure > 0):
            raise ValueError(f"memory must be 1 or more and exposure above 0, got {self.memory} and {self.exposure}")


class Steady:
    """Steadies the chroma of one shot, frame by frame: causal, deterministic, the same however frames are batched."""

    def __init__(self, settings: Steadiness | None = None) -> None:
        self.settings = settings or Steadiness()
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new shot begins."""
        self.moved: Motion | None = None  # how the frame came from the one before; None: it is the shot's first
        self._lightness: Tensor | None = None
        self._chroma = torch.zeros(0)  # of the frame before, steadied, (2, h, w)
        self._count = torch.zeros(0)  # frames that it is the mean of, (1, h, w)

    def step(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """The steadied chroma of the shot's next frame.

        lightness: (1, h, w) CIE L, 0..100; chroma: (2, h, w) CIE ab, the frame's own prediction; float32, on the CPU.
        Returns (2, h, w) float32. The first frame of a shot keeps its own. Errors: ValueError for other shapes, and for
        a frame of another size than the one before.
        """
        if lightness.dim() != 3 or lightness.shape[0] != 1 or chroma.shape != (2, *lightness.shape[1:]):
            found = f"{tuple(lightness.shape)} and {tuple(chroma.shape)}"
            raise ValueError(f"expected lightness (1, h, w) and chroma (2, h, w), got {found}")
        if self._lightness is None:
            steadied, count = chroma.clone(), torch.ones_like(lightness)  # a clone: the caller may change its own
        else:
            self.moved = moved = motion(self._lightness, lightness)
            jump = float(lightness.mean() - self._lightness.mean()) / self.settings.exposure
            trust = math.exp(-(jump**2))  # a flash or a sudden fade: what was predicted in other light counts less
            carried, known = carry(self._chroma, moved.flow), carry(self._count, moved.flow)
            change = moved.reliable * known / (known + 1) * (carried - chroma)
            steadied = chroma + trust * (change + (1 - moved.reliable) * _nearby(change, moved.reliable))
            count = (trust * moved.reliable * known + 1).clamp(max=self.settings.memory)
        self._lightness, self._chroma, self._count = lightness.clone(), steadied, count
        return steadied.clone()


def _nearby(change: Tensor, reliable: Tensor) -> Tensor:
    """Mean change of the reliable places around each, (2, h, w); less where there are few."""
    radius = max(1, round(_NEARBY * math.sqrt(reliable.shape[1] * reliable.shape[2])))
    return _wide(change, radius) / (_wide(reliable, radius) + _FEW)


def _wide(maps: Tensor, radius: int) -> Tensor:
    """Mean over a window, smaller at the borders. (C, h, w) in and out."""
    side = 2 * radius + 1
    for _ in range(2):  # two boxes make a tent: no edge of a window shows
        for window, padding in (((side, 1), (radius, 0)), ((1, side), (0, radius))):  # a box, in two quick passes
            maps = F.avg_pool2d(maps, window, stride=1, padding=padding, count_include_pad=False)
    return maps
