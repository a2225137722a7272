"""What time and cameras do to a black-and-white photo's tones, drawn at random for training."""

from __future__ import annotations

import torch
from torch import Tensor

_SPARED = 0.5  # share of the photos that are left as they are
_GAMMA = 2.0  # of the tone curve: between its inverse and itself
_FADING = 0.3  # of the range of tones: by how much black may rise and white may fall
_GRAIN = 6.0  # largest standard deviation of the grain, CIE L


def aged(lightness: Tensor, seeds: Tensor, amount: float) -> Tensor:
    """Other tones for the same photos: a tone curve, a range that faded, grain. Our own augmentation, of no paper.

    lightness: (B, 1, H, W) CIE L, 0..100. seeds: (B,) int64; what happens to a photo follows from its seed alone.
    amount: 0, nothing, to 1, as much as there is. Returns (B, 1, H, W), 0..100.
    """
    curves, ranges, grain = [], [], []
    for seed in seeds.tolist():
        draw = torch.Generator().manual_seed(seed)
        spared, curve, black, white, coarse = torch.rand(5, generator=draw).tolist()
        strength = amount if spared >= _SPARED else 0.0
        curves.append(_GAMMA ** (strength * (2 * curve - 1)))
        ranges.append((strength * _FADING * black, 1 - strength * _FADING * white))
        grain.append(strength * _GRAIN * coarse * torch.randn(lightness.shape[1:], generator=draw))
    gamma = torch.tensor(curves).to(lightness)[:, None, None, None]
    black, white = torch.tensor(ranges).to(lightness).T[:, :, None, None, None]  # (B, 2) -> twice (B, 1, 1, 1)
    tones: Tensor = 100 * (black + (white - black) * (lightness / 100).clamp(0, 1) ** gamma)
    return (tones + torch.stack(grain).to(lightness)).clamp(0, 100)
