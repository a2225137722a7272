"""Colourfulness after Hasler and Suesstrunk (2003)."""

from __future__ import annotations

import torch
from torch import Tensor

GRAY = 2.0  # colourfulness up to which a photo is gray: it says nothing about colour


def colourfulness(rgb: Tensor) -> Tensor:
    """Per picture: (B, 3, H, W) sRGB, 0..255, any dtype. Returns (B,) float64; gray is 0, vivid about 60 to 110.

    sqrt(var rg + var yb) + 0.3 sqrt(mean rg^2 + mean yb^2), rg = R - G, yb = (R + G) / 2 - B, population variance.
    """
    red, green, blue = rgb.double().flatten(2).unbind(1)  # (B, 3, H, W) -> 3 x (B, HW)
    opponents = torch.stack((red - green, (red + green) / 2 - blue), dim=1)  # (B, 2, HW)
    spread = opponents.var(2, correction=0).sum(1).sqrt()
    centre = opponents.mean(2).square().sum(1).sqrt()
    return spread + 0.3 * centre
