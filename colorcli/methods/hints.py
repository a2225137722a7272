"""Colour hints: what a person says of a photo's colours, and how training plays that person (Zhang et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

_STOP = 1 / 8  # after each hint: the number of hints is geometric
_LARGEST_PATCH = 9  # pixels at 256: patches of 1 to 9
_SPREAD = 1 / 4  # standard deviation of a hint's place about the middle, of the side
_WHOLE = 0.01  # share of pictures that are given all of their colour


def reveal(chroma: Tensor, seeds: Tensor, *, stop: float = _STOP, whole: float = _WHOLE) -> tuple[Tensor, Tensor]:
    """Hints as the published training draws them from the truth: some patches' mean colour, most near the middle.

    chroma: (B, 2, H, W), any scale. seeds: (B,) int64; a picture's hints follow from its seed alone.
    Returns hints (B, 2, H, W), zero where there is none, and mask (B, 1, H, W), 1 where there is one.
    """
    hints = torch.zeros_like(chroma)
    mask = torch.zeros_like(chroma[:, :1])
    height, width = chroma.shape[2:]
    for index, seed in enumerate(seeds.tolist()):
        draw = torch.Generator().manual_seed(seed)
        if float(torch.rand(1, generator=draw)) < whole:
            hints[index], mask[index] = chroma[index], 1.0
            continue
        while float(torch.rand(1, generator=draw)) >= stop:
            patch = int(torch.randint(1, _LARGEST_PATCH + 1, (1,), generator=draw))
            place = torch.randn(2, generator=draw) * _SPREAD + 0.5
            top = int((place[0] * height - patch / 2).clamp(0, max(height - patch, 0)))
            left = int((place[1] * width - patch / 2).clamp(0, max(width - patch, 0)))
            region = (index, slice(None), slice(top, top + patch), slice(left, left + patch))
            hints[region] = chroma[region].mean((1, 2), keepdim=True)  # (2, p, p) -> (2, 1, 1)
            mask[region] = 1.0
    return hints, mask
