"""Dense flow, backward warping, and where both can be relied on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from torch import Tensor

from colorcli.color.flow import carry, dense_flow, motion
from colorcli.color.lab import rgb_to_lab

Photograph = Callable[[str, int, int], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def wide(photograph: Photograph) -> Tensor:
    """Lightness of a photograph of which the tests show windows, (1, 100, 150)."""
    rgb = torch.from_numpy(photograph("coffee", 150, 100).copy()).permute(2, 0, 1)  # (h, w, 3) -> (3, h, w)
    return rgb_to_lab(rgb.float() / 255)[:1]


def _window(wide: Tensor, left: int, top: int) -> Tensor:
    return wide[:, top : top + 72, left : left + 96].contiguous()


def test_a_pan_is_found(wide: Tensor) -> None:
    """Oracle: the windows' distance, (3, 2) pixels; median within 0.1, and nine of ten within 0.5 px: DIS guesses on
    plain table."""
    flow = dense_flow(_window(wide, 20, 10), _window(wide, 17, 8))[:, 8:-8, 8:-8]
    off = (flow - torch.tensor([3.0, 2.0])[:, None, None]).norm(dim=0)
    assert float(off.median()) < 0.1
    assert float(off.quantile(0.9)) < 0.5


def test_exposure_is_no_motion(wide: Tensor) -> None:
    """Oracle: closed form: the same frame at two thirds of its contrast and darker has not moved; 0.05 px, mean."""
    frame = _window(wide, 20, 10)
    assert float(dense_flow(frame, 0.67 * frame).abs().mean()) < 0.05


@pytest.mark.parametrize("shape", [(1, 5), (11, 40), (12, 12)])
def test_small_frames_do_not_move(shape: tuple[int, int]) -> None:
    """Oracle: the contract: no error, finite, and 0 below 12 pixels."""
    one, other = torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(0)) * 100
    flow = dense_flow(one, other)
    assert flow.shape == (2, *shape) and bool(torch.isfinite(flow).all())
    assert min(shape) >= 12 or not bool(flow.any())
    assert motion(one, other).reliable.shape == (1, *shape)


def test_carrying_is_scipys_bilinear() -> None:
    """Oracle: scipy.ndimage.map_coordinates, order 1, borders repeated; 1e-4 on values up to 100, float32."""
    generator = torch.Generator().manual_seed(0)
    maps = 100 * torch.rand(2, 13, 17, generator=generator)
    flow = 8 * torch.rand(2, 13, 17, generator=generator) - 4
    rows, columns = np.mgrid[:13, :17]
    places = np.stack((rows + flow[1].numpy(), columns + flow[0].numpy()))
    wanted = np.stack([map_coordinates(plane, places, order=1, mode="nearest") for plane in maps.numpy()])
    np.testing.assert_allclose(carry(maps, flow).numpy(), wanted, rtol=0, atol=1e-4)


def test_a_still_frame_is_reliable_everywhere(wide: Tensor) -> None:
    """Oracle: closed form: no motion, no mismatch: 1; 1e-3, flow of equal frames is 0 to that."""
    frame = _window(wide, 20, 10)
    assert float(motion(frame, frame).reliable.min()) > 1 - 1e-3


def test_what_enters_and_what_differs_is_not_reliable(wide: Tensor) -> None:
    """Oracle: geometry: a pan of 4 px brings 4 columns in, at the right; the rest, 8 px inside, was there before (nine
    of ten places above a half). Another picture altogether: mean below 0.3, since some places agree by chance."""
    panned = motion(_window(wide, 20, 10), _window(wide, 24, 10)).reliable[0]
    assert float(panned[:, -4:].mean()) < 0.15
    assert float((panned[8:-8, 8:-8] > 0.5).float().mean()) > 0.9
    other = 100 - _window(wide, 40, 20).flip(2)
    assert float(motion(_window(wide, 20, 10), other).reliable.mean()) < 0.3


def test_wrong_shapes_are_named() -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=r"expected two frames \(1, h, w\), got \(1, 16, 20\) and \(1, 16, 16\)"):
        motion(torch.zeros(1, 16, 16), torch.zeros(1, 16, 20))
    with pytest.raises(ValueError, match=r"expected maps \(C, h, w\) and flow \(2, h, w\)"):
        carry(torch.zeros(2, 16, 16), torch.zeros(2, 16, 20))
