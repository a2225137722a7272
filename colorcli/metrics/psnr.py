"""Peak signal-to-noise ratio over 8-bit sRGB."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_squared_error(truth: Tensor, result: Tensor) -> Tensor:
    """Per picture: (B, 3, H, W) twice, 0..255, any dtype. Returns (B,) float64."""
    return (truth.double() - result.double()).square().flatten(1).mean(1)  # (B, 3, H, W) -> (B, 3HW) -> (B,)


def psnr(mse: Tensor) -> Tensor:
    """Decibels for mean squared errors on the 0..255 scale; an error of zero gives infinity."""
    return 10 * torch.log10(255.0**2 / mse)
