"""Colour spaces against scikit-image, and their round trips."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import color
from skimage.color.colorconv import xyz_from_rgb

from colorcli.color.lab import delinearize, lab_to_linear, lab_to_rgb, linearize, rgb_to_lab

unit = st.floats(0, 1, width=32)
pictures = arrays(np.float64, (3, 2, 3), elements=unit)
repeatable = settings(max_examples=60, deadline=None, derandomize=True)


def _cube() -> torch.Tensor:
    """(1, 3, 17, 289) float64: sRGB at every 16th step with both ends, so all corners, edges and the gray axis."""
    steps = torch.linspace(0, 1, 17, dtype=torch.float64)
    return torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).reshape(1, 3, 17, -1)


def _last(picture: torch.Tensor) -> np.ndarray:
    """(1, 3, H, W) -> (H, W, 3), scikit-image's order."""
    return picture[0].permute(1, 2, 0).double().numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rgb_to_lab(dtype: torch.dtype) -> None:
    """Oracle: skimage.color.rgb2lab on the whole cube; 1e-3 (its constants 0.008856 and 7.787 are rounded)."""
    cube = _cube()
    found = rgb_to_lab(cube.to(dtype))
    assert found.dtype is dtype
    assert np.abs(_last(found) - color.rgb2lab(_last(cube))).max() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lab_to_rgb(dtype: torch.dtype) -> None:
    """Oracle: skimage.color.lab2rgb on the whole cube's Lab; 1e-3 of 0..1, a quarter of an 8-bit step."""
    lab = torch.from_numpy(color.rgb2lab(_last(_cube()))).permute(2, 0, 1)[None]
    found = lab_to_rgb(lab.to(dtype))
    assert found.dtype is dtype
    assert np.abs(_last(found) - color.lab2rgb(_last(lab))).max() < 1e-3


def test_named_colours() -> None:
    """Oracle: the published Lab of the sRGB primaries under D65 (Lindbloom's calculator, two decimals); 0.02."""
    rgb = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]).T[:, :, None]  # (5, 3) -> (3, 5, 1)
    lab = torch.tensor([[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0], [0, 0, 0]])
    assert torch.allclose(rgb_to_lab(rgb)[:, :, 0].T, lab, atol=0.02, rtol=0)


def test_autocast_leaves_colour_alone() -> None:
    """Oracle: the same conversion outside autocast; training under bf16 must not blur its own targets."""
    cube = _cube().float()
    with torch.autocast("cpu", torch.bfloat16):
        lab = rgb_to_lab(cube)
        assert torch.equal(lab_to_rgb(lab), lab_to_rgb(rgb_to_lab(cube)))
    assert torch.equal(lab, rgb_to_lab(cube))


@repeatable
@given(pictures)
def test_round_trip(picture: np.ndarray) -> None:
    """Oracle: the identity; 2e-7 in double precision (at 0.04045 the standard's two pieces miss each other by 6e-8)."""
    rgb = torch.from_numpy(picture)
    assert torch.allclose(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=2e-7, rtol=0)


@repeatable
@given(pictures)
def test_round_trip_in_single_precision(picture: np.ndarray) -> None:
    """Oracle: the identity; 1/2040, an eighth of an 8-bit step (the curve's slope at black is 12.92)."""
    rgb = torch.from_numpy(picture).float()
    assert torch.allclose(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=1 / 2040, rtol=0)


@repeatable
@given(arrays(np.float64, (7,), elements=st.floats(-0.5, 2)))
def test_transfer_curve(values: np.ndarray) -> None:
    """Oracle: the curve of IEC 61966-2-1 written scalar by scalar, and its inverse; 1e-7 of where its pieces meet."""
    linear = torch.from_numpy(values)
    encoded = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in values]
    assert np.allclose(delinearize(linear).numpy(), encoded, atol=1e-12)
    assert torch.allclose(linearize(delinearize(linear)), linear, atol=1e-7, rtol=0)


def test_gradients_are_finite() -> None:
    """Oracle: finiteness at black, where the power curves' slope is infinite; training differentiates through here."""
    rgb = torch.tensor([0.0, 0.0031, 0.5, 1.0]).expand(3, 1, 4).clone().requires_grad_()
    lab_to_rgb(rgb_to_lab(rgb)).sum().backward()
    assert rgb.grad is not None
    assert torch.isfinite(rgb.grad).all()


def test_leading_dimensions_are_free() -> None:
    """Oracle: the same pixels one picture at a time; equal up to the rounding of another summation order, 1e-4."""
    stack = torch.rand(2, 3, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    lab = rgb_to_lab(stack)
    assert torch.allclose(lab[1, 2], rgb_to_lab(stack[1, 2]), atol=1e-4)
    assert lab_to_linear(lab).shape == stack.shape


def test_lab_to_linear_does_not_clip() -> None:
    """Oracle: skimage's own lab2xyz and matrix for a colour far outside sRGB; 1e-4 (its constants are rounded)."""
    lab = torch.tensor([60.0, -100.0, 20.0], dtype=torch.float64)[:, None, None]
    xyz = color.lab2xyz(lab[:, 0, 0].numpy()[None, None])
    expected = np.linalg.inv(xyz_from_rgb) @ xyz[0, 0]
    found = lab_to_linear(lab)[:, 0, 0].numpy()
    assert found.min() < -0.05
    assert np.allclose(found, expected, atol=1e-4)
