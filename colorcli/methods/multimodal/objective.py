"""What training the U-Net minimises: chrominance on one half of the pictures, perception on the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.color.lab import open_rgb, rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.backbone.network import Features, ResNet
from colorcli.methods.blocks import CHROMA_SCALE
from colorcli.methods.multimodal.guidance import from_reference, similarities, there_and_back
from colorcli.methods.multimodal.network import Multimodal
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective

_PERCEIVED = "layer4"  # of the RGB similarity net


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe."""

    perceptual: float = 0.0  # alpha, which has no published value; above 0 it needs the companion "backbone"
    similarity: str = "scratch"  # start of the similarity net: "scratch", or "companion" for that of this name

    def __post_init__(self) -> None:
        if not 0 <= self.perceptual < math.inf:
            raise ValueError(f"perceptual must be 0 or more, not {self.perceptual}")
        if self.similarity not in ("scratch", "companion"):
            raise ValueError(f"similarity must be scratch or companion, not {self.similarity!r}")


class Objective(BaseObjective):
    """Chroma's MSE where the target's own went to the reference and back, features' MSE where the reference's came."""

    method = "multimodal"
    settings_type = Settings
    settings: Settings
    data: ClassVar[str] = "paired"
    network: Multimodal
    out_of_reach = ("similarity.",)

    def __init__(
        self, network: Multimodal, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__(network, settings, companions)
        if self.settings.similarity == "companion":
            trained = self._companion("similarity", "similarity = companion", 1)
            try:
                network.start_from(trained)
            except ValueError as error:
                raise UsageError(f"{trained.title} cannot be multimodal's similarity net: {error}") from None
        if self.settings.perceptual:
            backbone = self._companion("backbone", "perceptual", 3)
            self.companions["perception"] = Features(backbone, _PERCEIVED)

    def _companion(self, name: str, use: str, channels: int) -> ResNet:
        given = self.companions.get(name)
        if not isinstance(given, ResNet) or given.in_channels != channels:
            seen = {1: "lightness", 3: "RGB"}[channels]
            found = getattr(given, "title", "none")
            raise UsageError(f"multimodal needs a {name} of ResNet34's shape on {seen} for {use}, not {found}")
        return given

    @classmethod
    def needs(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """The RGB similarity net ("backbone") for the perceptual loss, the one on lightness where it starts from it."""
        own = cls.read(settings)
        asked = {"backbone": own.perceptual > 0, "similarity": own.similarity == "companion"}
        return frozenset(name for name, needed in asked.items() if needed)

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """`chrominance`, and `perceptual` where its weight is not 0; in float32 also under autocast.

        Which half a picture is in follows from its seed. Each loss is the mean over the batch with 0 for the other
        half's pictures, doubled, so that its scale is that of a picture and does not depend on who shares the batch.
        Without matches, and without a perceptual loss, all pictures are of the first half (section 5.3).
        """
        del player  # there is one
        lab, reference = rgb_to_lab(batch["rgb"]), rgb_to_lab(batch["reference"])
        lightness, chroma = lab[:, :1], lab[:, 1:]
        halves = self.settings.perceptual > 0 and self.network.matches
        perceived = (batch["seed"] % 2 == 1) & halves  # (B,)
        share = 0.5 if halves else 1.0
        guided = self._guided(lab, reference, perceived) if self.network.matches else (None, None)
        predicted = self.network.paint(lightness, *guided).float()
        distance = (predicted - chroma / CHROMA_SCALE).square().mean((1, 2, 3))  # (B, 2, H, W) -> (B,)
        losses = {"chrominance": torch.where(perceived, 0.0, distance).mean() / share}
        if halves:
            shown = open_rgb(torch.cat((lightness, predicted * CHROMA_SCALE), dim=1))
            unlike = self._unlike(shown[perceived], batch["rgb"][perceived])
            losses["perceptual"] = self.settings.perceptual * unlike / (len(lab) * share)
        return losses

    @torch.no_grad()
    def _guided(self, lab: Tensor, reference: Tensor, perceived: Tensor) -> tuple[Tensor, Tensor]:
        """Warped chroma and similarities: of pictures that are perceived R -> T, of the others T -> R -> T."""
        size = (lab.shape[2], lab.shape[3])
        found = self.network.match(*(self.network.levels(maps[:, :1]) for maps in (lab, reference)))
        own, given = there_and_back(found, lab[:, 1:]), from_reference(found, reference[:, 1:], size)
        return torch.where(perceived[:, None, None, None], given, own), similarities(found, size)

    def _unlike(self, shown: Tensor, rgb: Tensor) -> Tensor:
        """Sum over pictures of the mean squared difference of their features; of no picture 0, with a gradient."""
        if not len(shown):
            return shown.sum()
        perception = self.companions["perception"]
        with torch.no_grad():
            wanted = perception(rgb).float()
        return F.mse_loss(perception(shown).float(), wanted) * len(shown)

    def predict(self, predictor: Callable[..., Tensor], lightness: Tensor, truth: Tensor) -> Tensor:
        """Chroma in the colours of a self-reference, the truth mirrored: its colours are there, in other places."""
        z = predictor.embed(truth.flip(3))  # type: ignore[attr-defined]  # exemplar's
        return predictor(lightness, z)

    def notes(self) -> dict[str, str]:
        """What the similarity net is, before any --init, and which network perceived."""
        start = "scratch" if self.settings.similarity == "scratch" else str(self.companions["similarity"].title)
        notes = {"similarity net before --init": start}
        if self.settings.perceptual:
            notes["perceptual"] = str(self.companions["perception"].title)
        return notes
