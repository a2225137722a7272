"""What predictors of several methods do with references, and with photos that are to be compared with them."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_CELLS = 4  # across and down, in which a photo's content is averaged


def refuse_no_reference(reference: Tensor) -> None:
    """ValueError for what is not (B, 3, h, w)."""
    if reference.dim() != 4 or reference.shape[1] != 3:
        raise ValueError(f"expected a reference (B, 3, h, w), got {tuple(reference.shape)}")


def squared(reference: Tensor, side: int) -> Tensor:
    """A reference of any size stretched to a square, bilinear and antialiased.

    reference: (B, 3, h, w) sRGB 0..1. Returns (B, 3, side, side) float32, 0..1. Wrong shapes raise ValueError.
    """
    refuse_no_reference(reference)
    square = F.interpolate(reference.float(), (side, side), mode="bilinear", antialias=True)
    return square.clamp(0, 1)


def summarized(features: Tensor) -> Tensor:
    """What a photo shows and where, as a vector that is near for like photos: no part of the papers.

    features: (B, C, h, w). Returns (B, 16 C) float32 of length 1: the features averaged in 4x4 cells.
    """
    cells = F.adaptive_avg_pool2d(features.float(), _CELLS)  # -> (B, C, 4, 4)
    return F.normalize(cells.flatten(1), dim=1)  # (B, C, 4, 4) -> (B, 16 C)
