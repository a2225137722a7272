"""sRGB <-> CIE Lab, as pure batched tensor functions.

D65 white, 2 degree observer; sRGB after IEC 61966-2-1; Lab after CIE 15:2004.
"""

from __future__ import annotations

import torch
from torch import Tensor

# linear sRGB -> XYZ, IEC 61966-2-1, and its inverse
_RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.95047, 1.0, 1.08883)  # D65, 2 degree observer, Y = 1
_EPSILON = 216 / 24389  # (6/29)^3, where the cube root hands over to the line
_KAPPA = 24389 / 27  # (29/3)^3


def _apply(matrix: Tensor, pixels: Tensor) -> Tensor:
    with torch.autocast(pixels.device.type, enabled=False):  # a product in bf16 would move ab by several units
        return torch.einsum("ij,...jhw->...ihw", matrix, pixels)


def _rgb_to_xyz_matrix(like: Tensor) -> Tensor:
    """Linear sRGB to XYZ relative to white: row sums are close to 1."""
    rows = torch.tensor(_RGB_TO_XYZ, dtype=torch.float64)
    return (rows / torch.tensor(_WHITE, dtype=torch.float64)[:, None]).to(like)


def _xyz_to_rgb_matrix(like: Tensor) -> Tensor:
    rows = torch.tensor(_RGB_TO_XYZ, dtype=torch.float64)
    relative = rows / torch.tensor(_WHITE, dtype=torch.float64)[:, None]
    inverse: Tensor = torch.linalg.inv(relative)
    return inverse.to(like)


def linearize(rgb: Tensor) -> Tensor:
    """Undo the sRGB transfer curve. Any shape, 0..1 in and out."""
    power: Tensor = ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(rgb > 0.04045, power, rgb / 12.92)


def delinearize(linear: Tensor) -> Tensor:
    """Apply the sRGB transfer curve. Any shape; values beyond 0..1 stay beyond it."""
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB to CIE Lab.

    rgb: (..., 3, H, W) float, 0..1. Returns (..., 3, H, W): L 0..100, a and b about -128..127.
    """
    xyz = _apply(_rgb_to_xyz_matrix(rgb), linearize(rgb))
    f = torch.where(xyz > _EPSILON, xyz.clamp(min=_EPSILON) ** (1 / 3), (_KAPPA * xyz + 16) / 116)
    x, y, z = f.unbind(-3)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-3)


def lab_to_linear(lab: Tensor) -> Tensor:
    """CIE Lab to linear sRGB, not clipped: what lies outside 0..1 is outside the gamut. (..., 3, H, W)."""
    lightness, a, b = lab.unbind(-3)
    y = (lightness + 16) / 116
    f = torch.stack((y + a / 500, y, y - b / 200), dim=-3)
    return _apply(_xyz_to_rgb_matrix(lab), _relative(f))


def luminance(lightness: Tensor) -> Tensor:
    """Relative luminance, 0..1, of CIE L, 0..100: the linear value of the gray of that lightness. Any shape."""
    return _relative((lightness + 16) / 116)


def _relative(f: Tensor) -> Tensor:
    """XYZ relative to white from what Lab makes of it."""
    return torch.where(f**3 > _EPSILON, f**3, (116 * f - 16) / _KAPPA)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """CIE Lab to sRGB, clipped to 0..1. (..., 3, H, W) in and out.

    Clipping moves lightness and hue: fit chroma to the gamut first (`colorcli.color.gamut`).
    """
    return delinearize(lab_to_linear(lab)).clamp(0, 1)


def open_rgb(lab: Tensor) -> Tensor:
    """CIE Lab to sRGB that goes on beyond 0..1, so that colours outside the gamut keep a gradient. (..., 3, H, W).

    Below 0 the transfer curve is mirrored (as in scRGB): its straight piece goes on at a slope of 12.92 otherwise.
    """
    linear = lab_to_linear(lab)
    rgb: Tensor = torch.sign(linear) * delinearize(linear.abs())
    return rgb
