"""How far a mean could lie elsewhere with other photos: a bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000  # the ends of an interval of 95 % then rest on 50 of them each


def mean_interval(values: Sequence[float], *, share: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The interval of the mean by percentiles (Efron 1979): (low, high).

    values: one of each photo; as many are drawn from them with replacement, 2000 times over, by the seed alone. Errors:
    ValueError for no values, for one that is not finite, and for a share that is not between 0 and 1.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not found.size or not np.isfinite(found).all():
        raise ValueError("expected a row of finite values, one or more")
    if not 0 < share < 1:
        raise ValueError(f"a share lies between 0 and 1, not at {share}")
    random = np.random.default_rng(seed)
    means = [found[random.integers(found.size, size=found.size)].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, ((1 - share) / 2, (1 + share) / 2)).tolist()
    return low, high
