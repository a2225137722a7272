"""The modulated convolution of Color2Embed (PFFB) against the paper's equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor

from colorcli.methods.color2embed.modulation import PFFB, by_features, by_weights, convolve

FORMS = [by_weights, by_features]


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _by_hand(features: Tensor, weight: Tensor, style: Tensor) -> np.ndarray:
    """Eq. 4-7 picture by picture in float64: scale, unit length over input channels and window, convolve."""
    pictures = []
    for picture, own in zip(features.double().numpy(), style.double().expand(len(features), -1).numpy(), strict=True):
        scaled = weight.double().numpy() * own[None, :, None, None]
        scaled /= np.sqrt((scaled**2).sum((1, 2, 3), keepdims=True) + 1e-8)
        pictures.append([sum(map(_same, picture, kernels)) for kernels in scaled])
    return np.array(pictures)


def _same(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return correlate2d(plane, kernel, mode="same")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("styles", [1, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_formula(form: object, styles: int, kernel: int) -> None:
    """Oracle: eq. 4-7 in numpy with scipy's correlation; 1e-4 (float32 against float64, values of about 1)."""
    features, weight, style = _random(3, 4, 6, 9), _random(5, 4, kernel, kernel, seed=1), _random(styles, 4, seed=2)
    found = form(features, weight, style)  # type: ignore[operator]
    assert found.shape == (3, 5, 6, 9)
    assert np.abs(found.numpy() - _by_hand(features, weight, style)).max() < 1e-4


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_both_forms_agree(scale: float) -> None:
    """Oracle: each other, 1e-4, with gradients of all three inputs (1e-3 relative), for styles from weak to strong; at
    the scales of the network, weights of 1 / sqrt(C k^2). The result does not grow with the style: eq. 5."""
    answers = []
    for form in FORMS:
        features, weight = _random(2, 16, 8, 8).requires_grad_(), (_random(16, 16, 3, 3, seed=1) / 12).requires_grad_()
        style = (scale * _random(2, 16, seed=2)).requires_grad_()
        found = form(features, weight, style)
        (found * _random(2, 16, 8, 8, seed=3)).sum().backward()
        answers.append((found.detach(), *(value.grad for value in (features, weight, style))))
    assert float((answers[0][0] - answers[1][0]).abs().max()) < 1e-4
    assert 0.5 < float(answers[0][0].std()) < 2
    for one, other in zip(answers[0][1:], answers[1][1:], strict=True):
        assert float((one - other).abs().max()) < 1e-3 * float(one.abs().max())


def test_one_style_for_all_is_the_same_as_its_copies() -> None:
    """Oracle: the style repeated for each picture; 1e-4."""
    features, weight, style = _random(3, 8, 8, 8), _random(8, 8, 3, 3, seed=1) / 8, _random(1, 8, seed=2)
    found = convolve(features, weight, style)
    assert float((found - convolve(features, weight, style.expand(3, -1))).abs().max()) < 1e-4
    other = convolve(features, weight, _random(1, 8, seed=3))
    assert float((found - other).abs().max()) > 0.1


@pytest.mark.parametrize("strength", [1.0, 1e-4])
def test_the_block_makes_its_style_from_the_embedding(strength: float) -> None:
    """Oracle: the linear map of eq. 4 in numpy, then the same equations; 1e-4. s = 1 / sqrt(C k^2), which is felt where
    styles are so weak that the norm's epsilon counts."""
    torch.manual_seed(0)
    block = PFFB(6, 4, 3)
    with torch.no_grad():
        for parameter in block.modulation.parameters():
            parameter *= strength
    z, features = _random(2, 6), _random(2, 4, 5, 5, seed=1)
    style = z @ block.modulation.weight[:, :, 0, 0].T + block.modulation.bias
    expected = _by_hand(features, block.weight.detach() / 6, style.detach())
    assert np.abs(block(features, z).detach().numpy() - expected).max() < 1e-4


@torch.no_grad()
def test_bf16_of_a_picture_alone_is_that_of_a_batch() -> None:
    """Oracle: the picture among others: the mean difference (sums in another order flip a last bit here and there) is
    under half of that to the other form, which rounds otherwise nearly everywhere."""
    features, weight, style = _random(3, 16, 32, 32), _random(16, 16, 3, 3, seed=1) / 12, _random(3, 16, seed=2)
    with torch.autocast("cpu", torch.bfloat16):
        together = convolve(features, weight, style)
        alone = torch.cat([convolve(features[i : i + 1], weight, style[i : i + 1]) for i in range(3)])
        other = by_weights(features, weight, style)
    near, far = (float((together - answer).abs().mean()) for answer in (alone, other))
    assert near < far / 2


@torch.no_grad()
def test_bf16_stays_near() -> None:
    """Oracle: the same in fp32, 3 % of the largest value (bf16 keeps 8 bits); the map keeps its type."""
    torch.manual_seed(0)
    block = PFFB(6, 16, 3)
    z, features = _random(2, 6), _random(2, 16, 8, 8, seed=1)
    for part in (z, z[:1]):
        exact = block(features, part)
        with torch.autocast("cpu", torch.bfloat16):
            rough = block(features.bfloat16(), part)
        assert rough.dtype is torch.bfloat16
        assert float((rough.float() - exact).abs().max()) < 0.03 * float(exact.abs().max())
