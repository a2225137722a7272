"""The colorization sub-net: its layers, its start from the 2017 network, its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from skimage import color
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.hints import reveal
from colorcli.methods.registry import METHODS
from colorcli.methods.siggraph17.network import Siggraph17
from colorcli.methods.stylization import COLORIZATION
from colorcli.methods.stylization.colorization import ColorizationNet, ResidualDense
from colorcli.methods.stylization.colorization_objective import Objective
from colorcli.methods.stylization.predictor import HintPredictor
from colorcli.train.start import take_over

TINY: dict[str, Any] = {"widths": (4, 6, 8, 10), "growth": 3}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> object:
    """Networks this small lose their time to the hand-over between threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _tiny() -> ColorizationNet:
    """At He's scale, its residual dense blocks too."""
    torch.manual_seed(0)
    network = ColorizationNet(**TINY).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
    nn.init.normal_(network.out[0].weight, std=0.1)  # type: ignore[arg-type]  # far from the ends of tanh
    return network


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("variant", "w", "g"), [("paper", (64, 128, 256, 512), 512), ("compact", (32, 64, 120, 240), 16)]
)
def test_parameters(variant: str, w: Sequence[int], g: int) -> None:
    """Oracle: methods.md's table by hand: ten blocks, three dense ones, three shortcuts, a 1x1; the compact one within
    8 M and under 16 MiB in fp16."""
    with torch.device("meta"):
        network = ColorizationNet(**COLORIZATION.variants[variant])
    a, b, c, d = w
    pairs = [(4, a), (a, a), (a, b), (b, b), (b, c), (c, c), (c, c), (c, d), *[(d, d)] * 11]  # conv1 .. conv7
    pairs += [(d, g), (d + g, g), (d + 2 * g, g)] * 3  # the dense blocks' growth
    pairs += [(c, d), (b, c), (a, b), (d, c), (c, c), (c, c), (c, b), (b, b), (b, b), (b, a), (a, a)]
    expected = sum(9 * inside * outside + outside for inside, outside in pairs)
    expected += 3 * ((d + 3 * g) * d + d) + 2 * a + 2  # the 1x1 ones
    expected += 2 * (a + b + c + 4 * d)  # the batch norms
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == expected
    statistics = sum(buffer.numel() for buffer in network.buffers())
    assert variant == "paper" or (count <= 8_000_000 and 2 * count + 4 * statistics <= 16 * 2**20)


def test_the_2017_network_can_start_it() -> None:
    """Oracle: that network's own maps: after its weights are taken over, conv1 to conv7 give the same, the maps of
    conv1 to conv3 at every second pixel, since the dense blocks start at nothing; 1e-5. What is new is listed."""
    torch.manual_seed(0)
    donor, network = Siggraph17(TINY["widths"]).eval(), ColorizationNet(**TINY).eval()
    for module in donor.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    parts = take_over(network, donor.state_dict(), "siggraph17")
    assert {part.split(".")[0] for part in parts["new parts"]} == {
        *("dense5", "dense6", "dense7", "short1", "short2", "short3", "up8", "up9", "up10", "out")
    }
    seen: dict[str, Tensor] = {}
    for owner, name in ((donor, "model8up"), (donor, "model2"), (network, "short3"), (network, "model2")):
        owner.get_submodule(name).register_forward_pre_hook(
            lambda _, given, key=(owner is donor, name): seen.__setitem__(key, given[0])  # type: ignore[misc]
        )
    network.up8.register_forward_pre_hook(lambda _, given: seen.__setitem__("sum", given[0]))
    inputs = _random(2, 4, 16, 24)
    with torch.inference_mode():
        donor(inputs)
        network(inputs)
        assert torch.allclose(seen[False, "model2"], seen[True, "model2"], atol=1e-5)  # type: ignore[index]
        conv7 = seen["sum"] - network.short3(seen[False, "short3"])  # type: ignore[index]
        assert torch.allclose(conv7, seen[True, "model8up"], atol=1e-5)  # type: ignore[index]


def test_the_shipped_2017_weights_fit() -> None:
    """Oracle: the variants' own shapes: half of the compact network and more is found by name in siggraph17's."""
    with torch.device("meta"):
        donor = METHODS["siggraph17"].load("network")(**METHODS["siggraph17"].variants["compact"]).state_dict()
        network = ColorizationNet(**COLORIZATION.variants["compact"])
    named = dict(network.named_parameters())
    shared = [name for name in named if name in donor]
    assert all(donor[name].shape == named[name].shape for name in shared)
    assert 2 * sum(named[name].numel() for name in shared) > sum(p.numel() for p in named.values())


def test_residual_dense_block() -> None:
    """Oracle: the formula by hand: each convolution on all that was before, a 1x1 on all, the input added; 1e-5. As it
    starts it is the input, exactly."""
    torch.manual_seed(0)
    block, features = ResidualDense(5, 2), _random(2, 5, 6, 7)
    with torch.no_grad():
        assert torch.equal(block(features), features)
        nn.init.normal_(block.fuse.weight)
        maps = [features]
        for growth in block.growths:
            maps.append(F.relu(F.conv2d(torch.cat(maps, 1), growth.weight, growth.bias, padding=1)))  # type: ignore[arg-type]
        expected = features + torch.einsum("oi,bihw->bohw", block.fuse.weight[:, :, 0, 0], torch.cat(maps, 1))
        assert torch.allclose(block(features), expected, atol=1e-5)
        assert [growth.in_channels for growth in block.growths] == [5, 7, 9]


def test_sizes_on_the_way() -> None:
    """Oracle: methods.md: half, quarter and eighth after conv1, conv2 and conv3; enlarging doubles."""
    network = _tiny()
    seen: dict[str, tuple[int, ...]] = {}
    for name in ("model1", "model2", "model3", "model7", "short3", "up8", "short2", "up9", "short1", "up10"):
        network.get_submodule(name).register_forward_hook(
            lambda _, _given, result, name=name: seen.__setitem__(name, tuple(result.shape[1:]))  # type: ignore[misc]
        )
    assert network(_random(1, 4, 16, 24)).shape == (1, 2, 16, 24)
    assert seen["model1"] == (4, 8, 12) and seen["model2"] == (6, 4, 6) and seen["model3"] == (8, 2, 3)
    assert seen["short3"] == (10, 2, 3) and seen["up8"] == seen["short2"] == (8, 4, 6)
    assert seen["up9"] == seen["short1"] == (6, 8, 12) and seen["up10"] == (4, 16, 24)


def test_prediction_with_and_without_hints() -> None:
    """Oracle: the network on (L - 50) / 100, ab / 110 and the mask, times 110 and the gain; 1e-4. No hint is zeros."""
    network = _tiny()
    lightness, hints = 100 * _random(2, 1, 16, 16), torch.zeros(2, 3, 16, 16)
    predictor = HintPredictor(network, 0.9)
    assert torch.equal(predictor(lightness), predictor(lightness, hints))
    hints[0, :, 3:6, 3:6] = torch.tensor([50.0, -20.0, 1.0])[:, None, None]
    with torch.inference_mode():
        inputs = torch.cat(((lightness - 50) / 100, hints[:, :2] / 110, hints[:, 2:]), 1)
        assert torch.allclose(predictor(lightness, hints), 99 * network(inputs), atol=1e-4)
    assert not torch.allclose(predictor(lightness, hints)[0], predictor(lightness)[0], atol=0.01)


def test_other_shapes_name_the_remedy() -> None:
    """Oracle: house rule 9."""
    with pytest.raises(ValueError, match=r"multiples of 8, got \(16, 20\): pad outside"):
        _tiny()(_random(1, 4, 16, 20))
    with pytest.raises(ValueError, match=r"expected \(B, 4, H, W\), got \(1, 1, 16, 16\)"):
        _tiny()(_random(1, 1, 16, 16))
    with pytest.raises(ValueError, match="widths must be four positive numbers"):
        ColorizationNet((4, 4, 4))
    with pytest.raises(ValueError, match="growth must be at least 1, not 0"):
        ColorizationNet((4, 4, 4, 4), 0)


class _Constant(nn.Module):
    """Answers one chroma everywhere, and keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = torch.empty(0)

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen = inputs
        return inputs.new_full((len(inputs), 2, *inputs.shape[2:]), 0.05)


def test_the_loss() -> None:
    """Oracle: Huber((1 + lambda M) F, (1 + lambda M) y) in NumPy on scikit-image's ab, delta in ab units: |d| - delta/2
    above it, d^2 / (2 delta) below, over 110; 1e-4 (skimage's rounded constants). The network sees `reveal`'s hints."""
    rgb = _random(4, 3, 24, 24)
    batch = {"rgb": rgb, "seed": torch.arange(4)}
    lab = color.rgb2lab(rgb.permute(0, 2, 3, 1).double().numpy())
    for delta, emphasis in ((1.0, 10.0), (40.0, 3.0)):
        network = _Constant()
        settings = {"delta": delta, "emphasis": emphasis}
        losses = Objective(network, settings)("network", batch)  # type: ignore[arg-type]
        assert list(losses) == ["huber"]
        mask = network.seen[:, 3:].permute(0, 2, 3, 1).numpy()
        distance = (1 + emphasis * mask) * np.abs(5.5 - lab[..., 1:])
        huber = np.where(distance <= delta, distance**2 / (2 * delta), distance - delta / 2).mean() / 110
        assert float(losses["huber"]) == pytest.approx(huber, rel=1e-4)
        truth = torch.from_numpy(lab).permute(0, 3, 1, 2).float()
        hints, where = reveal(truth[:, 1:] / 110, batch["seed"], whole=0.0)
        assert torch.equal(network.seen[:, 3:], where) and 0 < float(where.mean()) < 1
        assert torch.allclose(network.seen[:, 1:3], hints, atol=1e-4)
        assert torch.allclose(network.seen[:, :1], (truth[:, :1] - 50) / 100, atol=1e-4)


def test_gradients_reach_every_parameter() -> None:
    """Oracle: every parameter has a gradient that is not 0, biases before a batch norm apart."""
    network = _tiny().train()
    rgb = _random(3, 3, 32, 32)
    Objective(network, {})("network", {"rgb": rgb, "seed": torch.arange(3)})["huber"].backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert [name for name in without if not name.endswith("bias")] == []


def test_least_patches() -> None:
    """Oracle: by hand: with stop = 1 there are none; `least` patches otherwise, by their pixels; where there are enough
    anyhow they are those of before, exactly."""
    chroma, seeds = 1 + _random(6, 2, 64, 64), torch.arange(6)
    assert not reveal(chroma, seeds, stop=1.0, whole=0.0)[1].any()
    _, mask = reveal(chroma, seeds, stop=1.0, whole=0.0, least=1)
    counts = mask.flatten(1).sum(1)
    assert all(float(count) in {float(side * side) for side in range(1, 10)} for count in counts)
    plain, some = reveal(chroma, seeds, whole=0.0), reveal(chroma, seeds, whole=0.0, least=1)
    had = plain[1].flatten(1).any(1)
    assert torch.equal(plain[0][had], some[0][had]) and bool(some[1].flatten(1).any(1).all())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delta": 0}, "delta must be above 0"),
        ({"emphasis": -1}, "emphasis must be 0 or more"),
        ({"stop": 0}, r"stop must be in \(0, 1\]"),
        ({"lambda": 3}, "no setting lambda; it has: delta, emphasis, stop, whole"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], message: str) -> None:
    """Oracle: house rule 11."""
    with pytest.raises(UsageError, match=message):
        Objective(_Constant(), settings)  # type: ignore[arg-type]
