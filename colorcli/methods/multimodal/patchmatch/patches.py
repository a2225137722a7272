"""Patches of 3x3 pixels, so normalised that the dot product of two of them is nine times the mean of nine cosines."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

SIDE = 3  # pixels
TAPS = SIDE**2


def unit(features: Tensor, name: str) -> Tensor:
    """Each pixel's features at length 1: (B, C, H, W) -> (B, H, W, C), contiguous, of the same type.

    Pixels whose features are all 0 stay so: they are like nothing. name: of the map, for errors. ValueError for
    another shape, an empty map, and features that are not finite or beyond 1e18, whose length overflows.
    """
    if features.dim() != 4 or not features.is_floating_point():
        raise ValueError(f"expected {name} features (B, C, H, W) of floats, got {tuple(features.shape)}")
    if 0 in features.shape:
        raise ValueError(f"expected {name} features of at least one pixel and channel, got {tuple(features.shape)}")
    last = features.detach().permute(0, 2, 3, 1)  # (B, C, H, W) -> (B, H, W, C)
    length = _length(last, 3)
    if not bool(torch.isfinite(length).all()):
        raise ValueError(f"the {name} features are not finite, or too large: repeat the network in fp32")
    scaled: Tensor = last / length.clamp(min=torch.finfo(torch.float32).tiny)
    return scaled.to(features.dtype).contiguous()


def measurable(features: Tensor) -> Tensor:
    """Which pictures have features that `unit` takes: (B, C, H, W) -> (B,) bool."""
    return torch.isfinite(_length(features, 1)).flatten(1).all(1)


def _length(features: Tensor, dim: int) -> Tensor:
    """Of each pixel: the features' length in fp32, with their dimension kept as 1."""
    length: Tensor = torch.linalg.vector_norm(features, dim=dim, keepdim=True, dtype=torch.float32)
    return length


def padded(pixels: Tensor) -> Tensor:
    """One more pixel on each side, the border's own: (B, H, W, C) -> (B, H + 2, W + 2, C), contiguous."""
    first = pixels.permute(0, 3, 1, 2).float()  # CPU's padding of halves is slow
    around = F.pad(first, (1, 1, 1, 1), mode="replicate")
    return around.permute(0, 2, 3, 1).to(pixels.dtype).contiguous()


def rows_of(around: Tensor) -> Tensor:
    """Every patch as one row: padded pixels (B, H + 2, W + 2, C) -> (B H W, 9 C)."""
    batch, height, width, channels = around.shape
    shape = (batch, height - SIDE + 1, width - SIDE + 1, SIDE, SIDE * channels)
    image, row, column, _ = around.stride()
    overlapping: Tensor = around.as_strided(shape, (image, row, column, row, 1))  # a row of a patch lies in one piece
    return overlapping.reshape(-1, TAPS * channels)


def refuse_unlike(target: Tensor, reference: Tensor) -> None:
    """ValueError unless two maps, (B, C, H, W), have as many pictures and channels, one type, and lie on one device."""
    for what, one, other in (
        ("as many pictures and channels", tuple(target.shape[:2]), tuple(reference.shape[:2])),
        ("the same type", target.dtype, reference.dtype),
        ("the same device", target.device, reference.device),
    ):
        if one != other:
            raise ValueError(f"expected {what} for target and reference, got {one} and {other}")
