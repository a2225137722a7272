"""How chroma predicted on a small picture meets the lightness of a large one."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.color.gamut import fit_to_gamut
from colorcli.color.lab import lab_to_rgb

RADIUS = 3  # of the window, pixels of the small picture
EPSILON = 16.0  # squared units of L: contrast well below 4 in a window does not steer chroma


def _box_mean(maps: Tensor, radius: int) -> Tensor:
    """Mean over the (2 radius + 1)^2 window, smaller at the borders. (B, C, h, w) in and out."""
    return F.avg_pool2d(maps, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def guide(lightness: Tensor, chroma: Tensor, radius: int = RADIUS, epsilon: float = EPSILON) -> tuple[Tensor, Tensor]:
    """The local line chroma = slope x L + offset that explains the chroma by the lightness around each pixel.

    lightness: (B, 1, h, w) CIE L; chroma: (B, 2, h, w) CIE ab. Returns slope and offset, (B, 2, h, w) each.
    At full size the line is applied to the full lightness, so that chroma ends where the photo's own edges are
    (guided filter, He, Sun, Tang 2013, in its subsampled form, He and Sun 2015).
    """
    mean_l, mean_c = _box_mean(lightness, radius), _box_mean(chroma, radius)
    covariance = _box_mean(lightness * chroma, radius) - mean_l * mean_c
    variance = _box_mean(lightness**2, radius) - mean_l**2
    slope = covariance / (variance.clamp(min=0) + epsilon)
    offset = mean_c - slope * mean_l
    return _box_mean(slope, radius), _box_mean(offset, radius)


def enlarge(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, C, h, w) -> (B, C, height, width), bilinear, pixel centres aligned."""
    return F.interpolate(maps, (height, width), mode="bilinear", align_corners=False)


def join(lightness: Tensor, slope: Tensor, offset: Tensor, saturation: float = 1.0) -> Tensor:
    """The coloured picture: the full lightness, and chroma by the enlarged local lines.

    lightness: (B, 1, H, W) CIE L; slope, offset: (B, 2, h, w). Returns sRGB, (B, 3, H, W), 0..1, inside the gamut
    at the photo's own lightness.
    """
    height, width = lightness.shape[2:]
    chroma = enlarge(slope, height, width) * lightness + enlarge(offset, height, width)
    return lab_to_rgb(fit_to_gamut(torch.cat((lightness, saturation * chroma), dim=1)))
