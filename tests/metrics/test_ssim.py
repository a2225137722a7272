"""Structural similarity over a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorcli.metrics.ssim import ssim


def _by_hand(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004 with uniform 7x7 windows and sample covariance. (3, H, W) twice."""
    values = []
    for y in range(a.shape[1] - 6):
        for x in range(a.shape[2] - 6):
            for channel in range(3):
                p, q = (m[channel, y : y + 7, x : x + 7].astype(float).ravel() for m in (a, b))
                (pp, pq), (_, qq) = np.cov(p, q)
                one, two = (0.01 * 255) ** 2, (0.03 * 255) ** 2
                luminance = (2 * p.mean() * q.mean() + one) / (p.mean() ** 2 + q.mean() ** 2 + one)
                values.append(luminance * (2 * pq + two) / (pp + qq + two))
    return float(np.mean(values))


def test_formula_per_picture() -> None:
    """Oracle: the paper's formula, window by window; 1e-6 (the library filters with running sums)."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 256, (2, 3, 10, 9), generator=generator, dtype=torch.uint8)
    noise = torch.randint(-30, 31, (2, 3, 10, 9), generator=generator)
    result = (truth + noise).clamp(0, 255).to(torch.uint8)
    found = ssim(truth, result)
    assert found.dtype is torch.float64
    for picture in range(2):
        by_hand = _by_hand(truth[picture].numpy(), result[picture].numpy())
        assert float(found[picture]) == pytest.approx(by_hand, abs=1e-6)


def test_equal_pictures_give_one() -> None:
    """Oracle: closed form; exact to rounding, 1e-12."""
    picture = torch.randint(0, 256, (1, 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    assert float(ssim(picture, picture)) == pytest.approx(1, abs=1e-12)
