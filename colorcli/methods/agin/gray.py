"""Gray pictures as AGIN's networks see them."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.color.lab import delinearize, rgb_to_lab

_KAPPA = 24389 / 27  # (29/3)^3, CIE 15:2004: below L = 8 the luminance is L / kappa


def gray_picture(lightness: Tensor) -> Tensor:
    """The gray whose CIE L is the given one, in all three channels. (B, 1, H, W), 0..100 -> (B, 3, H, W), -1..1."""
    lightness = lightness.float().clamp(0, 100)
    luminance = torch.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / _KAPPA)
    value = 2 * delinearize(luminance).clamp(0, 1) - 1
    return value.expand(-1, 3, -1, -1)  # (B, 1, H, W) -> (B, 3, H, W)


def grayed(rgb: Tensor) -> Tensor:
    """A gray or coloured picture without its colour. (B, 3, H, W), sRGB 0..1 -> (B, 3, H, W), -1..1."""
    return gray_picture(rgb_to_lab(rgb.float())[:, :1])
