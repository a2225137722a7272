"""What training Color2Embed minimises (section 3.4): reconstruction and perceptual loss, with self-references."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.color.lab import open_rgb, rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.backbone.network import VGG, Features
from colorcli.methods.blocks import CHROMA_SCALE
from colorcli.methods.color2embed.augment import Augmentation, self_reference
from colorcli.methods.color2embed.network import Color2Embed
from colorcli.methods.color2embed.predictor import normalize_lightness
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective

_PERCEIVED = "relu5_2"  # of VGG19, eq. 9
_VALIDATED = Augmentation(turn=False)  # the reference of validation: section 3.2 without section 4.1's turns


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe."""

    reconstruction: float = 1.0  # lambda_rec of eq. 10
    perceptual: float = 0.0  # lambda_perc (paper: 0.1); above 0 it needs the companion "backbone"
    noise: float = 5.0  # on references, standard deviation in 8-bit steps
    warp: bool = True  # references are warped by a thin plate spline
    turn: bool = True  # references are rotated and flipped
    encoder: str = "scratch"  # of the colour encoder's VGG19: "scratch", or "backbone" for that companion's weights

    def __post_init__(self) -> None:
        for name in ("reconstruction", "perceptual", "noise"):
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
    """Smooth L1 between predicted and true chroma (eq. 8) and L1 between VGG19's maps of both pictures (eq. 9)."""

    method = "color2embed"
    settings_type = Settings
    settings: Settings
    network: Color2Embed

    def __init__(
        self, network: Color2Embed, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__(network, settings, companions)
        self.augmentation = Augmentation(self.settings.noise, self.settings.warp, self.settings.turn)
        if not self.settings.needs_backbone:
            return
        backbone = self.companions.get("backbone")
        if not isinstance(backbone, VGG):
            found = getattr(backbone, "title", "none")
            raise UsageError(f"color2embed needs a backbone of VGG19's shape for perceptual and encoder, not {found}")
        if self.settings.encoder == "backbone":
            try:
                network.colorEncoder.start_from(backbone.features)
            except ValueError as error:
                raise UsageError(f"{backbone.title} cannot start color2embed's encoder: {error}") from None
        if self.settings.perceptual:
            self.companions["perception"] = Features(backbone, _PERCEIVED)

    @classmethod
    def needs(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """A backbone, where the perceptual loss or the encoder's start asks for it."""
        return frozenset({"backbone"} if cls.read(settings).needs_backbone else ())

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """`reconstruction` and `perceptual`, weighted, those of weight 0 left out; in float32 also under autocast.

        Reconstruction is on ab / 110, and both are means where eq. 8 and 9 print sums, so that their weights do not
        depend on a picture's size (the published code's reading). The reference is made of the picture in the size at
        which the network sees references in use and in validation, whatever the crop's: colours and noise have that
        scale.
        """
        del player  # there is one
        rgb, weights = batch["rgb"], self.settings
        lab = rgb_to_lab(rgb)
        side = self.network.reference_side
        square = F.interpolate(rgb, (side, side), mode="bilinear", antialias=True)  # (B, 3, H, W) -> (B, 3, side, side)
        reference = self_reference(square.clamp(0, 1), batch["seed"], self.augmentation)
        predicted = self.network(normalize_lightness(lab[:, :1]), reference).float()
        losses: dict[str, Tensor] = {}
        if weights.reconstruction:
            distance = F.smooth_l1_loss(predicted, lab[:, 1:] / CHROMA_SCALE)
            losses["reconstruction"] = weights.reconstruction * distance
        if weights.perceptual:
            shown = open_rgb(torch.cat((lab[:, :1], predicted * CHROMA_SCALE), dim=1))
            perception = self.companions["perception"]
            with torch.no_grad():
                wanted = perception(rgb).float()
            losses["perceptual"] = weights.perceptual * F.l1_loss(perception(shown).float(), wanted)
        return losses

    def predict(self, predictor: Callable[..., Tensor], lightness: Tensor, truth: Tensor) -> Tensor:
        """Chroma in the colours of a self-reference, noised and warped whatever the settings are: ablations compare."""
        seeds = torch.arange(len(truth))
        z = predictor.embed(self_reference(truth, seeds, _VALIDATED))  # type: ignore[attr-defined]  # exemplar's
        return predictor(lightness, z)

    def notes(self) -> dict[str, str]:
        """What the colour encoder started from, before any --init, and which backbone the perceptual loss had."""
        start = "scratch" if self.settings.encoder == "scratch" else str(self.companions["backbone"].title)
        notes = {"encoder before --init": start}
        if self.settings.perceptual:
            notes["perceptual"] = str(self.companions["perception"].title)
        return notes
