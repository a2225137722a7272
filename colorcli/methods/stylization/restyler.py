"""Photorealistic stylization of colour photos: how the transfer sub-net would change them, as a difference of Lab."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.methods.stylization.referring import Refers
from colorcli.methods.stylization.stylist import SITES, Stylist
from colorcli.methods.stylization.transfer import TransferNet


class Restyler(Refers):
    """The change that brings photos into the style of a reference, which is measured once for many photos.

    gain: a factor on that change; of trained weights it is 1. transform, sites: see `Stylist`. reference_side: see
    `Refers`.
    """

    def __init__(
        self,
        network: TransferNet,
        gain: float = 1.0,
        *,
        transform: str = "adain",
        sites: Sequence[str] = SITES,
        reference_side: int = 256,
    ) -> None:
        super().__init__(Stylist(network, transform, sites), reference_side)
        self._gain = gain

    @torch.inference_mode()
    def __call__(self, lab: Tensor, z: Tensor, segments: Tensor | None = None) -> Tensor:
        """lab: (B, 3, H, W) CIE Lab, sides multiples of 8. z: (B, E), or (1, E) for all photos.

        segments: (B, H, W), which of the reference's regions a pixel takes after, where z is of several, (B, R E).
        Returns what is to be added to it, (B, 3, H, W) float32: from what the network gives back of the photo as it is
        to what it gives in the style, so that what it always loses is no part of the change. Wrong shapes raise
        ValueError.
        """
        if lab.dim() != 4 or lab.shape[1] != 3:
            raise ValueError(f"expected (B, 3, H, W), got {tuple(lab.shape)}")
        content = lab_to_rgb(lab)
        painted = self._stylist.apply(content, self._stylist.from_vector(z, labelled=segments is not None), segments)
        plain = self._stylist.network(content).float().clamp(0, 1)
        return self._gain * (rgb_to_lab(painted) - rgb_to_lab(plain))

    def stylize(self, content: Tensor, style: Tensor) -> Tensor:
        """The network's own pictures, with no such difference between: see `Stylist.stylize`."""
        return self._stylist.stylize(content, style)
