"""The interval of a mean. Oracle: the normal distribution's, where that holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from colorcli.metrics.bootstrap import mean_interval


def test_of_many_values_it_is_that_of_the_normal_distribution() -> None:
    """Oracle: mean +- 1.96 s / sqrt(n). Within a tenth of its half width, for 2000 means
    know a percentile to 5 % of it."""
    values = np.random.default_rng(1).normal(25, 4, size=400)
    half = 1.96 * values.std() / math.sqrt(len(values))
    low, high = mean_interval(values.tolist())
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_it_holds_the_true_mean_as_often_as_it_says() -> None:
    """Oracle: 0.95 of 200 samples of 30; the count's own deviation is 3, and small samples miss a little more often."""
    random = np.random.default_rng(2)
    held = 0
    for seed in range(200):
        low, high = mean_interval(random.normal(0, 1, size=30).tolist(), seed=seed)
        held += low <= 0 <= high
    assert 178 <= held <= 198


def test_the_seed_alone_decides() -> None:
    """Oracle: the contract: the same twice, another with another seed, nothing to vary where all values are equal."""
    values = np.random.default_rng(3).normal(25, 4, size=30).tolist()
    assert mean_interval(values) == mean_interval(values) != mean_interval(values, seed=1)
    assert mean_interval([7.0] * 5) == (7.0, 7.0)
    low, high = mean_interval(values)
    inner = mean_interval(values, share=0.5)
    assert low < inner[0] < inner[1] < high


@pytest.mark.parametrize(
    ("values", "share"), [([], 0.95), ([1.0, math.inf], 0.95), ([1.0, math.nan], 0.95), ([1.0], 1.0), ([1.0], 0.0)]
)
def test_what_has_no_interval_is_refused(values: list[float], share: float) -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=r"expected a row|a share lies"):
        mean_interval(values, share=share)
