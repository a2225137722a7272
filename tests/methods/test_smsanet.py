"""SMSANet: its attention against the paper's equations, its parameters against the table."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from colorcli.methods.registry import METHODS
from colorcli.methods.smsanet.network import CBAM, SMSA, ChannelScale, SENet, SMSANet, SpatialScale

TINY = (4, 4, 8, 8)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def _spatial_by_hand(features: np.ndarray, patch: int, weight: np.ndarray, bias: float) -> np.ndarray:
    """A_k of one picture: (C, H, W) -> (H, W); patches cut by a loop, the 3x3 convolution as sums."""
    _, height, width = features.shape
    rows, columns = math.ceil(height / patch), math.ceil(width / patch)
    maps = np.zeros((2, rows + 2, columns + 2))  # with the convolution's border of zeros
    for row in range(rows):
        for column in range(columns):
            inside = features[:, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            maps[0, row + 1, column + 1] = inside.max(0).max()
            maps[1, row + 1, column + 1] = inside.mean(0).mean()
    answer = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            row, column = y // patch, x // patch
            answer[y, x] = (maps[:, row : row + 3, column : column + 3] * weight[0]).sum() + bias
    return _sigmoid(answer)


def _dense(name: str, state: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    return state[f"{name}.weight"] @ values + state[f"{name}.bias"]


def _channel_by_hand(features: np.ndarray, state: dict[str, np.ndarray], prefix: str) -> np.ndarray:
    """A_n of one picture: (C, H, W) -> (C,)."""
    hidden = np.maximum(_dense(f"{prefix}squeeze", state, features.mean((1, 2))), 0)
    return _sigmoid(_dense(f"{prefix}excite", state, hidden))


def _seeded(module: torch.nn.Module, seed: int) -> dict[str, np.ndarray]:
    """Random values of order 1 in every parameter, so that no branch is dull; returns them as float64."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return {name: value.double().numpy() for name, value in module.state_dict().items()}


def _lively(attention: str) -> SMSANet:
    """A small network that no dead ReLU silences: He's scale instead of torch's third of it."""
    network = SMSANet((8, 8, 16, 16), attention).eval()
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_normal_(module.weight, generator=generator)
    return network


def _features(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("exponent", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(16, 24), (17, 13), (3, 5), (1, 1)])
def test_one_weight_per_patch(exponent: int, height: int, width: int) -> None:
    """Oracle: Fig. 1: all pixels of a 2^k x 2^k patch share one weight in (0, 1), neighbours' differ; exact. The last
    patch is smaller where 2^k does not divide the side."""
    scale = SpatialScale(exponent)
    _seeded(scale, exponent)
    with torch.inference_mode():
        weights = scale(_features(2, 8, height, width))
    assert weights.shape == (2, 1, height, width)
    assert ((weights > 0) & (weights < 1)).all()
    patch = 2**exponent
    seen = set()
    for top in range(0, height, patch):
        for left in range(0, width, patch):
            inside = weights[0, 0, top : top + patch, left : left + patch]
            assert float(inside.max()) == float(inside.min())
            seen.add(float(inside[0, 0]))
    assert len(seen) == math.ceil(height / patch) * math.ceil(width / patch)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (11, 6)])
def test_smsa_formula(height: int, width: int) -> None:
    """Oracle: eq. 1-4 in numpy with loops, F' = F + F * (sum of lambda_k A_k) * A_n; 1e-4 (float32 against float64)."""
    attention = SMSA(8)
    state = _seeded(attention, 3)
    features = _features(2, 8, height, width)
    with torch.inference_mode():
        found = attention(features).numpy()
    lambdas = _sigmoid(state["importance"])
    assert len(lambdas) == 3
    for picture, answer in zip(features.double().numpy(), found, strict=True):
        spatial = sum(
            lam
            * _spatial_by_hand(
                picture, 2**k, state[f"spatial.{k - 1}.conv.weight"], float(state[f"spatial.{k - 1}.conv.bias"][0])
            )
            for k, lam in enumerate(lambdas, start=1)
        )
        channel = _channel_by_hand(picture, state, "channel.")
        expected = picture + picture * spatial[None] * channel[:, None, None]
        assert np.abs(answer - expected).max() < 1e-4


def test_lambdas_stay_between_0_and_1_and_learn() -> None:
    """Oracle: the paper's range of lambda. With every A_k and A_n at sigmoid(0) = 1/2, F'/F = 1 + (sum of lambda) / 4,
    which an unbounded lambda would leave for any factor; 1e-6. Its gradient is not zero."""
    attention = SMSA(8)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
    features = _features(1, 8, 8, 8)
    for free, expected in ((-30.0, 1.0), (0.0, 1 + 1.5 / 4), (30.0, 1 + 3 / 4)):
        with torch.no_grad():
            attention.importance.fill_(free)
        assert torch.allclose(attention(features), features * expected, atol=1e-6)
    with torch.no_grad():
        attention.importance.zero_()
    attention(features).square().sum().backward()
    assert attention.importance.grad is not None
    assert (attention.importance.grad != 0).all()


def test_senet_formula() -> None:
    """Oracle: Hu et al. 2018 in numpy, F x its channel weights; 1e-5."""
    attention = SENet(32)
    state = _seeded(attention, 4)
    assert state["channel.squeeze.weight"].shape == (2, 32)  # C / 16
    features = _features(2, 32, 5, 7)
    with torch.inference_mode():
        found = attention(features).numpy()
    for picture, answer in zip(features.double().numpy(), found, strict=True):
        expected = picture * _channel_by_hand(picture, state, "channel.")[:, None, None]
        assert np.abs(answer - expected).max() < 1e-5


def test_cbam_formula() -> None:
    """Oracle: Woo et al. 2018 in numpy: one shared perceptron over the mean and the maximum, then a 7x7 convolution
    over the channels' maximum and mean; 1e-4 (98 terms in float32)."""
    attention = CBAM(32)
    state = _seeded(attention, 5)
    features = _features(2, 32, 6, 5)
    with torch.inference_mode():
        found = attention(features).numpy()

    def perceptron(values: np.ndarray) -> np.ndarray:
        return _dense("shared.2", state, np.maximum(_dense("shared.0", state, values), 0))

    for picture, answer in zip(features.double().numpy(), found, strict=True):
        channel = _sigmoid(perceptron(picture.mean((1, 2))) + perceptron(picture.max((1, 2))))
        weighted = picture * channel[:, None, None]
        maps = np.pad(np.stack([weighted.max(0), weighted.mean(0)]), ((0, 0), (3, 3), (3, 3)))
        spatial = np.zeros((6, 5))
        for y in range(6):
            for x in range(5):
                spatial[y, x] = (maps[:, y : y + 7, x : x + 7] * state["conv.weight"][0]).sum()
        expected = weighted * _sigmoid(spatial + state["conv.bias"][0])
        assert np.abs(answer - expected).max() < 1e-4


def test_channel_weights_are_per_channel() -> None:
    """Oracle: the contract, (B, C, 1, 1) in (0, 1)."""
    weights = ChannelScale(8)(_features(2, 8, 4, 4))
    assert weights.shape == (2, 8, 1, 1)
    assert ((weights > 0) & (weights < 1)).all()


def _attention_parameters(attention: str, channels: int) -> int:
    """One attention layer, added up by hand."""
    hidden = channels // 16
    dense = channels * hidden + hidden + hidden * channels + channels
    return {"smsa": dense + 3 * (2 * 9 + 1) + 3, "cbam": dense + 2 * 49 + 1, "senet": dense, "none": 0}[attention]


def _backbone_parameters(widths: tuple[int, ...]) -> int:
    """methods.md's table for one input channel: convolutions k x k x in x out + out, batch norms 2 x width."""
    w1, w2, w3, w4 = widths
    nine = [(1, w1), (w1, w1), (w1, w2), (w2, w2), (w2, w3), (w3, w3), (w3, w3), (w3, w4)]
    nine += [(w4, w4)] * (2 + 3 + 3 + 3)  # conv4's other two, conv5, conv6, conv7
    nine += [(w3, w3)] * (1 + 2) + [(w2, w2)] * (1 + 1) + [(w1, w2), (w2, w2)]  # shortcuts and conv8, 9, 10
    sixteen = [(w4, w3), (w3, w2), (w2, w2)]
    norms = w1 + w2 + w3 + 4 * w4 + w3 + w2
    convolutions = sum(9 * i * o + o for i, o in nine) + sum(16 * i * o + o for i, o in sixteen)
    return convolutions + 2 * norms + (w2 * 2 + 2)


@pytest.mark.parametrize("attention", ["smsa", "cbam", "senet", "none"])
@pytest.mark.parametrize("variant", ["paper", "compact"])
def test_parameter_counts(variant: str, attention: str) -> None:
    """Oracle: the table and the three attention layers, by hand; exact. `paper` with smsa: 34,149,462."""
    widths = tuple(METHODS["smsanet"].variants[variant]["widths"])
    with torch.device("meta"):
        network = SMSANet(widths, attention)
    expected = _backbone_parameters(widths) + 3 * _attention_parameters(attention, widths[3])
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    if (variant, attention) == ("paper", "smsa"):
        assert expected == 34_149_462


@pytest.mark.parametrize(("attention", "kind"), [("smsa", SMSA), ("cbam", CBAM), ("senet", SENet)])
def test_attention_sits_after_blocks_5_6_and_7(attention: str, kind: type) -> None:
    """Oracle: our reading of Fig. 1: the output moves when one of the three layers does, and only these exist."""
    network = _lively(attention)
    assert sorted(network.attention) == ["block5", "block6", "block7"]
    inputs = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1)) - 0.5
    with torch.inference_mode():
        before = network(inputs)
        for layer in network.attention.values():
            assert isinstance(layer, kind)
            kept = {name: value.clone() for name, value in layer.state_dict().items()}
            _seeded(layer, 6)
            assert not torch.equal(network(inputs), before)
            layer.load_state_dict(kept)
        assert torch.equal(network(inputs), before)


def test_no_attention_is_the_plain_network() -> None:
    """Oracle: SMSA with all gates shut (A_n = 0) on the same backbone; 1e-6. And no parameter is left over."""
    plain, attended = _lively("none"), _lively("smsa")
    attended.load_state_dict(plain.state_dict(), strict=False)
    assert not any(name.startswith("attention") for name in plain.state_dict())
    inputs = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(2)) - 0.5
    with torch.inference_mode():
        assert not torch.allclose(attended(inputs), plain(inputs), atol=1e-6)
        for layer in attended.attention.values():
            layer.channel.excite.bias.fill_(-100)
            layer.channel.excite.weight.zero_()
        assert torch.allclose(attended(inputs), plain(inputs), atol=1e-6)


def test_unknown_attention_is_named() -> None:
    """Oracle: the contract: the choices and what was given."""
    with pytest.raises(ValueError, match="smsa, cbam, senet, none, not 'lstm'"):
        SMSANet(TINY, "lstm")
