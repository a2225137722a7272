"""Fields of places as pictures."""

from __future__ import annotations

import torch

from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.color.places import place_colours


def test_colours_say_where() -> None:
    """Oracle: closed form in Lab: the middle is gray, half way to the right a = 30, half way up b = -30; 0.01."""
    field = torch.tensor([[4, 4], [4, 6], [2, 4]])[:, :, None, None].repeat(1, 1, 2, 3)
    lab = rgb_to_lab(place_colours(field, (9, 9)))
    expected = torch.tensor([[65.0, 0, 0], [65, 30, 0], [65, 0, -30]])[:, :, None, None]
    assert lab.shape == (3, 3, 2, 3)
    assert torch.allclose(lab, expected.expand_as(lab), atol=0.01)


def test_a_map_of_one_row_and_the_corners() -> None:
    """Oracle: the contract: one row or column is the middle, corners are clipped into 0..1."""
    one = place_colours(torch.zeros(1, 2, 1, 1, dtype=torch.int64), (1, 1))
    assert torch.allclose(one, lab_to_rgb(torch.tensor([65.0, 0, 0])[None, :, None, None]), atol=1e-6)
    corner = place_colours(torch.full((1, 2, 1, 1), 7), (8, 8))
    assert float(corner.min()) >= 0 and float(corner.max()) <= 1 and torch.isfinite(corner).all()
