"""AGIN's generator and prediction: the architecture and the parameters by hand, chroma by scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from skimage import color
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.agin.discriminator import TwoScales
from colorcli.methods.agin.gray import gray_picture, grayed
from colorcli.methods.agin.network import Enlarge, Generator, MirrorConv2d, Painting
from colorcli.methods.agin.predictor import Predictor
from colorcli.methods.registry import METHODS


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # the maps here are tiny


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def lively(seed: int = 0, **settings: object) -> Generator:
    """A small generator in which no part is left at 0, 1 or 0.9."""
    torch.manual_seed(seed)
    network = Generator(4, 2, **settings).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() == 1:
                parameter.copy_(torch.rand(parameter.shape) if "rho" in name else torch.rand(parameter.shape) + 0.3)
    return network


# the generator


def by_hand(state: dict[str, Tensor], rgb: Tensor, groups: int, cam: bool) -> tuple[Tensor, Tensor | None]:
    """methods.md's generator in torch's functional calls on a state dict: picture and heat map."""

    def conv(name: str, maps: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        border = weight.shape[2] // 2
        return F.conv2d(F.pad(maps, [border] * 4, mode="reflect"), weight, state.get(f"{name}.bias"), stride)

    def linear(name: str, rows: Tensor) -> Tensor:
        return rows @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def agin(name: str, maps: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        rho = state[f"{name}.rho"][:, None, None]
        mixed = rho * F.group_norm(maps, groups) + (1 - rho) * F.instance_norm(maps)
        return gamma[..., None, None] * mixed + beta[..., None, None]

    maps, heat = rgb, None
    for index, stride in ((0, 1), (3, 2), (6, 2)):
        maps = F.relu(F.instance_norm(conv(f"encoder.{index}", maps, stride)))
    for index in range(9, 13):
        inner = F.relu(F.instance_norm(conv(f"encoder.{index}.body.0", maps)))
        maps = maps + F.instance_norm(conv(f"encoder.{index}.body.3", inner))
    if cam:
        weights = [state[f"cam.{pool}.weight"][0][:, None, None] for pool in ("average", "median")]
        both = torch.cat([maps * weight for weight in weights], dim=1)
        maps = F.relu(F.conv2d(both, state["cam.join.weight"], state["cam.join.bias"]))
        heat = maps.sum(1, keepdim=True)
    hidden = F.relu(linear("affine.hidden.2", F.relu(linear("affine.hidden.0", maps.mean((2, 3))))))
    gamma, beta = linear("affine.gamma", hidden), linear("affine.beta", hidden)
    for index in range(4):
        inner = F.relu(agin(f"blocks.{index}.norm1", conv(f"blocks.{index}.conv1", maps), gamma, beta))
        maps = maps + agin(f"blocks.{index}.norm2", conv(f"blocks.{index}.conv2", inner), gamma, beta)
    for index in range(2):
        maps = conv(f"enlarge.{index}.conv", maps.repeat_interleave(2, 2).repeat_interleave(2, 3))
        name = f"enlarge.{index}"
        maps = F.relu(agin(f"{name}.norm", maps, state[f"{name}.gamma"], state[f"{name}.beta"]))
    return torch.tanh(conv("out", maps)), heat


@pytest.mark.parametrize("attention", ["cam", "none"])
def test_forward_follows_the_table(attention: str) -> None:
    """Oracle: methods.md's generator in functional calls on the same weights; 1e-4 on -1..1 (order of sums, through
    21 normalisations)."""
    network = lively(attention=attention)
    rgb = 2 * torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(1)) - 1
    with torch.inference_mode():
        found = network(rgb)
        expected, heat = by_hand(network.state_dict(), rgb, 2, attention == "cam")
    assert float(expected.std()) > 0.05 and float(expected.abs().mean()) < 0.95  # not saturated
    assert torch.allclose(found.rgb, expected, atol=1e-4)
    if heat is None:
        assert found.heat is None and found.logits is None
    else:
        assert found.heat.shape == (2, 1, 4, 6) and found.logits.shape == (2, 2)
        assert torch.allclose(found.heat, heat, atol=1e-4, rtol=1e-4)


def _generator_parameters(width: int, attention: str, norm: str) -> int:
    """methods.md's generator added up by hand; convolutions before a norm have no bias."""
    deep = 4 * width
    encoder = 49 * 3 * width + 9 * width * 2 * width + 9 * 2 * width * deep
    blocks = 2 * 4 * 2 * 9 * deep * deep  # encoder and decoder, four each, two convolutions each
    cam = 2 * deep + 2 * deep * deep + deep
    affine = 4 * (deep * deep + deep)
    enlarge = 9 * deep * 2 * width + 9 * 2 * width * width + 2 * (2 * width + width)  # and gamma, beta
    rho = 8 * deep + 2 * width + width
    out = 49 * width * 3 + 3
    return (
        encoder + blocks + affine + enlarge + out + (cam if attention == "cam" else 0) + (rho if norm == "agin" else 0)
    )


@pytest.mark.parametrize("attention", ["cam", "none"])
@pytest.mark.parametrize("norm", ["agin", "gn", "in"])
@pytest.mark.parametrize("variant", ["paper", "compact"])
def test_parameter_counts(variant: str, attention: str, norm: str) -> None:
    """Oracle: the sum by hand; exact. Complete: 10,590,915 and 2,653,539."""
    settings = METHODS["agin"].variants[variant]
    with torch.device("meta"):
        network = Generator(**settings, attention=attention, norm=norm)
    expected = _generator_parameters(settings["width"], attention, norm)
    assert parameters(network) == expected
    if (attention, norm) == ("cam", "agin"):
        assert expected == {"paper": 10_590_915, "compact": 2_653_539}[variant]


def test_no_attention_leaves_no_attention_parameter() -> None:
    """Oracle: the names; and with attention there are some in generator and discriminators."""
    for attention, expected in (("cam", True), ("none", False)):
        for network in (Generator(4, 2, attention=attention), TwoScales(2, attention)):
            assert any("cam" in name for name in network.state_dict()) == expected


def test_variants_keep_the_channels_of_a_group() -> None:
    """Oracle: methods.md's 32 groups on 256, 128 and 64 channels: 8, 4, 2; the same when narrow."""
    for settings in METHODS["agin"].variants.values():
        with torch.device("meta"):
            network = Generator(**settings)
        norms = [network.blocks[0].norm1, *(layer.norm for layer in network.enlarge if isinstance(layer, Enlarge))]
        sizes = [len(norm.rho) // norm.groups for norm in norms]  # type: ignore[union-attr, arg-type]
        assert sizes == [8, 4, 2]
    assert METHODS["agin"].variants["paper"] == {"width": 64, "groups": 32}


def test_twin_has_the_settings_and_other_weights() -> None:
    """Oracle: the contract: the same names and shapes, other numbers."""
    network = Generator(4, 2, "none", "gn")
    twin = network.twin()
    ours, theirs = network.state_dict(), twin.state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    assert not torch.equal(ours["out.weight"], theirs["out.weight"])
    assert (twin.attention, twin.norm, twin.groups) == ("none", "gn", 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 4, "groups": 3}, "groups must divide width, got width 4 and groups 3"),
        ({"attention": "smsa"}, "one of cam, none, not 'smsa'"),
        ({"norm": "bn"}, "one of agin, gn, in, not 'bn'"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    """Oracle: house rule 9."""
    with pytest.raises(ValueError, match=message):
        Generator(**{"width": 4, "groups": 2, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(("height", "width"), [(10, 8), (8, 7), (3, 3)])
def test_other_sides_name_the_remedy(height: int, width: int) -> None:
    """Oracle: house rule 9."""
    with pytest.raises(ValueError, match=rf"multiples of 4, got \({height}, {width}\): pad outside"):
        Generator(4, 2)(torch.zeros(1, 3, height, width))


def test_one_channel_is_refused() -> None:
    """Oracle: house rule 9."""
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\), got \(1, 1, 8, 8\)"):
        Generator(4, 2)(torch.zeros(1, 1, 8, 8))


def test_borders_are_mirrored() -> None:
    """Oracle: torch's reflection; a map as narrow as its border: repeated."""
    conv = MirrorConv2d(1, 1, 3)
    nn.init.ones_(conv.weight)
    row = torch.tensor([[1.0, 2.0, 4.0]] * 3)[None, None]
    assert torch.equal(conv(row)[0, 0, 1], torch.tensor([2 + 1 + 2, 1 + 2 + 4, 2 + 4 + 2.0]) * 3)
    assert conv(torch.full((1, 1, 1, 1), 5.0)).item() == 9 * 5


# prediction


def test_gray_picture_keeps_the_lightness() -> None:
    """Oracle: scikit-image's Lab of it: the same L, ab 0; 0.02 (its rounded white point)."""
    lightness = torch.linspace(0, 100, 64).reshape(1, 1, 8, 8)
    gray = gray_picture(lightness)
    assert gray.shape == (1, 3, 8, 8)
    lab = color.rgb2lab(((gray[0].permute(1, 2, 0) + 1) / 2).numpy())
    assert np.abs(lab[..., 0] - lightness[0, 0].numpy()).max() < 0.02
    assert np.abs(lab[..., 1:]).max() < 0.02
    assert gray.min() == -1 and gray.max() == pytest.approx(1, abs=1e-6)


def test_grayed_takes_gray_and_coloured_photos() -> None:
    """Oracle: a gray photo is itself (2 v - 1), 1e-4; a coloured one has scikit-image's L, 0.02."""
    gray = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    assert torch.allclose(grayed(gray), 2 * gray - 1, atol=1e-4)
    rgb = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    found = color.rgb2lab(((grayed(rgb)[0].permute(1, 2, 0) + 1) / 2).numpy())[..., 0]
    assert np.abs(found - color.rgb2lab(rgb[0].permute(1, 2, 0).numpy())[..., 0]).max() < 0.02


class _Painter(nn.Module):
    """Answers a picture that does not depend on the input, and keeps what it saw."""

    def __init__(self, rgb: Tensor, heat: Tensor | None = None) -> None:
        super().__init__()
        self.rgb, self.heat, self.seen = rgb, heat, torch.empty(0)

    def forward(self, inputs: Tensor) -> Painting:
        self.seen = inputs
        return Painting(self.rgb, None, self.heat)


def test_prediction_is_the_chroma_of_the_painting() -> None:
    """Oracle: scikit-image's ab of the painted picture, times the gain; 0.02 ab. The network sees gray in -1..1."""
    rgb = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    painter = _Painter(2 * rgb - 1)
    lightness = 100 * torch.rand(1, 1, 8, 12, generator=torch.Generator().manual_seed(1))
    found = Predictor(painter, gain=1.5)(lightness)  # type: ignore[arg-type]
    expected = 1.5 * color.rgb2lab(rgb[0].permute(1, 2, 0).numpy())[..., 1:]
    assert found.dtype is torch.float32 and found.shape == (1, 2, 8, 12)
    assert np.abs(found[0].permute(1, 2, 0).numpy() - expected).max() < 0.03
    assert torch.equal(painter.seen, gray_picture(lightness))


def test_prediction_is_finite_and_in_range() -> None:
    """Oracle: sRGB's own extent in ab: within 110; for black, white and noise; no gradient is kept."""
    predictor = Predictor(lively())
    noise = 100 * torch.rand(1, 1, 12, 16, generator=torch.Generator().manual_seed(0))
    for lightness in (noise, torch.zeros_like(noise), torch.full_like(noise, 100)):
        chroma = predictor(lightness)
        assert chroma.shape == (1, 2, 12, 16) and torch.isfinite(chroma).all() and not chroma.requires_grad
        assert float(chroma.abs().max()) < 110


def test_attention_map_is_enlarged_to_the_photo() -> None:
    """Oracle: closed form: the map's range on 0..1, by photo, corners exact; a flat map is 0."""
    heat = torch.stack((torch.tensor([[2.0, 4.0], [6.0, 10.0]]), torch.full((2, 2), 3.0)))[:, None]
    predictor = Predictor(_Painter(torch.zeros(2, 3, 8, 8), heat))  # type: ignore[arg-type]
    chroma, attention = predictor.with_attention(torch.full((2, 1, 8, 8), 50.0))
    assert chroma.shape == (2, 2, 8, 8) and attention.shape == (2, 1, 8, 8)
    corners = attention[0, 0][[0, 0, 7, 7], [0, 7, 0, 7]]
    assert torch.allclose(corners, torch.tensor([0, 0.25, 0.5, 1]), atol=1e-6)
    assert not attention[1].any()


def test_no_attention_map_without_attention() -> None:
    """Oracle: the contract: UsageError with the cause; the chroma alone still comes."""
    predictor = Predictor(lively(attention="none"))
    lightness = torch.full((1, 1, 8, 8), 50.0)
    assert predictor(lightness).shape == (1, 2, 8, 8)
    with pytest.raises(UsageError, match="no attention map"):
        predictor.with_attention(lightness)
