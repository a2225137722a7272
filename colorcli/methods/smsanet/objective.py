"""What training SMSANet minimises: the Huber loss on chroma (eq. 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.blocks import CHROMA_SCALE, normalize_lightness
from colorcli.methods.smsanet.network import SMSANet


class Objective:
    """Huber loss between predicted and true chroma.

    settings: `delta`, in units of CIE ab (paper: 1. On the network's normalised chroma that is 1/110: our reading).
    """

    def __init__(self, network: SMSANet, settings: Mapping[str, Any]) -> None:
        unknown = set(settings) - {"delta"}
        if unknown:
            raise UsageError(f"smsanet's objective has no setting {', '.join(sorted(unknown))}; it has: delta")
        self.network = network
        try:
            self.delta = float(settings.get("delta", 1.0))
        except (TypeError, ValueError):
            self.delta = 0.0
        if not self.delta > 0:
            raise UsageError(f"delta must be a number above 0, not {settings['delta']!r}")

    def loss(self, rgb: Tensor) -> Tensor:
        """rgb: (B, 3, H, W) float 0..1, sides multiples of 8. Returns the scalar loss.

        Divided by delta, so that its slope is 1 whatever delta is: the rate then keeps its meaning.
        """
        lab = rgb_to_lab(rgb)
        target = lab[:, 1:] / CHROMA_SCALE
        predicted = self.network(normalize_lightness(lab[:, :1]))
        delta = self.delta / CHROMA_SCALE
        return F.huber_loss(predicted.float(), target, delta=delta) / delta
