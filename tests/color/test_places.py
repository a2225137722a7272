"""Fields of places as pictures."""

from __future__ import annotations

import torch

from colorcli.color.lab import rgb_to_lab
from colorcli.color.places import place_colours


def test_colours_say_where() -> None:
    """Oracle: closed form in Lab: the middle is gray, half way to the right a = 30, half way up b = -30; 0.01."""
    places = torch.tensor([[0.5, 0.5], [0.5, 0.75], [0.25, 0.5]])[:, :, None, None].repeat(1, 1, 2, 3)
    lab = rgb_to_lab(place_colours(places))
    expected = torch.tensor([[65.0, 0, 0], [65, 30, 0], [65, 0, -30]])[:, :, None, None]
    assert lab.shape == (3, 3, 2, 3)
    assert torch.allclose(lab, expected.expand_as(lab), atol=0.01)


def test_the_corners_are_colours() -> None:
    """Oracle: the contract: what leaves the gamut is clipped into 0..1, and the four corners differ."""
    corners = place_colours(torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])[:, :, None, None])
    assert float(corners.min()) >= 0 and float(corners.max()) <= 1 and torch.isfinite(corners).all()
    assert len({tuple(corner.flatten().tolist()) for corner in corners}) == 4
