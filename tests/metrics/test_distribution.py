"""Colour distribution consistency."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from colorcli.metrics.distribution import Consistency, distribution_consistency, jensen_shannon, value_histograms


def _film(frames: int) -> torch.Tensor:
    """(frames, 3, 9, 11) uint8 of few values, so that histograms overlap in part."""
    return torch.randint(0, 24, (frames, 3, 9, 11), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def test_histograms_are_numpys() -> None:
    """Oracle: numpy.bincount; exact."""
    film = _film(3)
    found = value_histograms(film)
    for frame in range(3):
        for channel in range(3):
            counts = np.bincount(film[frame, channel].numpy().ravel(), minlength=256)
            np.testing.assert_array_equal(found[frame, channel].numpy(), counts / 99)


def test_divergence_is_scipys_and_ln_2_at_most() -> None:
    """Oracle: scipy's jensenshannon, which is the root of it; 1e-12. Distributions apart: ln 2."""
    histograms = value_histograms(_film(2))
    wanted = jensenshannon(histograms[0].numpy(), histograms[1].numpy(), axis=1) ** 2
    np.testing.assert_allclose(jensen_shannon(histograms[0], histograms[1]).numpy(), wanted, rtol=1e-12)
    apart = torch.eye(2, dtype=torch.float64)
    assert float(jensen_shannon(apart[0], apart[1])) == pytest.approx(math.log(2), rel=1e-15)


def test_consistency_is_the_formula_written_out() -> None:
    """Oracle: the paper's sums as loops over scipy's divergence, seven frames; 1e-12."""
    histograms = value_histograms(_film(7)).numpy()
    gaps = []
    for gap in (1, 2, 4):
        pairs = [(i, i + gap) for i in range(7 - gap)]
        total = sum(jensenshannon(histograms[i, c], histograms[j, c]) ** 2 for i, j in pairs for c in range(3))
        gaps.append(total / (3 * len(pairs)))
    found = distribution_consistency(torch.from_numpy(histograms))
    assert found == pytest.approx(sum(gaps) / 3, rel=1e-12)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 9])
def test_frame_by_frame_it_is_the_same(frames: int) -> None:
    """Oracle: all histograms at once; 1e-12: sums in another order. One frame has none."""
    histograms, shot = value_histograms(_film(frames)), Consistency()
    for histogram in histograms:
        shot.add(histogram)
    if frames == 1:
        assert shot.value is None
    else:
        assert shot.value == pytest.approx(distribution_consistency(histograms), rel=1e-12)


def test_a_still_picture_is_steady_and_two_frames_have_one_gap() -> None:
    """Oracle: closed form: 0; and of two frames the divergence itself."""
    film = _film(2)
    assert distribution_consistency(value_histograms(film[:1].expand(6, 3, 9, 11))) == 0
    histograms = value_histograms(film)
    alone = float(jensen_shannon(histograms[0], histograms[1]).mean())
    assert distribution_consistency(histograms) == pytest.approx(alone, rel=1e-15)


def test_what_is_no_film_is_refused() -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match="uint8"):
        value_histograms(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match="two or more frames"):
        distribution_consistency(torch.zeros(1, 3, 256))
