"""Top-1 accuracy."""

from __future__ import annotations

import pytest
import torch

from colorcli.metrics.accuracy import top1


def test_share_of_right_answers() -> None:
    """Oracle: counted by hand: three of four; exact."""
    logits = torch.tensor([[1.0, 2.0, 0.0], [5.0, -1.0, 4.0], [0.0, 0.0, 0.1], [9.0, 8.0, 7.0]])
    assert top1(logits, torch.tensor([1, 0, 2, 2])) == 0.75
    assert top1(logits.bfloat16(), torch.tensor([1, 0, 2, 0])) == 1
    assert top1(logits, torch.tensor([0, 1, 0, 1])) == 0


@pytest.mark.parametrize(("logits", "labels"), [((2, 3), (3,)), ((3,), (3,)), ((0, 3), (0,)), ((2, 3), (2, 1))])
def test_wrong_shapes_are_named(logits: tuple[int, ...], labels: tuple[int, ...]) -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=r"expected \(B, classes\) and \(B,\)"):
        top1(torch.zeros(logits), torch.zeros(labels, dtype=torch.int64))
