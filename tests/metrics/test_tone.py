"""Whether a photo is in colour."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.metrics.tone import IN_COLOUR, colour_beyond_tone


def _lab(lightness: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.stack((lightness, a, b), dim=1)  # 3 x (B, H, W) -> (B, 3, H, W)


def test_what_lies_beyond_the_tone() -> None:
    """Oracle: closed form: at one lightness two chromas 2 d apart, half each, lie d from their mean."""
    lightness, zero = torch.full((1, 4, 8), 50.0), torch.zeros(1, 4, 8)
    a = zero.clone()
    a[..., :4] = 14.0
    assert float(colour_beyond_tone(_lab(lightness, a, zero))) == pytest.approx(7.0)


def test_chroma_that_follows_lightness_is_a_tone() -> None:
    """Oracle: closed form: chroma that is a step function of lightness has nothing beyond; colourfulness is not low."""
    lightness = torch.linspace(1, 99, 64).expand(1, 16, 64)
    steps = (lightness * 32 / 100).floor()
    assert float(colour_beyond_tone(_lab(lightness, 0.5 * steps, steps))) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_and_their_sepia_prints(name: str, photograph: Callable[..., object]) -> None:
    """Oracle: scikit-image's photographs are in colour; their sepia prints (a line from black to a cream) not."""
    rgb = torch.from_numpy(photograph(name, 96, 96).copy()).permute(2, 0, 1)[None]  # type: ignore[attr-defined]
    gray = rgb.double().mean(1, keepdim=True)
    sepia = (gray * torch.tensor([1.0, 0.87, 0.68])[None, :, None, None]).round()
    assert float(colour_beyond_tone(rgb_to_lab(rgb.double() / 255))) > IN_COLOUR
    assert float(colour_beyond_tone(rgb_to_lab(sepia / 255))) < IN_COLOUR
