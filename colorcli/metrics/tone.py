"""Whether a photo is in colour: a toned print, brown all over, is not."""

from __future__ import annotations

import torch
from torch import Tensor

IN_COLOUR = 2.0  # from which on a photo is in colour; toned scans have up to 1.2, muted photos in colour 3 and more
_STEPS = 32  # of lightness, about three units each


def colour_beyond_tone(lab: Tensor) -> Tensor:
    """How far chroma lies from the mean chroma of its lightness: the root mean square, CIE ab units.

    Per picture: (B, 3, H, W) CIE Lab, any dtype. Returns (B,) float64. A toned print's chroma follows lightness,
    so it has about 0, as gray has, whatever its tone.
    """
    lab = lab.double().flatten(2)  # (B, 3, H, W) -> (B, 3, HW)
    steps = (lab[:, :1] * _STEPS / 100).long().clamp(0, _STEPS - 1)  # (B, 1, HW)
    chroma = lab[:, 1:]
    places = steps.expand_as(chroma)
    sums = torch.zeros(*chroma.shape[:2], _STEPS, dtype=chroma.dtype).scatter_add_(2, places, chroma)
    counts = torch.zeros_like(sums).scatter_add_(2, places, torch.ones_like(chroma))
    means = (sums / counts.clamp(min=1)).gather(2, places)  # (B, 2, HW)
    return (chroma - means).square().sum(1).mean(1).sqrt()
