"""What the engines cost, as measured: `auto` compares these figures, so that it chooses alike on every run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch

Figures = Mapping[str, Mapping[int, float]]

MEASURED: dict[tuple[str, torch.dtype], Figures] = {
    ("cpu", torch.bfloat16): {"exact": {64: 0.037, 128: 1.09}, "torch": {64: 0.083, 128: 0.64}},
    ("cpu", torch.float32): {"exact": {64: 0.057, 128: 1.41}, "torch": {64: 0.077, 128: 0.75}},
}
"""Seconds for one picture by the device's type and the type of number, then by engine and side: features (1, 64, N, N)
both ways. Here: one core of an AMD EPYC (AVX-512 BF16), `python -m colorcli.bench.patchmatch --threads 1 --sides 64 128
--batch 0 --precision bf16`, then `fp32`."""


def cheapest(engines: Iterable[str], device: str, dtype: torch.dtype, patches: tuple[int, int]) -> str:
    """The engine with the lowest estimate; of equals the first.

    patches: of the target and of the reference. A device or type without figures is taken for a CPU in bf16, an engine
    without figures for "torch": guesses, until somebody measures. Channels are left out: all engines do more with more.
    """
    figures = MEASURED.get((device, dtype)) or MEASURED["cpu", torch.bfloat16]
    side = (patches[0] * patches[1]) ** 0.25  # of squares with as many pairs
    return min(engines, key=lambda engine: interpolated(figures.get(engine, figures["torch"]), side))


def interpolated(seconds: Mapping[int, float], side: float) -> float:
    """Seconds at another side: a power law between the two nearest that were measured, and beyond the last two.

    seconds: two sides at least.
    """
    known = sorted(seconds)
    above = next((place for place, one in enumerate(known) if one >= side), len(known) - 1)
    low, high = known[max(above - 1, 0)], known[max(above, 1)]
    power = math.log(seconds[high] / seconds[low]) / math.log(high / low)
    return float(seconds[low] * (side / low) ** power)
