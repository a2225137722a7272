"""Chroma that does not flicker: each frame's own prediction, blended with what flow carries from the frames before."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from colorcli.color.flow import carry, motion
from colorcli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How strongly chroma is held."""

    memory: float = 8.0  # frames that a place's colour is the mean of; the frame's own prediction then weighs 1 in it
    exposure: float = 8.0  # units of L: a step of the frame's mean by this much makes memory count 1/e

    def __post_init__(self) -> None:
        if not (self.memory >= 1 and self.exposure > 0):
            raise UsageError(f"memory must be 1 or more and exposure above 0, got {self.memory} and {self.exposure}")


class Steady:
    """Steadies the chroma of one shot, frame by frame, causally and deterministically."""

    def __init__(self, settings: Steadiness = Steadiness()) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new shot begins."""
        self._lightness: Tensor | None = None
        self._chroma = torch.zeros(0)
        self._seen = torch.zeros(0)

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
            steadied, seen = chroma, torch.zeros_like(lightness)
        else:
            moved = motion(self._lightness, lightness)
            step = float(lightness.mean() - self._lightness.mean())
            reliable = moved.reliable * math.exp(-((step / self.settings.exposure) ** 2))
            seen = reliable * carry(self._seen, moved.flow)
            share = reliable * seen / (seen + 1)
            steadied = chroma + share * (carry(self._chroma, moved.flow) - chroma)
        self._lightness = lightness
        self._chroma = steadied
        self._seen = (seen + 1).clamp(max=self.settings.memory)
        return steadied
