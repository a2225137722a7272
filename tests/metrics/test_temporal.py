"""Chroma warp error and its excess over the true film's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorcli.metrics.temporal import chroma_change, chroma_warp_error, excess_warp_error


def test_change_and_error_are_numpys() -> None:
    """Oracle: numpy.hypot and a masked mean; 1e-12, float64 arithmetic on the same float32 values."""
    generator = np.random.default_rng(0)
    carried, own = (generator.uniform(-90, 90, (3, 2, 5, 7)).astype(np.float32) for _ in range(2))
    reliable = generator.random((3, 5, 7)) < 0.6
    apart = own.astype(np.float64) - carried
    wanted = np.hypot(apart[:, 0], apart[:, 1])
    change = chroma_change(torch.from_numpy(carried), torch.from_numpy(own))
    np.testing.assert_allclose(change.numpy(), wanted, rtol=1e-12)
    errors = [one[mask].mean() for one, mask in zip(wanted, reliable, strict=True)]
    found = chroma_warp_error(change, torch.from_numpy(reliable))
    np.testing.assert_allclose(found.numpy(), errors, rtol=1e-12)


def test_excess_in_closed_form() -> None:
    """Oracle: by hand: 5 against 1 exceeds by 4, 2 against 3 by nothing, the third place is not reliable."""
    change, true = torch.tensor([[[5.0, 2.0, 50.0]]]), torch.tensor([[[1.0, 3.0, 0.0]]])
    assert excess_warp_error(change, true, torch.tensor([[[True, True, False]]])).tolist() == [2.0]


def test_a_muted_film_earns_nothing() -> None:
    """Oracle: the contract: a film that changes as the true one has no excess, nor has one of half its chroma."""
    change = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones(2, 6, 6, dtype=torch.bool)
    assert excess_warp_error(change, change, everywhere).tolist() == [0, 0]
    assert excess_warp_error(change / 2, change, everywhere).tolist() == [0, 0]


def test_nothing_reliable_is_not_a_number() -> None:
    """Oracle: the contract: no place, no mean."""
    change, nowhere = torch.ones(1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.bool)
    assert bool(torch.isnan(chroma_warp_error(change, nowhere)).all())
    assert bool(torch.isnan(excess_warp_error(change, change, nowhere)).all())


def test_wrong_shapes_are_named() -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=r"expected chroma \(B, 2, h, w\) twice, got \(1, 3, 2, 2\)"):
        chroma_change(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match=r"expected \(B, h, w\) twice, got \(1, 2, 2\) and \(1, 2, 3\)"):
        chroma_warp_error(torch.zeros(1, 2, 2), torch.ones(1, 2, 3, dtype=torch.bool))
