"""Times of something that is done again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 5  # rounds
ENOUGH = 2.0  # seconds in all
LONGEST = 10.0  # seconds in all; then fewer rounds are enough


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of repeated measurements, and how far they lie apart."""

    median: float
    low: float  # the lower quartile
    high: float  # the upper
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles, linear between the nearest values (numpy's default). No values raise ValueError."""
    if not values:
        raise ValueError("expected at least one value")
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return Spread(median, low, high, len(values))


def repeated(
    once: Callable[[], float], *, least: int = LEAST, enough: float = ENOUGH, longest: float = LONGEST
) -> list[float]:
    """Seconds of each round; `once` does it and says how long it took.

    Rounds go on until there are `least` of them that took `enough` seconds together, or all took `longest`.
    """
    values: list[float] = []
    while (len(values) < least or sum(values) < enough) and sum(values) < longest:
        values.append(once())
    return values
