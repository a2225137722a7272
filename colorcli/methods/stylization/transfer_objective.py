"""What training the transfer sub-net minimises: reconstruction and perceptual loss of pictures that it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.methods.objective import Batch
from colorcli.methods.perception import PerceptualObjective, PerceptualSettings
from colorcli.methods.stylization.stylist import resized
from colorcli.methods.stylization.transfer import TransferNet
from colorcli.methods.vgg import VGGFeatures


@dataclass(frozen=True, slots=True)
class Settings(PerceptualSettings):
    """The [objective] table of a recipe."""

    reconstruction: float = 0.8  # weight of the L2 loss on sRGB (paper: 0.8)
    perceptual: float = 0.0  # weight of the L2 loss on a backbone's map (paper: 0.2); above 0 it needs the companion
    encoder: str = "scratch"  # "backbone": VGG19 of that companion, fixed (the paper's); "scratch": trained along


class Objective(PerceptualObjective):
    """Mean squared distances between pictures and what the network makes of them: of sRGB, and of VGG19's maps."""

    method = "stylization-transfer"
    settings_type = Settings
    settings: Settings
    tunes_gain: ClassVar[bool] = False  # a picture is to come back as it is
    perceived = "relu4_1"  # the encoder's deepest map: our reading
    network: TransferNet

    def start_encoder(self, trained: VGGFeatures) -> None:
        """The encoder stays as it is then."""
        self.network.encoder.start_from(trained)
        self.out_of_reach = ("encoder.",)

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
            losses["perceptual"] = self.perceptual(painted, rgb, F.mse_loss)
        return losses

    def predict(self, predictor: Callable[..., Tensor], lightness: Tensor, truth: Tensor) -> Tensor:
        """Chroma of the picture in its own style: what differs from the truth's is what the network loses."""
        small = resized(truth, *lightness.shape[2:])
        return rgb_to_lab(predictor.stylize(small, small))[:, 1:]  # type: ignore[attr-defined]  # a Restyler
