"""Small chroma maps meeting a large photo's lightness."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from colorcli.color.chroma import CONTRAST, EPSILON, RADIUS, enlarge, guide, guide_change, join
from colorcli.color.lab import rgb_to_lab


def _windows(height: int, width: int) -> list[tuple[int, int, slice, slice]]:
    return [
        (y, x, slice(max(y - RADIUS, 0), y + RADIUS + 1), slice(max(x - RADIUS, 0), x + RADIUS + 1))
        for y in range(height)
        for x in range(width)
    ]


def _guided_by_hand(lightness: np.ndarray, chroma: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """He, Sun, Tang 2013, eq. 5, 6 and 8, window by window. (h, w) twice, float64."""
    slope, offset = np.zeros_like(lightness), np.zeros_like(lightness)
    for y, x, rows, columns in _windows(*lightness.shape):
        seen, wanted = lightness[rows, columns], chroma[rows, columns]
        slope[y, x] = (seen * wanted).mean() - seen.mean() * wanted.mean()
        slope[y, x] /= seen.var() + epsilon
        offset[y, x] = wanted.mean() - slope[y, x] * seen.mean()
    mean_slope, mean_offset = np.zeros_like(slope), np.zeros_like(offset)
    for y, x, rows, columns in _windows(*lightness.shape):
        mean_slope[y, x], mean_offset[y, x] = slope[rows, columns].mean(), offset[rows, columns].mean()
    return mean_slope, mean_offset


def _joined_chroma(lightness: Tensor, slope: Tensor, offset: Tensor, saturation: float = 1.0) -> Tensor:
    """(B, 2, H, W) ab of the joined picture."""
    return rgb_to_lab(join(lightness, slope, offset, saturation))[:, 1:]


def test_guide_is_the_guided_filter() -> None:
    """Oracle: the paper's equations, window by window in float64; 2e-3 of slopes and 0.1 of offsets, which are 100
    times larger (float32, and the variance of L is a difference of squares up to 10^4)."""
    generator = torch.Generator().manual_seed(0)
    lightness = 100 * torch.rand(2, 1, 9, 11, generator=generator)
    chroma = 80 * torch.rand(2, 2, 9, 11, generator=generator) - 40
    slope, offset = guide(lightness, chroma)
    for picture in range(2):
        for plane in range(2):
            wanted = _guided_by_hand(
                lightness[picture, 0].double().numpy(), chroma[picture, plane].double().numpy(), EPSILON
            )
            assert np.abs(slope[picture, plane].numpy() - wanted[0]).max() < 2e-3
            assert np.abs(offset[picture, plane].numpy() - wanted[1]).max() < 0.1


def test_chroma_linear_in_lightness_is_reproduced() -> None:
    """Oracle: closed form. Chroma = 0.3 L - 10 explained by L: slope 0.3 v / (v + epsilon) with the window's variance
    v of L, about 30^2 here; the line is found to 0.3 x 16 / 900 of slope, and exactly (1e-4) as epsilon goes to 0."""
    lightness = 20 + 60 * (torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    chroma = torch.cat((0.3 * lightness - 10, -0.2 * lightness + 5), dim=1)
    slope, offset = guide(lightness, chroma, epsilon=1e-4)
    assert torch.allclose(slope, torch.tensor([0.3, -0.2])[:, None, None].expand_as(slope), atol=1e-4)
    assert torch.allclose(offset, torch.tensor([-10.0, 5.0])[:, None, None].expand_as(offset), atol=1e-2)
    slope, offset = guide(lightness, chroma)
    assert torch.allclose(slope * lightness + offset, chroma, atol=0.3 * EPSILON / 700 * 60)


def test_line_holds_on_a_larger_lightness() -> None:
    """Oracle: closed form: the same line applied to full-size lightness that the small picture never had; 0.1 ab."""
    generator = torch.Generator().manual_seed(2)
    small = 20 + 60 * (torch.rand(1, 1, 16, 16, generator=generator) > 0.5).float()
    slope, offset = guide(small, torch.cat((0.3 * small - 15, 0.2 * small - 5), dim=1), epsilon=1e-3)
    large = 30 + 40 * torch.rand(1, 1, 50, 70, generator=generator)
    expected = torch.cat((0.3 * large - 15, 0.2 * large - 5), dim=1)
    assert torch.allclose(_joined_chroma(large, slope, offset), expected, atol=0.1)


def test_constant_chroma_stays() -> None:
    """Oracle: closed form: with nothing to explain the slope is 0 and the offset the chroma, whatever L does; 0.02 ab
    after the way through sRGB in float32."""
    generator = torch.Generator().manual_seed(3)
    small, large = (100 * torch.rand(1, 1, *size, generator=generator) for size in ((16, 20), (64, 80)))
    chroma = torch.tensor([7.0, -4.0])[:, None, None].expand(1, 2, 16, 20)
    slope, offset = guide(small, chroma)
    assert float(slope.abs().max()) < 1e-4
    assert torch.allclose(offset, chroma, atol=1e-2)
    inside = (large > 10) & (large < 95)  # elsewhere sRGB has no room for this chroma
    found = _joined_chroma(large, slope, offset)
    assert float((found - chroma[:, :, :1, :1]).abs().amax(1, keepdim=True)[inside].max()) < 0.02


def test_step_edge_has_no_halo() -> None:
    """Oracle: closed form. A step of 60 in L with a step of 20 in chroma, eight times larger at full size. At an edge
    pixel half of the line may come from across the edge, where one of the 2 r + 1 windows in it sees no edge at all
    and answers with its own side's chroma: 20 / 7 / 2 = 1.43; epsilon adds less than 20 x 16 / (16 + 440) x 6 / 7 =
    0.6 of the windows that barely see the edge. Bound: 2.1 ab. Plain enlargement is off by half of the step, 10.
    """
    scale, edge = 8, 12
    small = torch.full((1, 1, 24, 24), 20.0)
    small[..., edge:] = 80.0
    chroma = torch.where(small < 50, 10.0, -10.0).repeat(1, 2, 1, 1)
    large = torch.full((1, 1, 24 * scale, 24 * scale), 20.0)
    large[..., edge * scale :] = 80.0
    expected = torch.where(large < 50, 10.0, -10.0).repeat(1, 2, 1, 1)
    error = (_joined_chroma(large, *guide(small, chroma)) - expected).abs()
    assert float(error.max()) < 2.1
    away = (RADIUS * 2 + 1) * scale  # beyond the windows' reach nothing is left of the edge
    assert float(error[..., : edge * scale - away].max()) < 0.05
    assert float(error[..., edge * scale + away :].max()) < 0.05
    assert float((enlarge(chroma, 24 * scale, 24 * scale) - expected).abs().max()) > 8  # that this scene can show it


def test_edge_may_fall_inside_a_small_pixel() -> None:
    """Oracle: the photo's own edge, 3 of 8 pixels into a small one: chroma changes at it and nowhere else; a quarter
    of the step."""
    scale, edge = 8, 12 * 8 + 3
    large = torch.full((1, 1, 24 * scale, 24 * scale), 20.0)
    large[..., edge:] = 80.0
    small = torch.nn.functional.avg_pool2d(large, scale)
    chroma = (10 - (small - 20) / 3).repeat(1, 2, 1, 1)  # a mixed pixel has mixed chroma
    expected = torch.where(large < 50, 10.0, -10.0).repeat(1, 2, 1, 1)
    assert float((_joined_chroma(large, *guide(small, chroma)) - expected).abs().max()) < 5


@pytest.mark.parametrize(("height", "width"), [(40, 96), (9, 13), (5, 12)])
def test_enlarge_is_centred(height: int, width: int) -> None:
    """Oracle: closed form, a ramp read at (x + 0.5) / scale - 0.5 with its ends repeated; 1e-4 (float32)."""
    ramp = torch.arange(12.0).expand(1, 1, 5, 12)
    across = ((torch.arange(width) + 0.5) * 12 / width - 0.5).clamp(0, 11)
    found = enlarge(ramp, height, width)
    assert found.shape == (1, 1, height, width)
    assert torch.allclose(found, across.expand(1, 1, height, width), atol=1e-4)


def test_join_keeps_the_lightness() -> None:
    """Oracle: the photo's own L, for lines that ask for colour far outside sRGB; 0.32 L (the filled dent of yellow)."""
    generator = torch.Generator().manual_seed(4)
    lightness = 100 * torch.rand(1, 1, 40, 60, generator=generator)
    offset = 240 * torch.rand(1, 2, 5, 8, generator=generator) - 120
    result = join(lightness, torch.zeros_like(offset), offset)
    assert 0 <= float(result.min()) <= float(result.max()) <= 1
    assert torch.allclose(rgb_to_lab(result)[:, :1], lightness, atol=0.32)


def test_saturation_scales_chroma() -> None:
    """Oracle: closed form: 0 is gray (R = G = B to 1e-4), 0.5 is half of the chroma (0.02 ab)."""
    lightness = 40 + 20 * torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(5))
    slope, offset = torch.zeros(1, 2, 4, 4), torch.full((1, 2, 4, 4), 12.0)
    gray = join(lightness, slope, offset, 0.0)
    assert float((gray.amax(1) - gray.amin(1)).max()) < 1e-4
    assert torch.allclose(_joined_chroma(lightness, slope, offset, 0.5), torch.tensor(6.0), atol=0.02)


def test_a_change_in_narrow_windows_is_guided_like_chroma() -> None:
    """Oracle: `guide` itself, where the wide window is no wider than its own and L's slope is within bounds; exact."""
    lightness = 100 * torch.rand(1, 1, 40, 56, generator=torch.Generator().manual_seed(0))
    change = torch.cat((0.1 * lightness - 3, -0.6 * lightness, 0.9 * lightness), dim=1)
    for found, expected in zip(guide_change(lightness, change), guide(lightness, change), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(("factor", "kept"), [(-1.0, CONTRAST[0] - 1), (3.0, CONTRAST[1] - 1)])
def test_a_change_leaves_contrast(factor: float, kept: float) -> None:
    """Oracle: closed form: a change of L that is a line of L beyond the bounds gets the slope at the bound, 1e-3
    (epsilon beside a variance of 833), and its mean stays, 0.5 L; a and b follow as they are."""
    lightness = 100 * torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    change = factor * lightness.expand(-1, 3, -1, -1)
    slope, offset = guide_change(lightness, change)
    assert torch.allclose(slope[:, 0], torch.tensor(kept), atol=1e-3)
    assert float(slope[:, 1:].mean()) == pytest.approx(factor, rel=0.05)
    applied = slope * lightness + offset
    assert torch.allclose(applied.mean((2, 3)), change.mean((2, 3)), atol=0.5)


def test_a_change_without_detail_is_as_smooth_as_it_is() -> None:
    """Oracle: closed form: the same everywhere gives slope 0 and that offset, 1e-3; a chequerboard of 20 units
    is no change, 0.5 (an odd window has one pixel more of one colour)."""
    lightness = 100 * torch.rand(1, 1, 128, 96, generator=torch.Generator().manual_seed(0))
    flat = torch.tensor([5.0, -7.0, 9.0])[None, :, None, None].expand(1, 3, 128, 96)
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(96), indexing="ij")
    board = flat + 10.0 * (1 - 2 * ((rows + columns) % 2))
    for change, near in ((flat, 1e-3), (board, 0.5)):
        slope, offset = guide_change(lightness, change)
        applied = slope * lightness + offset
        assert float((applied - flat).abs().mean()) < near
