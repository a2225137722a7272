"""CIEDE2000. Oracle: scikit-image's, and pairs of Sharma, Wu and Dalal's published test data."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

from colorcli.metrics.delta_e import delta_e_2000


def _lab(*pixels: tuple[float, float, float]) -> torch.Tensor:
    """Pixels as one row of a picture: N x 3 -> (1, 3, 1, N) float64."""
    return torch.tensor(pixels, dtype=torch.float64).T[None, :, None]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),  # blue: the rotation
        ((50.0, 2.5, 0.0), (50.0, 3.1736, 0.5854), 1.0000),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),  # gray has no hue
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),  # hues that lie almost half a turn apart,
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),  # on either side of it: the mean hue jumps
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_published_pairs(one: tuple[float, float, float], other: tuple[float, float, float], expected: float) -> None:
    """Oracle: Table 1 of the paper, which has four decimals."""
    assert float(delta_e_2000(_lab(one), _lab(other))) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
def test_photographs_as_scikit_image_has_them(dtype: torch.dtype, tolerance: float) -> None:
    """Oracle: skimage.color.deltaE_ciede2000 in float64, of two photographs and of one against its own gray.

    float32: hues of nearly gray pixels are known to some 1e-3 there.
    """
    astronaut, coffee = (rgb2lab(getattr(skimage.data, name)()[:200, :200]) for name in ("astronaut", "coffee"))
    gray = astronaut * (1.0, 0.0, 0.0)
    pairs = [(astronaut, coffee), (astronaut, gray), (gray, coffee), (astronaut, astronaut)]
    one, other = (torch.from_numpy(np.stack(row)).permute(0, 3, 1, 2).to(dtype) for row in zip(*pairs, strict=True))
    found = delta_e_2000(one, other)
    expected = np.stack([deltaE_ciede2000(a, b) for a, b in pairs])
    np.testing.assert_allclose(found.numpy(), expected, atol=tolerance, rtol=0)
    assert not found[3].any()


def test_other_shapes_are_refused() -> None:
    """Oracle: the contract; broadcasting would compare a picture with a colour."""
    with pytest.raises(ValueError, match=r"expected Lab \(B, 3, H, W\) twice"):
        delta_e_2000(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 1, 1))
