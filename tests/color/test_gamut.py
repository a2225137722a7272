"""Where sRGB ends, and what happens to colours beyond."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color
from skimage.color.colorconv import xyz_from_rgb
from torch import Tensor

from colorcli.color.gamut import diamond_angle, fit_to_gamut, gamut_table, largest_chroma
from colorcli.color.lab import lab_to_linear, lab_to_rgb, rgb_to_lab

repeatable = settings(max_examples=60, deadline=None, derandomize=True)
labs = st.lists(
    st.tuples(st.floats(0, 100, width=32), st.floats(-128, 127, width=32), st.floats(-128, 127, width=32)),
    min_size=8,
    max_size=8,
)
colours = st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=8, max_size=8)
# Red may pass 1 by 0.04 before yellow (see gamut.py); the rest is the slack of 1e-5 and float32's rounding, and 8e-5 at
# white, where the rows of IEC's matrix miss D65 by that.
MOST = torch.tensor([1.0401, 1.0001, 1.0001])[:, None, None]
LEAST = -2e-5


def _picture(pixels: list[tuple[float, ...]]) -> Tensor:
    """N pixels -> (3, N, 1) float32."""
    return torch.tensor(pixels, dtype=torch.float32).T[:, :, None]


def _lookup(table: Tensor, lightness: Tensor, angle: Tensor) -> Tensor:
    """The table read bilinearly, as the full-size path does."""
    rows, columns = table.shape
    y, x = lightness / 100 * (rows - 1), angle / 4 * (columns - 1)
    top, left = y.floor().clamp(max=rows - 2).long(), x.floor().clamp(max=columns - 2).long()
    down, right = y - top, x - left
    upper = table[top, left] * (1 - right) + table[top, left + 1] * right
    lower = table[top + 1, left] * (1 - right) + table[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


@pytest.fixture(scope="module")
def rays() -> tuple[Tensor, Tensor, Tensor]:
    """Lightness and unit direction of 20,000 random rays, float64."""
    generator = torch.Generator().manual_seed(0)
    lightness = 100 * torch.rand(20_000, generator=generator, dtype=torch.float64)
    hue = 2 * math.pi * torch.rand(20_000, generator=generator, dtype=torch.float64)
    return lightness, hue.cos(), hue.sin()


def test_diamond_angle_on_the_axes() -> None:
    """Oracle: the definition, +a 0, +b 1, -a 2, -b 3, half way between at 45 degrees, gray 1; exact."""
    points = [(5.0, 0.0, 0.0), (0.0, 2.0, 1.0), (-3.0, 0.0, 2.0), (0.0, -7.0, 3.0), (4.0, 4.0, 0.5), (-1.0, -1.0, 2.5)]
    a, b, expected = torch.tensor([*points, (0.0, 0.0, 1.0)]).unbind(1)
    assert torch.equal(diamond_angle(a, b), expected)


def test_diamond_angle_grows_with_the_angle() -> None:
    """Oracle: atan2's order over a full turn."""
    hue = torch.linspace(0, 2 * math.pi, 1000, dtype=torch.float64)[:-1]
    angle = diamond_angle(hue.cos(), hue.sin())
    assert (angle.diff() > 0).all()
    assert 0 <= float(angle.min()) <= float(angle.max()) < 4


def test_largest_chroma_at_the_corners() -> None:
    """Oracle: the six corners of the RGB cube, whose Lab is scikit-image's; 0.1, because a corner is a peak and the
    slack of 1e-5 moves it. For yellow this is the end of the dent."""
    corners = np.array([[1.0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]])
    lightness, a, b = torch.from_numpy(color.rgb2lab(corners[None])[0].T)
    chroma = torch.hypot(a, b)
    assert torch.allclose(largest_chroma(lightness, a / chroma, b / chroma), chroma, atol=0.1, rtol=0)


def test_largest_chroma_by_brute_force(rays: tuple[Tensor, Tensor, Tensor]) -> None:
    """Oracle: chroma raised in steps of 0.25 until scikit-image's linear sRGB leaves 0..1; one step.

    Red's limit is 1 for the lower bound and 1.04 for the upper: before yellow its dent is filled on purpose. Where
    another channel ends the ray, which is on three of five, the two are the same.
    """
    lightness, a, b = (values[:1500] for values in rays)
    found = largest_chroma(lightness, a, b)
    steps = np.arange(0, 160, 0.25)
    lab = np.stack(
        [
            np.broadcast_to(lightness.numpy()[:, None], (1500, len(steps))),
            a.numpy()[:, None] * steps,
            b.numpy()[:, None] * steps,
        ],
        axis=-1,
    )
    f_y = (lab[..., 0] + 16) / 116
    f = np.stack([f_y + lab[..., 1] / 500, f_y, f_y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, (f - 16 / 116) / 7.787) * (0.95047, 1.0, 1.08883)
    linear = xyz @ np.linalg.inv(xyz_from_rgb).T
    bounds = []
    for most in ((1, 1, 1), (1.04, 1, 1)):
        outside = ((linear < -1e-5) | (linear > np.array(most) + 1e-5)).any(-1)
        bounds.append(torch.from_numpy(steps[outside.argmax(1)]))  # every ray leaves sRGB before 160
    assert (found >= bounds[0] - 0.26).all()
    assert (found <= bounds[1] + 0.01).all()
    assert float((bounds[0] == bounds[1]).double().mean()) > 0.6


def test_table_lookup(rays: tuple[Tensor, Tensor, Tensor]) -> None:
    """Oracle: largest_chroma on the ray itself. A cell is 0.39 L by 0.0078 of hue: 0.05 on average and 1 for 99.8 % of
    rays; the rest are cells that a ridge of the gamut crosses. There, L must stay within 1 once the colour is clipped.
    """
    lightness, a, b = rays
    table = gamut_table()
    assert table.shape == (257, 513)
    assert torch.equal(table[:, 0], table[:, -1])
    found = _lookup(table.double(), lightness, diamond_angle(a, b))
    error = (found - largest_chroma(lightness, a, b)).abs()
    assert float(error.mean()) < 0.05
    assert float((error < 1).double().mean()) > 0.998
    clipped = lab_to_rgb(torch.stack((lightness, found * a, found * b))[:, :, None])
    assert float((rgb_to_lab(clipped)[0, :, 0] - lightness).abs().max()) < 1


@repeatable
@given(labs)
def test_fitted_colours_keep_lightness_and_hue(pixels: list[tuple[float, ...]]) -> None:
    """Oracle: L is untouched bit by bit; (a, b) keeps its direction (cross product 1e-3 at chroma 180) and shrinks."""
    lab = _picture(pixels)
    fitted = fit_to_gamut(lab)
    assert torch.equal(fitted[0], lab[0])
    assert float((fitted[1] * lab[2] - fitted[2] * lab[1]).abs().max()) < 1e-3 * 180
    assert (fitted[1] * lab[1] + fitted[2] * lab[2] >= 0).all()
    assert (fitted[1:].norm(dim=0) <= lab[1:].norm(dim=0) * (1 + 1e-6)).all()


@repeatable
@given(labs)
def test_fitted_colours_are_inside(pixels: list[tuple[float, ...]]) -> None:
    """Oracle: the definition of the gamut, linear light of 0..1, with the margins of MOST and LEAST; and by that, what
    clipping still takes moves L by less than 0.32."""
    lab = _picture(pixels)
    fitted = fit_to_gamut(lab)
    linear = lab_to_linear(fitted)
    assert (linear >= LEAST).all()
    assert (linear <= MOST).all()
    assert float((rgb_to_lab(lab_to_rgb(fitted))[0] - lab[0]).abs().max()) < 0.32


@repeatable
@given(colours)
def test_colours_inside_are_untouched(pixels: list[tuple[int, ...]]) -> None:
    """Oracle: the identity, for any 8-bit colour; 0.02 ab, which is what white itself may lose."""
    lab = rgb_to_lab(_picture(pixels) / 255)
    assert torch.allclose(fit_to_gamut(lab), lab, atol=0.02, rtol=0)


def test_saturated_yellow_is_untouched() -> None:
    """Oracle: the identity along the edges to yellow, where sRGB has a dent seen from gray (it took 68 of 97)."""
    ramp = torch.linspace(0, 1, 256)
    one, none = torch.ones(256), torch.zeros(256)
    edges = [torch.stack(channels) for channels in ((ramp, one, none), (one, ramp, none), (one, one, ramp))]
    lab = rgb_to_lab(torch.stack(edges, dim=1))  # 3 x (3, 256) -> (3, 3, 256)
    assert torch.allclose(fit_to_gamut(lab), lab, atol=0.02, rtol=0)


def test_border_has_no_jump_near_yellow() -> None:
    """Oracle: continuity: 97 chroma of yellow's hue, one 8-bit gray step brighter than pure yellow, keeps over 70.

    Cut at the dent's first crossing of red = 1 it would fall to 27, a visible speck in a smooth gradient.
    """
    lightness, a, b = rgb_to_lab(torch.tensor([1.0, 1.0, 0.0])[:, None, None])[:, 0, 0].tolist()
    brighter = torch.tensor([lightness + 0.2, a, b])[:, None, None]
    assert float(fit_to_gamut(brighter)[1:].norm()) > 70


def test_leading_dimensions_are_free() -> None:
    """Oracle: the same pictures one by one; exact."""
    stack = 200 * torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(1)) - 100
    stack[:, 0] = stack[:, 0].abs()
    fitted = fit_to_gamut(stack)
    assert not torch.equal(fitted, stack)
    assert torch.equal(fitted[1], fit_to_gamut(stack[1]))
