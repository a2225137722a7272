"""The network of Zhang et al. 2017: its table, its published layout, its arithmetic."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.methods.blocks import CHROMA_SCALE, Backbone17, PredictsChroma, normalize_lightness
from colorcli.methods.registry import METHODS
from colorcli.methods.siggraph17.network import Siggraph17

TINY = (4, 4, 8, 8)
PUBLISHED = (64, 128, 256, 512)
CONVOLUTIONS = {1: 2, 2: 2, 3: 3, 4: 3, 5: 3, 6: 3, 7: 3}  # methods.md's table: block -> convolutions


def table(widths: tuple[int, ...], in_channels: int, classes: int) -> dict[str, tuple[int, ...]]:
    """The parameters of methods.md's table under their published names, name -> shape, written out by hand."""
    w1, w2, w3, w4 = widths
    inside = {1: in_channels, 2: w1, 3: w2, 4: w3, 5: w4, 6: w4, 7: w4}
    outside = {1: w1, 2: w2, 3: w3, 4: w4, 5: w4, 6: w4, 7: w4}
    weights: dict[str, tuple[int, ...]] = {}
    norms: dict[str, int] = {}
    for block, count in CONVOLUTIONS.items():  # a ReLU after each convolution takes the odd numbers
        for index in range(count):
            first = inside[block] if index == 0 else outside[block]
            weights[f"model{block}.{2 * index}"] = (outside[block], first, 3, 3)
        norms[f"model{block}.{2 * count}"] = outside[block]
    weights |= {
        "model8up.0": (w4, w3, 4, 4),  # transposed: in, out
        "model3short8.0": (w3, w3, 3, 3),
        "model8.1": (w3, w3, 3, 3),
        "model8.3": (w3, w3, 3, 3),
        "model9up.0": (w3, w2, 4, 4),
        "model2short9.0": (w2, w2, 3, 3),
        "model9.1": (w2, w2, 3, 3),
        "model10up.0": (w2, w2, 4, 4),
        "model1short10.0": (w2, w1, 3, 3),
        "model10.1": (w2, w2, 3, 3),
        "model_out.0": (2, w2, 1, 1),
    }
    norms |= {"model8.5": w3, "model9.3": w2}
    if classes:
        weights["model_class.0"] = (classes, w3, 1, 1)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in weights.items():
        transposed = name in ("model8up.0", "model9up.0", "model10up.0")
        shapes |= {f"{name}.weight": shape, f"{name}.bias": (shape[1] if transposed else shape[0],)}
    for name, width in norms.items():
        shapes |= {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{name}.num_batches_tracked"] = ()
    return shapes


def count(shapes: dict[str, tuple[int, ...]]) -> int:
    """Learned numbers: all but the batch norms' statistics."""
    learned = [shape for name, shape in shapes.items() if name.rpartition(".")[2] in ("weight", "bias")]
    return sum(torch.Size(shape).numel() for shape in learned)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def by_hand(state: dict[str, Tensor], inputs: Tensor) -> Tensor:
    """methods.md's table step by step on a state dict, in evaluation mode; nothing of the network's code."""

    def conv(name: str, maps: Tensor, dilation: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        same = dilation * (weight.shape[2] // 2)
        return F.conv2d(maps, weight, state[f"{name}.bias"], padding=same, dilation=dilation)

    def up(name: str, maps: Tensor) -> Tensor:
        return F.conv_transpose2d(maps, state[f"{name}.weight"], state[f"{name}.bias"], stride=2, padding=1)

    def norm(name: str, maps: Tensor) -> Tensor:
        mean, var, scale, shift = (
            state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (maps - mean) / torch.sqrt(var + 1e-5) * scale + shift

    kept: dict[int, Tensor] = {}
    maps = inputs
    for block, convolutions in CONVOLUTIONS.items():
        for index in range(convolutions):
            maps = F.relu(conv(f"model{block}.{2 * index}", maps, dilation=2 if block in (5, 6) else 1))
        kept[block] = maps = norm(f"model{block}.{2 * convolutions}", maps)
        if block <= 3:
            maps = maps[:, :, ::2, ::2]  # every second pixel
    maps = F.relu(up("model8up.0", kept[7]) + conv("model3short8.0", kept[3]))
    maps = norm("model8.5", F.relu(conv("model8.3", F.relu(conv("model8.1", maps)))))
    maps = F.relu(up("model9up.0", maps) + conv("model2short9.0", kept[2]))
    maps = norm("model9.3", F.relu(conv("model9.1", maps)))
    maps = F.relu(up("model10up.0", maps) + conv("model1short10.0", kept[1]))
    maps = F.leaky_relu(conv("model10.1", maps), 0.2)
    return torch.tanh(conv("model_out.0", maps))


@pytest.mark.parametrize("classes", [0, 529])
def test_published_names_and_shapes(classes: int) -> None:
    """Oracle: the published checkpoint's layout as methods.md lists it, every name and shape; exact."""
    with torch.device("meta"):
        network = Siggraph17(classes=classes)
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert found == table(PUBLISHED, 4, classes)
    assert ("model_class.0.weight" in found) == bool(classes)


def test_published_parameter_count() -> None:
    """Oracle: the table added up by hand: 34,187,027 with the published head, the 34.19 M that its paper's code has."""
    with torch.device("meta"):
        network = Siggraph17(classes=529)
    assert parameters(network) == count(table(PUBLISHED, 4, 529)) == 34_187_027


@pytest.mark.parametrize("variant", ["paper", "compact"])
def test_parameter_counts(variant: str) -> None:
    """Oracle: the table at the variant's widths, by hand; exact. methods.md: compact is 7.53 M."""
    widths = tuple(METHODS["siggraph17"].variants[variant]["widths"])
    with torch.device("meta"):
        network = Siggraph17(widths)
    assert parameters(network) == count(table(widths, 4, 0))
    assert parameters(network) == pytest.approx({"paper": 34.05e6, "compact": 7.53e6}[variant], rel=1e-3)


@pytest.mark.parametrize("in_channels", [1, 4])
def test_forward_follows_the_table(in_channels: int) -> None:
    """Oracle: the table in plain functional calls on the same weights; 1e-5 on -1..1 (order of sums)."""
    torch.manual_seed(0)
    network = Backbone17((4, 6, 8, 10), in_channels).eval()
    state = network.state_dict()
    for value in state.values():  # statistics and factors that a wrong order or a missing norm would show
        if value.dim() == 1:
            value.copy_(torch.rand(value.shape) + 0.5)
    inputs = torch.rand(2, in_channels, 24, 40) - 0.5
    with torch.inference_mode():
        found = network(inputs)
    assert float(found.abs().max()) < 0.999  # not saturated: the comparison below can see a difference
    assert torch.allclose(found, by_hand(state, inputs), atol=1e-5)


def test_classes_do_not_change_the_chroma() -> None:
    """Oracle: the same weights without the head; exact."""
    torch.manual_seed(1)
    with_head, without = Siggraph17(TINY, classes=529).eval(), Siggraph17(TINY).eval()
    without.load_state_dict({k: v for k, v in with_head.state_dict().items() if not k.startswith("model_class")})
    inputs = torch.rand(1, 4, 16, 16)
    with torch.inference_mode():
        assert torch.equal(with_head(inputs), without(inputs))


@pytest.mark.parametrize("widths", [(4, 4, 8), (4, 4, 8, 0), (4, 4, 8, 8, 8)])
def test_wrong_widths_are_named(widths: tuple[int, ...]) -> None:
    """Oracle: the contract of the class, a ValueError that shows what was given."""
    with pytest.raises(ValueError, match="four positive numbers"):
        Backbone17(widths)


def test_normalisation() -> None:
    """Oracle: methods.md: (L - 50) / 100, ab / 110; exact."""
    assert normalize_lightness(torch.tensor([0.0, 50.0, 100.0])).tolist() == [-0.5, 0.0, 0.5]
    assert CHROMA_SCALE == 110


class _Recorder(nn.Module):
    """Answers 0.5 everywhere and keeps what it saw."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.seen = torch.empty(0)

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen = inputs
        return torch.full((len(inputs), 2, *inputs.shape[2:]), 0.5, dtype=torch.bfloat16)


@pytest.mark.parametrize("in_channels", [1, 4])
def test_predictor_scales_and_leaves_hints_empty(in_channels: int) -> None:
    """Oracle: closed form: sees (L - 50) / 100 and zero hints, answers 110 x gain x the network's, float32; exact."""
    recorder = _Recorder(in_channels)
    lightness = 100 * torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    chroma = PredictsChroma(recorder, gain=0.8)(lightness)  # type: ignore[arg-type]
    assert torch.equal(recorder.seen[:, :1], (lightness - 50) / 100)
    assert recorder.seen.shape[1] == in_channels
    assert not recorder.seen[:, 1:].any()
    assert chroma.dtype is torch.float32
    assert torch.allclose(chroma, torch.tensor(0.5 * 110 * 0.8))


def test_predictor_shows_hints_as_published() -> None:
    """Oracle: methods.md: the network's channels are (L - 50) / 100, hint ab / 110, and the mask; exact."""
    recorder = _Recorder(4)
    lightness, hints = torch.rand(2, 1, 8, 16) * 100, torch.randn(2, 3, 8, 16) * 50
    PredictsChroma(recorder)(lightness, hints)  # type: ignore[arg-type]
    expected = torch.cat(((lightness - 50) / 100, hints[:, :2] / 110, hints[:, 2:]), dim=1)
    assert torch.equal(recorder.seen, expected)


@pytest.mark.parametrize(("in_channels", "shape"), [(1, (2, 3, 8, 8)), (4, (1, 3, 8, 8)), (4, (2, 2, 8, 8))])
def test_predictor_refuses_hints_that_do_not_fit(in_channels: int, shape: tuple[int, ...]) -> None:
    """Oracle: the contract: ValueError with both shapes, without hint channels, for another batch, without a mask."""
    predictor = PredictsChroma(_Recorder(in_channels))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected hints \(B, ., H, W\)"):
        predictor(torch.zeros(2, 1, 8, 8), torch.zeros(shape))
