"""What objectives share that compare pictures by a VGG19's maps, and whose network begins with such layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.backbone.network import VGG, Features
from colorcli.methods.objective import Objective
from colorcli.methods.vgg import VGGFeatures


@dataclass(frozen=True, slots=True)
class PerceptualSettings:
    """What their [objective] tables have in common."""

    reconstruction: float = 1.0  # weight of the loss on what the network gives itself
    perceptual: float = 0.0  # weight of the loss on VGG19's maps; above 0 it needs the companion "backbone"
    encoder: str = "scratch"  # of the network's VGG19: "scratch", or "backbone" for that companion's weights

    not_negative: ClassVar[tuple[str, ...]] = ("reconstruction", "perceptual")

    def __post_init__(self) -> None:
        for name in self.not_negative:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if not self.reconstruction + self.perceptual > 0:
            raise ValueError("reconstruction and perceptual are both 0: there is nothing to minimise")
        if self.encoder not in ("scratch", "backbone"):
            raise ValueError(f"encoder must be scratch or backbone, not {self.encoder!r}")

    @property
    def needs_backbone(self) -> bool:
        """Whether the loss or the start of the encoder asks for one."""
        return self.perceptual > 0 or self.encoder == "backbone"


class PerceptualObjective(Objective):
    """An objective with `PerceptualSettings`. A subclass says which map it compares, and how its encoder starts."""

    settings_type = PerceptualSettings
    settings: PerceptualSettings
    perceived: ClassVar[str]  # the map of VGG19

    def __init__(
        self, network: nn.Module, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__(network, settings, companions)
        if not self.settings.needs_backbone:
            return
        backbone = self.companions.get("backbone")
        if not isinstance(backbone, VGG):
            found = getattr(backbone, "title", "none")
            raise UsageError(f"{self.method} needs a backbone of VGG19's shape for perceptual and encoder, not {found}")
        if self.settings.encoder == "backbone":
            try:
                self.start_encoder(backbone.features)
            except ValueError as error:
                raise UsageError(f"{backbone.title} cannot start {self.method}'s encoder: {error}") from None
        if self.settings.perceptual:
            self.companions["perception"] = Features(backbone, self.perceived)

    @classmethod
    def needs(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """A backbone, where the perceptual loss or the encoder's start asks for it."""
        return frozenset({"backbone"} if cls.read(settings).needs_backbone else ())

    def start_encoder(self, trained: VGGFeatures) -> None:
        """Take a trained VGG19's layers over into the network. ValueError where they do not fit."""
        raise NotImplementedError

    def perceptual(self, shown: Tensor, rgb: Tensor, distance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The weighted distance between the maps of two pictures, (B, 3, H, W) sRGB each; a scalar.

        shown: the network's. rgb: the truth, to which no gradient goes.
        """
        perception = self.companions["perception"]
        with torch.no_grad():
            wanted = perception(rgb).float()
        return self.settings.perceptual * distance(perception(shown).float(), wanted)

    def notes(self) -> dict[str, str]:
        """What the encoder started from, before any --init, and which backbone the perceptual loss had."""
        start = "scratch" if self.settings.encoder == "scratch" else str(self.companions["backbone"].title)
        notes = {"encoder before --init": start}
        if self.settings.perceptual:
            notes["perceptual"] = str(self.companions["perception"].title)
        return notes
