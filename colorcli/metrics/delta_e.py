"""Colour difference as people see it: CIEDE2000 (CIE 142-2001), in the form of Sharma, Wu and Dalal (2005)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_HALF = 25.0**7  # chroma at which the correction of a is half
_TURN = 2 * math.pi


def delta_e_2000(one: Tensor, other: Tensor) -> Tensor:
    """Per pixel: (B, 3, H, W) CIE Lab twice, any float dtype. Returns (B, H, W) of that dtype, 0 for equal colours.

    About 1 is the least difference that people see; k_L = k_C = k_H = 1. Errors: ValueError for other shapes.
    """
    if one.dim() != 4 or one.shape[1] != 3 or other.shape != one.shape:
        raise ValueError(f"expected Lab (B, 3, H, W) twice, got {tuple(one.shape)} and {tuple(other.shape)}")
    (l_1, a_1, b_1), (l_2, a_2, b_2) = one.unbind(1), other.unbind(1)
    stretch = 1.5 - 0.5 * _saturating((torch.hypot(a_1, b_1) + torch.hypot(a_2, b_2)) / 2)
    c_1, h_1 = _polar(stretch * a_1, b_1)
    c_2, h_2 = _polar(stretch * a_2, b_2)
    gray = (c_1 == 0) | (c_2 == 0)  # has no hue: nothing to differ by

    turn = torch.remainder(h_2 - h_1 + math.pi, _TURN) - math.pi  # the shorter way round
    turn = torch.where(gray, torch.zeros_like(turn), turn)
    twice = h_1 + h_2
    other_way = torch.where(twice < _TURN, twice + _TURN, twice - _TURN)
    hue = torch.where((h_1 - h_2).abs() > math.pi, other_way, twice) / 2
    hue = torch.where(gray, twice, hue)
    lightness, chroma = (l_1 + l_2) / 2, (c_1 + c_2) / 2

    middle = (lightness - 50).square()
    of_lightness = (l_2 - l_1) / (1 + 0.015 * middle / (20 + middle).sqrt())
    of_chroma = (c_2 - c_1) / (1 + 0.045 * chroma)
    of_hue = 2 * (c_1 * c_2).sqrt() * torch.sin(turn / 2) / (1 + 0.015 * chroma * _weight(hue))
    blue = torch.sin(2 * math.radians(30) * torch.exp(-((torch.rad2deg(hue) - 275) / 25).square()))
    rotation = -2 * _saturating(chroma) * blue
    squares = of_lightness.square() + of_chroma.square() + of_hue.square() + rotation * of_chroma * of_hue
    return squares.clamp(min=0).sqrt()


def _saturating(chroma: Tensor) -> Tensor:
    """0 for gray, near 1 for vivid colour: sqrt(C^7 / (C^7 + 25^7))."""
    power = chroma**7
    return (power / (power + _HALF)).sqrt()


def _polar(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Chroma, and hue in radians, 0..2 pi; gray has hue 0."""
    return torch.hypot(a, b), torch.remainder(torch.atan2(b, a), _TURN)


def _weight(hue: Tensor) -> Tensor:
    """T of the formula: how much a difference of hue counts at this hue."""
    return (
        1
        - 0.17 * torch.cos(hue - math.radians(30))
        + 0.24 * torch.cos(2 * hue)
        + 0.32 * torch.cos(3 * hue + math.radians(6))
        - 0.20 * torch.cos(4 * hue - math.radians(63))
    )
