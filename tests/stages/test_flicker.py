"""How much a film flickers, counted while it is coloured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb
from torch import Tensor

from colorcli.color.flow import Motion
from colorcli.metrics.distribution import distribution_consistency, value_histograms
from colorcli.stages.flicker import ShotFigures, Small, Tally, measure

Photograph = Callable[..., Any]
_STILL = Motion(torch.zeros(2, 12, 16), torch.ones(1, 12, 16))


def _frames(count: int) -> list[Small]:
    """A still gray ramp; its predictions are one tint for each frame, and half of that is used."""
    lightness = torch.linspace(30, 70, 12 * 16).view(1, 12, 16)
    tints = 4 * torch.randn(count, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    return [Small(lightness, tint.expand(2, 12, 16), tint.expand(2, 12, 16) / 2) for tint in tints]


def _figures(frames: list[Small], saturation: float = 1.0, moved: Motion = _STILL) -> ShotFigures:
    tally, before = Tally(), None
    for frame in frames:
        tally.add(measure(before, frame, None if before is None else moved, saturation))
        before = frame
    return tally.figures()


def test_warp_error_of_tints_is_how_far_they_lie_apart() -> None:
    """Oracle: closed form, numpy's norm of the differences of the tints; half of it as half is used, twice all at twice
    the saturation; 1e-5: float32."""
    frames = _frames(6)
    tints = np.array([frame.own[:, 0, 0].tolist() for frame in frames])
    apart = float(np.linalg.norm(np.diff(tints, axis=0), axis=1).mean())
    told, twice = _figures(frames), _figures(frames, saturation=2.0)
    assert told.flicker.warp_own == pytest.approx(apart, rel=1e-5)
    assert told.flicker.warp == pytest.approx(apart / 2, rel=1e-5)
    assert twice.flicker.warp == pytest.approx(apart, rel=1e-5)
    assert told.chroma == pytest.approx(float(np.linalg.norm(tints, axis=1).mean()) / 2, rel=1e-5)


def _consistency(frames: list[Small], part: str, factor: float = 1.0) -> float:
    pictures = []
    for frame in frames:
        chroma: Tensor = getattr(frame, part) * factor
        lab = torch.cat((frame.lightness, chroma)).permute(1, 2, 0).double().numpy()  # (3, h, w) -> (h, w, 3)
        pictures.append(torch.from_numpy((lab2rgb(lab) * 255).round().astype(np.uint8)).permute(2, 0, 1))
    return distribution_consistency(value_histograms(torch.stack(pictures)))


def test_consistency_is_that_of_the_pictures() -> None:
    """Oracle: scikit-image's pictures through the formula; 0.02: of 192 pixels a few round to another 8-bit step."""
    frames = _frames(6)
    told = _figures(frames).flicker
    assert told.consistency == pytest.approx(_consistency(frames, "chroma"), rel=0.02)
    assert told.consistency_own == pytest.approx(_consistency(frames, "own"), rel=0.02)
    assert told.consistency_gray == 0


def test_what_cannot_be_compared_is_none() -> None:
    """Oracle: the contract: one frame alone, and motion that cannot be relied on anywhere."""
    told = _figures(_frames(1)).flicker
    assert (told.warp, told.warp_own, told.consistency, told.consistency_gray) == (None,) * 4
    lost = Motion(_STILL.flow, torch.zeros(1, 12, 16))
    told = _figures(_frames(3), moved=lost).flicker
    assert told.warp is None and told.consistency is not None
