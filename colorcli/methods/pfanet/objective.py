"""What training PFANet minimises: binary cross entropy of the saliency and of its edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective
from colorcli.methods.pfanet.network import PFANet

_LAPLACIAN = ((-1.0, -1.0, -1.0), (-1.0, 8.0, -1.0), (-1.0, -1.0, -1.0))  # of the published code
_SOFTEST = 1e-3  # an edge's probability stays this far from 0 and 1, so that its logarithm has a bounded slope


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe."""

    alpha: float = 0.7  # share of the saliency's loss; the edges have the rest (paper: 0.7)
    start: str = "scratch"  # "backbone": the VGG body takes over the features of the recipe's backbone

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], not {self.alpha}")
        if self.start not in ("scratch", "backbone"):
            raise ValueError(f"start must be scratch or backbone, not {self.start!r}")


def edges(saliency: Tensor) -> Tensor:
    """How much of an edge each pixel is: |tanh| of the Laplacian over eight neighbours.

    saliency: (B, 1, H, W) float32, 0..1. Returns (B, 1, H, W), 0..1. The border is repeated outwards, so that an object
    that touches it has no edge there (our reading).
    """
    kernel = saliency.new_tensor(_LAPLACIAN)[None, None]
    return torch.tanh(F.conv2d(F.pad(saliency, (1, 1, 1, 1), mode="replicate"), kernel).abs())


def edge_loss(saliency: Tensor, mask: Tensor) -> Tensor:
    """Mean binary cross entropy of the edges of two maps, (B, 1, H, W) float32 each. Returns a scalar.

    Its minimum, at equal maps, is the entropy of the mask's soft edges: a little above 0.
    """
    wanted = edges(mask)
    found = _SOFTEST + (1 - 2 * _SOFTEST) * edges(saliency)
    return -(wanted * found.log() + (1 - wanted) * (1 - found).log()).mean()


class Objective(BaseObjective):
    """0.7 x binary cross entropy of the saliency + 0.3 x that of its edges.

    The paper weighs salient pixels 0.528 to 0.472, the shares of its own data; here they weigh alike (our reading).
    """

    method = "pfanet"
    settings_type = Settings
    settings: Settings
    data: ClassVar[str] = "masked"
    network: PFANet

    def __init__(
        self, network: PFANet, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__(network, settings, companions)
        if self.settings.start == "backbone":
            self._take_over(self.companions.get("backbone"))

    @classmethod
    def needs(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """The backbone, where the body starts from it."""
        return frozenset({"backbone"} if cls.read(settings).start == "backbone" else ())

    def _take_over(self, backbone: nn.Module | None) -> None:
        if backbone is None:
            raise UsageError("start = backbone needs a backbone: --backbone FILE or --backbone torchvision")
        prefix, own = "features.", self.network.features.state_dict()
        given = {k.removeprefix(prefix): v for k, v in backbone.state_dict().items() if k.startswith(prefix)}
        if {k: v.shape for k, v in given.items()} != {k: v.shape for k, v in own.items()}:
            raise UsageError(
                "the backbone's features do not fit pfanet's body: with network.body = vgg19, network.norm and "
                "network.widths must be those of the backbone"
            )
        self.network.features.load_state_dict(given)

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """`saliency` and `edges`, weighted, on `rgb` and `mask`; in float32 also under autocast."""
        del player  # there is one
        logits = self.network.logits(batch["rgb"])
        with torch.autocast(logits.device.type, enabled=False):  # the Laplacian and the logarithms are nothing for bf16
            logits, mask = logits.float(), batch["mask"].float()
            saliency = F.binary_cross_entropy_with_logits(logits, mask)
            edge = edge_loss(torch.sigmoid(logits), mask)
        return {"saliency": self.settings.alpha * saliency, "edges": (1 - self.settings.alpha) * edge}

    def notes(self) -> dict[str, str]:
        """Which backbone the body started from, where it did."""
        if self.settings.start == "scratch":
            return {}
        return {"body from": str(getattr(self.companions["backbone"], "title", "a backbone"))}
