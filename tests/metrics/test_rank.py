"""Places of right answers."""

from __future__ import annotations

import pytest
import torch

from colorcli.metrics.rank import ranks


def test_places_and_ties() -> None:
    """Oracle: scipy.stats.rankdata's "average" of the negated scores, by hand: ties share the mean of their places."""
    scores = torch.tensor([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.5, 0.5, 0.1], [0.2, 0.2, 0.2], [0.0, 0.3, 0.3]])
    assert ranks(scores, torch.tensor([0, 2, 1, 1, 0])).tolist() == [1, 3, 1.5, 2, 3]


@pytest.mark.parametrize(("scores", "right"), [((3,), (3,)), ((2, 3), (3,))])
def test_wrong_shapes_are_named(scores: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=r"expected \(N, C\) and \(N,\)"):
        ranks(torch.zeros(scores), torch.zeros(right, dtype=torch.int64))
