"""Which place the right answer takes among all."""

from __future__ import annotations

from torch import Tensor


def ranks(scores: Tensor, right: Tensor) -> Tensor:
    """Per row the place of its right column, 1 for the largest score; of equal scores the mean of their places.

    scores: (N, C). right: (N,) int64, columns. Returns (N,) float64. Scores that say nothing thus give (C + 1) / 2, not
    the first place. Shapes that do not fit raise ValueError.
    """
    if scores.dim() != 2 or right.shape != scores.shape[:1]:
        raise ValueError(f"expected (N, C) and (N,), got {tuple(scores.shape)} and {tuple(right.shape)}")
    own = scores.gather(1, right[:, None])  # (N, 1)
    above, equal = (scores > own).sum(1), (scores == own).sum(1)
    return 1 + above.double() + (equal.double() - 1) / 2
