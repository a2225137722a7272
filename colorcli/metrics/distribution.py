"""How steady a film's colours are as a whole: colour distribution consistency, CDC (Liu et al. 2021)."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

GAPS = (1, 2, 4)  # frames
_VALUES = 256


def value_histograms(rgb: Tensor) -> Tensor:
    """Share of the pixels at each 8-bit value, per frame and channel: (B, 3, H, W) uint8 -> (B, 3, 256) float64.

    A film's histograms can be made frame by frame and stacked. Errors: ValueError for other shapes and dtypes.
    """
    if rgb.dim() != 4 or rgb.shape[1] != 3 or rgb.dtype is not torch.uint8 or not rgb.numel():
        raise ValueError(f"expected frames (B, 3, H, W) uint8, got {tuple(rgb.shape)} {rgb.dtype}")
    values = rgb.flatten(2).long()  # (B, 3, H, W) -> (B, 3, HW)
    counts = torch.zeros(*values.shape[:2], _VALUES, dtype=torch.float64, device=rgb.device)
    counts.scatter_add_(2, values, torch.ones_like(values, dtype=torch.float64))
    return counts / values.shape[2]


def jensen_shannon(one: Tensor, other: Tensor) -> Tensor:
    """Jensen-Shannon divergence of distributions (..., bins), natural logarithm: 0 for equal ones, at most ln 2.

    Half of KL(one | mean) + KL(other | mean), 0 log 0 = 0. Returns (...).
    """
    mean = (one + other) / 2
    return (torch.xlogy(one, one) + torch.xlogy(other, other) - 2 * torch.xlogy(mean, mean)).sum(-1) / 2


def distribution_consistency(histograms: Tensor) -> float:
    """CDC of one shot, 0 for a still picture; lower is steadier. histograms: (T, 3, 256), as of `value_histograms`.

    Our reading of the paper's formula: for each gap t of 1, 2 and 4 frames, the Jensen-Shannon divergence of frames i
    and i + t, averaged over all i and the channels R, G, B; then the mean of the three. 256 bins, natural logarithm
    (as the authors' code has them), not scaled. Pairs lie within the shot given. A shot of 2 to 4 frames has the mean
    of the gaps that fit into it.
    Errors: ValueError for fewer than two frames, or other shapes.
    """
    if histograms.dim() != 3 or histograms.shape[1] != 3 or len(histograms) < 2:
        raise ValueError(f"expected histograms (T, 3, bins) of two or more frames, got {tuple(histograms.shape)}")
    gaps = [gap for gap in GAPS if gap < len(histograms)]
    return sum(float(jensen_shannon(histograms[:-gap], histograms[gap:]).mean()) for gap in gaps) / len(gaps)


class Consistency:
    """`distribution_consistency` of a shot of any length, frame by frame: four histograms are kept."""

    def __init__(self) -> None:
        self._last: deque[Tensor] = deque(maxlen=max(GAPS))
        self._sums, self._pairs = dict.fromkeys(GAPS, 0.0), dict.fromkeys(GAPS, 0)

    def add(self, histogram: Tensor) -> None:
        """The next frame's, (3, 256), as of `value_histograms`."""
        gaps = [gap for gap in GAPS if gap <= len(self._last)]
        if gaps:
            before = torch.stack([self._last[-gap] for gap in gaps])  # (gaps, 3, 256)
            for gap, apart in zip(gaps, jensen_shannon(before, histogram).mean(1).tolist(), strict=True):
                self._sums[gap] += apart
                self._pairs[gap] += 1
        self._last.append(histogram)

    @property
    def value(self) -> float | None:
        """Of the frames so far; None of fewer than two."""
        means = [self._sums[gap] / pairs for gap, pairs in self._pairs.items() if pairs]
        return sum(means) / len(means) if means else None
