"""What training the transfer sub-net minimises: reconstruction and perceptual loss of pictures that it gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.backbone.network import VGG, Features
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective
from colorcli.methods.stylization.stylist import resized
from colorcli.methods.stylization.transfer import TransferNet

_PERCEIVED = "relu4_1"  # of VGG19, the encoder's deepest map: our reading


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe."""

    reconstruction: float = 0.8  # weight of the L2 loss on sRGB (paper: 0.8)
    perceptual: float = 0.0  # weight of the L2 loss on a backbone's map (paper: 0.2); above 0 it needs the companion
    encoder: str = "scratch"  # "backbone": VGG19 of that companion, fixed (the paper's); "scratch": trained along

    def __post_init__(self) -> None:
        for name in ("reconstruction", "perceptual"):
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


class Objective(BaseObjective):
    """Mean squared distances between pictures and what the network makes of them: of sRGB, and of VGG19's maps."""

    method = "stylization-transfer"
    settings_type = Settings
    settings: Settings
    tunes_gain: ClassVar[bool] = False  # a picture is to come back as it is
    network: TransferNet

    def __init__(
        self, network: TransferNet, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
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
                network.encoder.start_from(backbone.features)
            except ValueError as error:
                raise UsageError(f"{backbone.title} cannot start {self.method}'s encoder: {error}") from None
            self.out_of_reach = ("encoder.",)
        if self.settings.perceptual:
            self.companions["perception"] = Features(backbone, _PERCEIVED)

    @classmethod
    def needs(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """A backbone, where the perceptual loss or the encoder's start asks for it."""
        return frozenset({"backbone"} if cls.read(settings).needs_backbone else ())

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """`reconstruction` and `perceptual`, weighted, those of weight 0 left out; in float32 also under autocast.

        Means where the paper has sums, so that their weights do not depend on a picture's size (our reading).
        """
        del player  # there is one
        rgb, weights = batch["rgb"], self.settings
        painted = self.network(rgb).float()
        losses: dict[str, Tensor] = {}
        if weights.reconstruction:
            losses["reconstruction"] = weights.reconstruction * F.mse_loss(painted, rgb)
        if weights.perceptual:
            perception = self.companions["perception"]
            with torch.no_grad():
                wanted = perception(rgb).float()
            losses["perceptual"] = weights.perceptual * F.mse_loss(perception(painted).float(), wanted)
        return losses

    def predict(self, predictor: Callable[..., Tensor], lightness: Tensor, truth: Tensor) -> Tensor:
        """Chroma of the picture in its own style: what differs from the truth's is what the network loses."""
        small = resized(truth, *lightness.shape[2:])
        return rgb_to_lab(predictor.stylize(small, small))[:, 1:]  # type: ignore[attr-defined]  # a Restyler

    def notes(self) -> dict[str, str]:
        """What the encoder is, before any --init, and which backbone the perceptual loss had."""
        start = "scratch" if self.settings.encoder == "scratch" else str(self.companions["backbone"].title)
        notes = {"encoder before --init": start}
        if self.settings.perceptual:
            notes["perceptual"] = str(self.companions["perception"].title)
        return notes
