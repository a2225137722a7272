"""How chroma predicted on a small picture meets the lightness of a large one."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.color.gamut import fit_to_gamut
from colorcli.color.lab import lab_to_rgb

RADIUS = 3  # of the window, pixels of the small picture
WIDE = 1 / 16  # radius of the window for changes of Lab, of the small picture's side
CONTRAST = (0.8, 1.25)  # factors on local contrast that a change may have: SSIM's contrast term stays above 0.97
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
    mean_l, mean_c, slope = _lines(lightness, chroma, radius, epsilon)
    return _box_mean(slope, radius), _box_mean(mean_c - slope * mean_l, radius)


def guide_change(lightness: Tensor, change: Tensor, epsilon: float = EPSILON) -> tuple[Tensor, Tensor]:
    """The same for a change of Lab, (B, 3, h, w): what is wide arrives, the photo's own detail stays.

    Windows are wide, because a network that blurs changes L by minus the detail: in small windows a line explains just
    that, and would take the detail from the full-size photo too. For the same reason L's slope keeps contrast within
    CONTRAST. Returns slope and offset, (B, 3, h, w) each.
    """
    radius = max(RADIUS, round(WIDE * math.sqrt(lightness.shape[2] * lightness.shape[3])))
    mean_l, mean_c, slope = _lines(lightness, change, radius, epsilon)
    least, most = CONTRAST
    slope = torch.cat((slope[:, :1].clamp(least - 1, most - 1), slope[:, 1:]), dim=1)
    return _box_mean(slope, radius), _box_mean(mean_c - slope * mean_l, radius)


def _lines(lightness: Tensor, maps: Tensor, radius: int, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Means of L and of the maps in each window, and the slope of the line from the one to the other."""
    mean_l, mean_m = _box_mean(lightness, radius), _box_mean(maps, radius)
    covariance = _box_mean(lightness * maps, radius) - mean_l * mean_m
    variance = _box_mean(lightness**2, radius) - mean_l**2
    return mean_l, mean_m, covariance / (variance.clamp(min=0) + epsilon)


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
