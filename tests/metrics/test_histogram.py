"""Histograms of chroma and their intersection."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorcli.metrics.histogram import ab_histogram, intersection


def test_histogram_is_numpys() -> None:
    """Oracle: numpy.histogram2d with edges -115, -105, ..., 115; exact. The values keep off the edges."""
    generator = torch.Generator().manual_seed(0)
    chroma = 220 * torch.rand(3, 2, 17, 23, generator=generator) - 110
    found = ab_histogram(chroma)
    edges = np.arange(-115, 116, 10)
    for one, counted in zip(chroma.numpy(), found.numpy(), strict=True):
        wanted, _, _ = np.histogram2d(one[0].ravel(), one[1].ravel(), bins=(edges, edges))
        np.testing.assert_allclose(counted, wanted.ravel() / (17 * 23), rtol=0, atol=1e-15)
    torch.testing.assert_close(found.sum(1), torch.ones(3, dtype=torch.float64))


def test_noise_on_gray_stays_in_one_bin_and_what_is_beyond_counts_outermost() -> None:
    """Oracle: the contract: neutral is the middle of the middle bin, 264 of 529; 900 counts as 110."""
    noise = torch.tensor([[[[-4.9, 4.9]], [[4.9, -4.9]]]])  # (1, 2, 1, 2)
    assert ab_histogram(noise)[0, 264] == 1
    beyond = torch.tensor([[[[900.0]], [[-900.0]]]])
    assert torch.equal(ab_histogram(beyond), ab_histogram(torch.tensor([[[[110.0]], [[-110.0]]]])))


def test_intersection_in_closed_form() -> None:
    """Oracle: by hand: equal 1, apart 0, a quarter shared 0.25; broadcast over rows."""
    one = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0]])
    other = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert intersection(one[:, None], other[None]).tolist() == [[1.0, 0.0], [0.25, 0.0]]


@pytest.mark.parametrize("shape", [(1, 3, 4, 4), (2, 4, 4), (1, 2, 0, 4)])
def test_wrong_shapes_are_named(shape: tuple[int, ...]) -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=r"expected chroma \(B, 2, H, W\)"):
        ab_histogram(torch.zeros(shape))


def test_what_is_not_finite_is_refused() -> None:
    """Oracle: the contract; a NaN that became an index would count as some colour."""
    with pytest.raises(ValueError, match="not finite"):
        ab_histogram(torch.full((1, 2, 2, 2), torch.nan))
