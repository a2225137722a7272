"""What training the colorization sub-net minimises: the Huber loss on chroma, heavier where a colour was given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.methods.blocks import CHROMA_SCALE, chroma_huber, normalize_lightness
from colorcli.methods.hints import reveal
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective
from colorcli.methods.stylization.colorization import ColorizationNet


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe."""

    delta: float = 1.0  # where the loss turns linear, CIE ab units (the paper does not name it)
    emphasis: float = 10.0  # lambda, how much more a given colour counts (paper: 10)
    stop: float = 1 / 8  # the number of hints is geometric with this parameter
    whole: float = 0.0  # share of pictures whose whole colour is revealed (Zhang et al. 2017: 0.01)

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"delta must be above 0, not {self.delta}")
        if not 0 <= self.emphasis < math.inf:
            raise ValueError(f"emphasis must be 0 or more, not {self.emphasis}")
        if not 0 < self.stop <= 1 or not 0 <= self.whole <= 1:
            raise ValueError(f"stop must be in (0, 1] and whole in [0, 1], not {self.stop} and {self.whole}")


class Objective(BaseObjective):
    """L_h((1 + lambda M) F(x), (1 + lambda M) y): the network sees hints that `reveal` drew from the truth at M."""

    method = "stylization-colorization"
    settings_type = Settings
    settings: Settings
    tunes_gain: ClassVar[bool] = False  # validation gives no hints; the method does, and given colours are not to fade
    network: ColorizationNet

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """`huber`, see `chroma_huber`."""
        del player  # there is one
        lab = rgb_to_lab(batch["rgb"])
        target = lab[:, 1:] / CHROMA_SCALE
        hints, mask = reveal(target, batch["seed"], stop=self.settings.stop, whole=self.settings.whole)
        predicted = self.network(torch.cat((normalize_lightness(lab[:, :1]), hints, mask), dim=1)).float()
        weight = 1 + self.settings.emphasis * mask
        return {"huber": chroma_huber(weight * predicted, weight * target, self.settings.delta)}
