"""What training a backbone minimises: the cross entropy of its classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.methods.backbone.network import Backbone
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe."""

    smoothing: float = 0.1  # share of the target that all classes get alike (Szegedy et al. 2016)

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing must be in [0, 1), not {self.smoothing}")


class Objective(BaseObjective):
    """Cross entropy with label smoothing."""

    method = "backbone"
    settings_type = Settings
    settings: Settings
    data: ClassVar[str] = "labelled"
    learned_anew: ClassVar[tuple[str, ...]] = ("fc.", "classifier.")  # other photos have other classes
    network: Backbone

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """`cross entropy`, natural logarithm, on `rgb` and `label`; labels are below the network's `classes`."""
        del player  # there is one
        logits = self.network(batch["rgb"]).float()
        return {"cross entropy": F.cross_entropy(logits, batch["label"], label_smoothing=self.settings.smoothing)}
