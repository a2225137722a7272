"""How alike pictures' colours are, wherever they lie: the intersection of ab histograms (Swain and Ballard 1991)."""

from __future__ import annotations

import torch
from torch import Tensor

BIN = 10  # units of a and of b
_REACH = 11  # bins on either side of neutral: centres at -110, -100, ..., 110, which hold all of sRGB
_ACROSS = 2 * _REACH + 1


def ab_histogram(chroma: Tensor) -> Tensor:
    """Share of the pixels in each square of 10x10 units of the ab plane, per picture.

    chroma: (B, 2, H, W) CIE ab, any float dtype. Returns (B, 529) float64 that add up to 1, a's bin first. Neutral is
    the middle of a bin, not a corner that four of them share: a little noise on gray then stays in its bin. What lies
    beyond the outermost bins counts there. No pixels, or values that are not finite, raise ValueError.
    """
    if chroma.dim() != 4 or chroma.shape[1] != 2 or not chroma.numel():
        raise ValueError(f"expected chroma (B, 2, H, W), got {tuple(chroma.shape)}")
    if not bool(torch.isfinite(chroma).all()):
        raise ValueError("chroma that is not finite has no histogram")
    bins = (chroma.double() / BIN).round().clamp(-_REACH, _REACH).long() + _REACH
    index = (_ACROSS * bins[:, 0] + bins[:, 1]).flatten(1)  # (B, 2, H, W) -> (B, HW)
    counts = torch.zeros(len(chroma), _ACROSS**2, dtype=torch.float64, device=chroma.device)
    counts.scatter_add_(1, index, torch.ones_like(index, dtype=torch.float64))
    return counts / index.shape[1]


def intersection(one: Tensor, other: Tensor) -> Tensor:
    """Sum of the smaller shares of each bin: 1 for equal histograms, 0 for those that share no bin.

    Histograms (..., bins), broadcast against each other, each of the sum 1. Returns (...).
    """
    return torch.minimum(one, other).sum(-1)
