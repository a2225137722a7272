"""Gray pictures as AGIN's networks see them."""

from __future__ import annotations

from torch import Tensor

from colorcli.color.lab import delinearize, luminance, rgb_to_lab


def gray_picture(lightness: Tensor) -> Tensor:
    """The gray whose CIE L is the given one, in all three channels. (B, 1, H, W), 0..100 -> (B, 3, H, W), -1..1."""
    value = 2 * delinearize(luminance(lightness.float().clamp(0, 100))).clamp(0, 1) - 1
    return value.expand(-1, 3, -1, -1)  # (B, 1, H, W) -> (B, 3, H, W)


def grayed(rgb: Tensor) -> Tensor:
    """A gray or coloured picture without its colour. (B, 3, H, W), sRGB 0..1 -> (B, 3, H, W), -1..1."""
    return gray_picture(rgb_to_lab(rgb.float())[:, :1])
