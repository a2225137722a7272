"""Structural similarity over 8-bit sRGB, scikit-image's definition with its defaults (7x7 uniform window)."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW = 7  # pixels, the side of scikit-image's default window, and the least side of a picture


def ssim(truth: Tensor, result: Tensor) -> Tensor:
    """Per picture: (B, 3, H, W) uint8 twice, sides of at least 7. Returns (B,) float64, 1 for equal pictures."""
    from skimage.metrics import structural_similarity  # slow to import

    values = [
        structural_similarity(  # type: ignore[no-untyped-call]
            a.permute(1, 2, 0).numpy(), b.permute(1, 2, 0).numpy(), win_size=WINDOW, channel_axis=2, data_range=255
        )
        for a, b in zip(truth.cpu(), result.cpu(), strict=True)  # (3, H, W) -> (H, W, 3)
    ]
    return torch.tensor(values, dtype=torch.float64)
