"""Colourfulness against its paper's formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from colorcli.metrics.colourfulness import colourfulness


def test_formula() -> None:
    """Oracle: Hasler and Suesstrunk 2003 (M^(3)) in numpy, picture by picture; 1e-9, both in double precision."""
    pictures = torch.randint(0, 256, (2, 3, 6, 7), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for picture, found in zip(pictures.double().numpy(), colourfulness(pictures), strict=True):
        red, green, blue = picture
        rg, yb = red - green, 0.5 * (red + green) - blue
        spread, centre = np.hypot(rg.std(), yb.std()), np.hypot(rg.mean(), yb.mean())
        assert float(found) == pytest.approx(spread + 0.3 * centre, abs=1e-9)


def test_gray_is_zero_and_red_is_known() -> None:
    """Oracle: closed form: gray 0; plain red has rg 255, yb 127.5 and no spread, so 0.3 x 255 x sqrt(1.25)."""
    gray = torch.arange(16.0).reshape(1, 1, 4, 4).expand(1, 3, 4, 4)
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 255
    assert colourfulness(torch.cat((gray, red))).tolist() == pytest.approx([0, 0.3 * 255 * math.sqrt(1.25)], abs=1e-9)
