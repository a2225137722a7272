"""Color2Embed's prediction: a reference to its embedding, and with that lightness to chroma."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.methods.blocks import CHROMA_SCALE
from colorcli.methods.color2embed.network import Color2Embed
from colorcli.methods.references import squared, summarized


def normalize_lightness(lightness: Tensor) -> Tensor:
    """CIE L 0..100 to what the network sees, (L - 50) / 50."""
    return (lightness - 50) / 50


class Predictor:
    """Chroma for a lightness in the colours of a reference, whose embedding is made once for many photos.

    gain: fitted on validation photos after training (the best single factor on the predicted chroma); 1 for none.
    """

    def __init__(self, network: Color2Embed, gain: float = 1.0) -> None:
        self.network = network
        self.gain = gain

    @torch.inference_mode()
    def embed(self, reference: Tensor) -> Tensor:
        """reference: (B, 3, h, w) sRGB 0..1, of any size. Returns z, (B, 512) float32.

        It is stretched to the square that the network wants, 256x256 as published, by the paper's bilinear filter
        (antialiased: our reading). Wrong shapes raise ValueError.
        """
        return self.network.embed(squared(reference, self.network.reference_side)).float()

    @torch.inference_mode()
    def content(self, lightness: Tensor) -> Tensor:
        """What a photo shows and where, as a vector that is near for like photos: no part of the paper.

        lightness: as of `__call__`. Returns (B, 16 w4) float32 of length 1: the content encoder's deepest map, averaged
        in 4x4 cells.
        """
        return summarized(self.network.content(normalize_lightness(lightness)))  # of (B, w4, H/16, W/16)

    @torch.inference_mode()
    def __call__(self, lightness: Tensor, z: Tensor) -> Tensor:
        """lightness: (B, 1, H, W) CIE L 0..100, sides multiples of 16. z: (B, 512), or (1, 512) for all photos.

        Returns CIE ab, (B, 2, H, W) float32. Wrong shapes raise ValueError.
        """
        chroma = self.network.paint(normalize_lightness(lightness), z)
        return chroma.float() * (CHROMA_SCALE * self.gain)
