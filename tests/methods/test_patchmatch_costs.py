"""Which engine PatchMatch's `auto` takes."""

from __future__ import annotations

import pytest
import torch

from colorcli.methods.multimodal.patchmatch import costs
from colorcli.methods.multimodal.patchmatch.costs import MEASURED, cheapest, interpolated


def test_between_and_beyond_what_was_measured() -> None:
    """Oracle: powers of the side by hand: the fourth up to 128, the second from there; 1e-9."""
    seconds = {64: 1.0, 128: 16.0, 256: 64.0}
    for side, expected in ((64, 1), (32, 1 / 16), (90.50966799187809, 4), (128, 16), (512, 256)):
        assert interpolated(seconds, side) == pytest.approx(expected, rel=1e-9)


def test_the_lowest_estimate_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: curves that cross at 128 x 128 patches; other devices and engines without figures as the CPU's."""
    figures = {"exact": {64: 1.0, 128: 16.0}, "torch": {64: 4.0, 128: 16.1}}
    monkeypatch.setattr(costs, "MEASURED", {("cpu", torch.bfloat16): figures})
    for side, best in ((16, "exact"), (128, "exact"), (140, "torch")):
        for device in ("cpu", "cuda"):
            assert cheapest(("exact", "torch"), device, torch.bfloat16, (side**2, side**2)) == best
    assert cheapest(("exact", "triton", "torch"), "cuda", torch.float16, (10**6, 10**6)) == "triton"
    assert cheapest(("exact", "torch"), "cpu", torch.bfloat16, (100**2, 160**2)) == "exact"


def test_the_figures_can_be_used() -> None:
    """Oracle: the table's contract: two sides at least of "exact" and "torch", and the CPU's in bf16 for all others."""
    assert ("cpu", torch.bfloat16) in MEASURED
    for figures in MEASURED.values():
        assert {"exact", "torch"} <= set(figures)
        assert all(len(seconds) >= 2 and min(seconds.values()) > 0 for seconds in figures.values())
