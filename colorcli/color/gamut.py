"""Where sRGB ends: the largest chroma for a lightness and a hue, and how colours beyond it come back."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.color.lab import lab_to_linear

_LARGEST_CHROMA = 160.0  # no sRGB colour has more: blue has 133.8
_HALVINGS = 22  # 160 / 2^22: far below an 8-bit step
_SLACK = 1e-5  # of linear light: rounding, so that the gamut's own border counts as inside
# Seen from gray, sRGB has one dent, before yellow: on the ray to pure yellow (chroma 97) red passes 1 at chroma 27,
# rises to 1.0304 and comes back to 1 at its end. There red may pass 1, by this part of green x (1 - blue), so that no
# colour of sRGB loses chroma and the border has no jump; clipping it moves L by 0.3 at most.
_DENT = 0.04


def diamond_angle(a: Tensor, b: Tensor) -> Tensor:
    """The hue as a number 0..4 that needs no arctangent: where the ray meets the square |a| + |b| = 1.

    Any shape. Grows with the angle: +a is 0, +b is 1, -a is 2, -b is 3. Gray gives 1.
    """
    norm = (a.abs() + b.abs()).clamp(min=1e-12)
    return torch.where(b >= 0, 1 - a / norm, 3 + a / norm)


def _direction(angle: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vector (a, b) of a diamond angle."""
    a = torch.where(angle <= 2, 1 - angle, angle - 3)
    b = torch.where(angle <= 2, 1 - a.abs(), a.abs() - 1)
    length = torch.sqrt(a**2 + b**2)
    return a / length, b / length


def _inside(lab: Tensor) -> Tensor:
    """Which colours sRGB can show, or nearly (see _DENT). (..., 3, H, W) -> (..., H, W)."""
    red, green, blue = lab_to_linear(lab).unbind(-3)
    most = 1 + _SLACK
    lit = (red >= -_SLACK) & (green >= -_SLACK) & (blue >= -_SLACK)
    return lit & (red <= most + _DENT * green * (1 - blue)) & (green <= most) & (blue <= most)


def largest_chroma(lightness: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The largest chroma inside sRGB on the ray from gray through (a, b) at this lightness.

    Any equal shapes; a**2 + b**2 = 1. Found by halving, to 160 / 2^22. Returns 0..160, the dent before yellow filled.
    """
    low, high = torch.zeros_like(lightness), torch.full_like(lightness, _LARGEST_CHROMA)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        lab = torch.stack((lightness, middle * a, middle * b)).unsqueeze(-1)  # (3, ...) -> (3, ..., 1)
        inside = _inside(lab.reshape(3, -1, 1)).reshape(lab.shape[1:-1])
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return low


def gamut_table(lightnesses: int = 257, angles: int = 513) -> Tensor:
    """Largest chroma as a table, (lightnesses, angles) float32: rows L = 0..100, columns diamond angle 0..4.

    Both ends are in, so the last column equals the first.
    """
    rows = torch.linspace(0, 100, lightnesses, dtype=torch.float64)
    columns = torch.linspace(0, 4, angles, dtype=torch.float64)
    lightness, angle = torch.meshgrid(rows, columns, indexing="ij")
    return largest_chroma(lightness, *_direction(angle)).float()


def fit_to_gamut(lab: Tensor) -> Tensor:
    """Take chroma from colours that sRGB cannot show, at their lightness and Lab hue; others stay as they are.

    lab: (..., 3, H, W). Returns the same shape.
    """
    outside = ~_inside(lab)  # (..., H, W)
    lightness, a, b = (plane[outside] for plane in lab.unbind(-3))  # few pixels: (P,) each
    chroma = torch.sqrt(a**2 + b**2).clamp(min=1e-6)
    scale = (largest_chroma(lightness, a / chroma, b / chroma) / chroma).clamp(max=1)
    fitted = lab.clone()
    for plane, values in ((1, a * scale), (2, b * scale)):
        fitted.select(-3, plane)[outside] = values
    return fitted
