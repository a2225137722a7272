"""AGIN's prediction: lightness to chroma, and where the network looked."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.agin.gray import gray_picture
from colorcli.methods.agin.network import Generator, Painting


class Predictor:
    """Chroma for a lightness: the ab of the picture that the generator paints; its lightness is dropped.

    gain: fitted on validation photos after training (the best single factor on the predicted chroma); 1 for none.
    """

    def __init__(self, network: Generator, gain: float = 1.0) -> None:
        self.network = network
        self.gain = gain

    @torch.inference_mode()
    def __call__(self, lightness: Tensor) -> Tensor:
        """lightness: (B, 1, H, W) CIE L 0..100, sides multiples of 4. Returns CIE ab, (B, 2, H, W) float32.

        Wrong shapes raise ValueError.
        """
        return self._chroma(self._paint(lightness))

    @torch.inference_mode()
    def with_attention(self, lightness: Tensor) -> tuple[Tensor, Tensor]:
        """The chroma and the attention map of Fig. 2, (B, 1, H, W) float32, each photo's own range on 0..1.

        A map without any range is 0. A network without attention raises UsageError.
        """
        painting = self._paint(lightness)
        if painting.heat is None:
            raise UsageError("these weights of agin have no attention map: they were trained with attention = none")
        heat = painting.heat.float()
        low, high = heat.amin(dim=(2, 3), keepdim=True), heat.amax(dim=(2, 3), keepdim=True)
        scaled = (heat - low) / (high - low).clamp(min=1e-12)
        # (B, 1, H/4, W/4) -> (B, 1, H, W)
        return self._chroma(painting), F.interpolate(scaled, lightness.shape[2:], mode="bilinear")

    def _paint(self, lightness: Tensor) -> Painting:
        if lightness.dim() != 4 or lightness.shape[1] != 1:
            raise ValueError(f"expected (B, 1, H, W), got {tuple(lightness.shape)}")
        painting: Painting = self.network(gray_picture(lightness))
        return painting

    def _chroma(self, painting: Painting) -> Tensor:
        return rgb_to_lab((painting.rgb.float() + 1) / 2)[:, 1:] * self.gain
