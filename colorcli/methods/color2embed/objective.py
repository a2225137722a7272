"""What training Color2Embed minimises (section 3.4): reconstruction and perceptual loss, with self-references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.color.lab import open_rgb, rgb_to_lab
from colorcli.methods.blocks import CHROMA_SCALE
from colorcli.methods.color2embed.augment import Augmentation, self_reference
from colorcli.methods.color2embed.network import Color2Embed
from colorcli.methods.color2embed.predictor import normalize_lightness
from colorcli.methods.objective import Batch
from colorcli.methods.perception import PerceptualObjective, PerceptualSettings
from colorcli.methods.vgg import VGGFeatures

_VALIDATED = Augmentation(turn=False)  # the reference of validation: section 3.2 without section 4.1's turns


@dataclass(frozen=True, slots=True)
class Settings(PerceptualSettings):
    """The [objective] table of a recipe."""

    reconstruction: float = 1.0  # lambda_rec of eq. 10
    perceptual: float = 0.0  # lambda_perc (paper: 0.1); above 0 it needs the companion "backbone"
    noise: float = 5.0  # on references, standard deviation in 8-bit steps
    warp: bool = True  # references are warped by a thin plate spline
    turn: bool = True  # references are rotated and flipped

    not_negative: ClassVar[tuple[str, ...]] = ("reconstruction", "perceptual", "noise")


class Objective(PerceptualObjective):
    """Smooth L1 between predicted and true chroma (eq. 8) and L1 between VGG19's maps of both pictures (eq. 9)."""

    method = "color2embed"
    settings_type = Settings
    settings: Settings
    perceived = "relu5_2"  # eq. 9
    network: Color2Embed

    def __init__(
        self, network: Color2Embed, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__(network, settings, companions)
        self.augmentation = Augmentation(self.settings.noise, self.settings.warp, self.settings.turn)

    def start_encoder(self, trained: VGGFeatures) -> None:
        """The colour encoder's VGG19 is trained along."""
        self.network.colorEncoder.start_from(trained)

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
            losses["perceptual"] = self.perceptual(shown, rgb, F.l1_loss)
        return losses

    def predict(self, predictor: Callable[..., Tensor], lightness: Tensor, truth: Tensor) -> Tensor:
        """Chroma in the colours of a self-reference, noised and warped whatever the settings are: ablations compare."""
        seeds = torch.arange(len(truth))
        z = predictor.embed(self_reference(truth, seeds, _VALIDATED))  # type: ignore[attr-defined]  # exemplar's
        return predictor(lightness, z)
