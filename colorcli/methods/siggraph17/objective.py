"""What training the 2017 network minimises: the smooth L1 loss on chroma, with some of the colours revealed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.methods.blocks import CHROMA_SCALE, chroma_huber, normalize_lightness
from colorcli.methods.hints import reveal
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective
from colorcli.methods.siggraph17.network import Siggraph17


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe."""

    delta: float = 1.0  # where the loss turns linear, CIE ab units
    hints: bool = True  # reveal colours; without, the network learns the automatic task alone
    stop: float = 1 / 8  # the number of hints is geometric with this parameter
    whole: float = 0.01  # share of pictures whose whole colour is revealed

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"delta must be above 0, not {self.delta}")
        if not 0 < self.stop <= 1 or not 0 <= self.whole <= 1:
            raise ValueError(f"stop must be in (0, 1] and whole in [0, 1], not {self.stop} and {self.whole}")


class Objective(BaseObjective):
    """Huber loss between predicted and true chroma, the network seeing hints that `reveal` drew from the truth."""

    method = "siggraph17"
    settings_type = Settings
    settings: Settings
    out_of_reach = ("model_class",)  # the published classification head: kept as it is
    network: Siggraph17

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """`huber`, see `chroma_huber`."""
        del player  # there is one
        lab = rgb_to_lab(batch["rgb"])
        target = lab[:, 1:] / CHROMA_SCALE
        if self.settings.hints:
            hints, mask = reveal(target, batch["seed"], stop=self.settings.stop, whole=self.settings.whole)
        else:
            hints, mask = torch.zeros_like(target), torch.zeros_like(target[:, :1])
        predicted = self.network(torch.cat((normalize_lightness(lab[:, :1]), hints, mask), dim=1))
        return {"huber": chroma_huber(predicted, target, self.settings.delta)}
