"""What training SMSANet minimises: the Huber loss on chroma (eq. 5) and the salient loss on RGB (eq. 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from colorcli.color.lab import open_rgb, rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.aging import aged
from colorcli.methods.blocks import CHROMA_SCALE, chroma_huber, normalize_lightness, photo_cauchy
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective
from colorcli.methods.smsanet.network import SMSANet

_FOREGROUND = 0.5  # saliency above which a pixel belongs to the foreground
_NEARLY_GRAY, _COLOURED = 6.0, 10.0  # mean chroma of a photo, CIE ab units


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe."""

    delta: float = 1.0  # CIE ab units (paper: 1. On the network's normalised chroma that is 1/110: our reading)
    salience: float = 0.0  # alpha_1 of eq. 7, the weight of the salient loss (paper: 1); 0: none
    photo_scale: float = 0.0  # 8-bit steps of sRGB; above 0: `photo_cauchy` in place of Huber (not the paper's)
    near_gray: float = 1.0  # with photo_scale: how many times a nearly gray photo counts (not the paper's)
    aging: float = 0.0  # how much the lightness that the network sees is aged, 0..1 (not the paper's)

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"delta must be above 0, not {self.delta}")
        if not 0 <= self.salience < math.inf:
            raise ValueError(f"salience must be 0 or more, not {self.salience}")
        if not 0 <= self.photo_scale < math.inf:
            raise ValueError(f"photo_scale must be 0 or more, not {self.photo_scale}")
        if not 1 <= self.near_gray < math.inf:
            raise ValueError(f"near_gray must be 1 or more, not {self.near_gray}")
        if self.near_gray > 1 and not self.photo_scale:
            raise ValueError("near_gray weighs photos one by one: it needs photo_scale above 0")
        if not 0 <= self.aging <= 1:
            raise ValueError(f"aging must be in [0, 1], not {self.aging}")


def salient_loss(truth: Tensor, predicted: Tensor, detector: nn.Module) -> Tensor:
    """Eq. 6: the mean over C, H, W of |phi(x) x - phi(y) y|, each phi the foreground of its own picture, 0 or 1.

    truth: (B, 3, H, W) sRGB 0..1; predicted: likewise, perhaps beyond 0..1 (the detector sees it clipped, the
    difference does not: our reading). detector: (B, 3, H, W) sRGB 0..1 -> saliency (B, 1, H, W) 0..1. Returns a scalar.

    No gradient goes through phi. Where the two foregrounds differ, eq. 6 compares a picture with black.
    """
    with torch.no_grad():
        foreground = (detector(torch.cat((truth, predicted.clamp(0, 1)))) > _FOREGROUND).to(truth.dtype)
    phi_truth, phi_predicted = foreground.chunk(2)  # (2B, 1, H, W) -> twice (B, 1, H, W)
    difference: Tensor = phi_truth * truth - phi_predicted * predicted
    return difference.abs().mean()


def near_gray_weights(chroma: Tensor, factor: float) -> Tensor:
    """How many times each photo counts: `factor` up to a mean chroma of 6, once from 10 on, linear between.

    chroma: (B, 2, H, W) true CIE ab. Returns (B,). Collections of colour photos leave the nearly gray ones out, and
    archives do not: those that remain stand in for them.
    """
    means = chroma.square().sum(1).sqrt().mean((1, 2))  # (B, 2, H, W) -> (B,)
    nearness = ((_COLOURED - means) / (_COLOURED - _NEARLY_GRAY)).clamp(0, 1)
    return 1 + (factor - 1) * nearness


class Objective(BaseObjective):
    """Huber loss between predicted and true chroma, and the salient loss where `salience` asks for it."""

    method = "smsanet"
    settings_type = Settings
    settings: Settings
    network: SMSANet

    def __init__(
        self, network: SMSANet, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__(network, settings, companions)
        if self.settings.salience and "saliency" not in self.companions:
            raise UsageError(
                f"salience = {self.settings.salience} needs a saliency detector: --set saliency=FILE with PFANet's "
                "weights, or --set saliency=classical"
            )

    @classmethod
    def needs(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """A saliency detector, where the salient loss is asked for."""
        return frozenset({"saliency"} if cls.read(settings).salience else ())

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """`huber`, or with photo_scale `cauchy`, and with salience `salient`, weighted; in float32 also under autocast.

        Huber (`chroma_huber`) is on ab / 110, the others on sRGB 0..1, so that their weights are for scales of
        about one (our reading).
        """
        del player  # there is one
        rgb = batch["rgb"]
        lab = rgb_to_lab(rgb)
        aging = self.settings.aging
        seen = aged(lab[:, :1], batch["seed"], aging) if aging else lab[:, :1]
        predicted = self.network(normalize_lightness(seen)).float()
        photo_scale, salience = self.settings.photo_scale, self.settings.salience
        if photo_scale or salience:
            shown = open_rgb(torch.cat((lab[:, :1], predicted * CHROMA_SCALE), dim=1))
        if photo_scale:
            weights = near_gray_weights(lab[:, 1:], self.settings.near_gray) if self.settings.near_gray > 1 else None
            losses = {"cauchy": photo_cauchy(shown, rgb, photo_scale / 255, weights)}
        else:
            losses = {"huber": chroma_huber(predicted, lab[:, 1:] / CHROMA_SCALE, self.settings.delta)}
        if salience:
            losses["salient"] = salience * salient_loss(rgb, shown, self.companions["saliency"])
        return losses

    def notes(self) -> dict[str, str]:
        """Which detector the salient loss had."""
        if not self.settings.salience:
            return {}
        detector = self.companions["saliency"]
        return {"saliency": str(getattr(detector, "title", type(detector).__name__))}
