"""The transfer sub-net: its layers, its start from a backbone, and pictures in the colours of others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.backbone.network import VGG, build
from colorcli.methods.registry import COMPANIONS
from colorcli.methods.stylization import TRANSFER
from colorcli.methods.stylization.stylist import SITES, Stylist, near
from colorcli.methods.stylization.transfer import TransferNet
from colorcli.methods.stylization.transforms import TRANSFORMS, match, measure
from colorcli.methods.vgg import standardize_rgb

WIDTHS = (4, 6, 8, 12)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> object:
    """Networks this small lose their time to the hand-over between threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _tiny(seed: int = 0) -> TransferNet:
    torch.manual_seed(seed)
    return TransferNet(WIDTHS).eval()


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def _backbone(norm: str = "batch", scale: float = 1 / 16) -> VGG:
    """With batch norms that are far from doing nothing."""
    torch.manual_seed(1)
    network = build(scale=scale, classes=3, norm=norm)
    assert isinstance(network, VGG)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for part in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(part, 0.5, 1.5)  # type: ignore[arg-type]
    return network.eval()


@pytest.mark.parametrize(("variant", "w"), [("paper", (64, 128, 256, 512)), ("compact", (32, 64, 128, 256))])
def test_parameters(variant: str, w: Sequence[int]) -> None:
    """Oracle: VGG19's table to conv4_1 and its mirror by hand, each first convolution of a level on three maps; the
    compact one under 16 MiB in fp16, two bytes each."""
    with torch.device("meta"):
        network = TransferNet(**TRANSFER.variants[variant])
    pairs = [(3, w[0]), (w[0], w[0]), (w[0], w[1]), (w[1], w[1]), (w[1], w[2]), *[(w[2], w[2])] * 3, (w[2], w[3])]
    mirror = [(w[3], w[2]), (3 * w[2], w[2]), *[(w[2], w[2])] * 2, (w[2], w[1])]
    mirror += [(3 * w[1], w[1]), (w[1], w[0]), (3 * w[0], w[0]), (w[0], 3)]
    expected = sum(9 * inside * outside + outside for inside, outside in (*pairs, *mirror)) + 3 * 3 + 3
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == expected
    assert variant == "paper" or 2 * count <= 16 * 2**20


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_encoder_is_the_backbones(norm: str) -> None:
    """Oracle: the backbone's own layers by hand: borders mirrored, batch norm where it has one, ReLU, average pooling;
    1e-4 of values of about one. Five levels of names, four of maps."""
    backbone, network = _backbone(norm), TransferNet((4, 8, 16, 32))
    network.encoder.start_from(backbone.features)
    rgb = _random(2, 3, 24, 32)
    seen: dict[str, Tensor] = {}
    with torch.inference_mode():
        network.encode(rgb, lambda place, features: seen.setdefault(place, features))
        features = standardize_rgb(rgb)
        for level, count in enumerate((2, 2, 4, 1), start=1):
            for number in range(1, count + 1):
                place = backbone.features.places[f"relu{level}_{number}"]
                convolution, *norms = list(backbone.features)[place - (2 if norm == "batch" else 1) : place]
                features = F.conv2d(F.pad(features, (1, 1, 1, 1), mode="reflect"), convolution.weight, convolution.bias)
                for layer in norms:
                    features = layer(features)
                features = F.relu(features)
            assert torch.allclose(seen[f"encoder{level}"], features, atol=1e-4)
            features = F.avg_pool2d(features, 2)
            assert level == 4 or torch.allclose(seen[f"pooled{level}"], features, atol=1e-4)


def test_compact_takes_our_compact_backbone() -> None:
    """Oracle: the companion's own variant fits; one of other widths is refused by name."""
    with torch.no_grad():
        spec = COMPANIONS["backbone"]
        backbone = spec.load("network")(**{**spec.variants["compact"], "classes": 2}).eval()
        network = TransferNet(**TRANSFER.variants["compact"])
        network.encoder.start_from(backbone.features)
    with pytest.raises(ValueError, match=r"its layers have other widths, from 0\.0\.weight on"):
        network.encoder.start_from(_backbone().features)


def test_every_place_is_passed_once_in_order() -> None:
    """Oracle: the documented order, channels and sizes; by hand for 16x24."""
    network = _tiny()
    seen: list[tuple[str, int, tuple[int, ...]]] = []

    def look(place: str, features: Tensor) -> Tensor:
        seen.append((place, features.shape[1], tuple(features.shape[2:])))
        return features

    assert network(_random(2, 3, 16, 24), look).shape == (2, 3, 16, 24)
    assert [(place, channels) for place, channels, _ in seen] == list(network.places.items())
    sides = {1: (16, 24), 2: (8, 12), 3: (4, 6), 4: (2, 3)}
    for place, _, size in seen:
        level = int(place[-1])
        assert size == (sides[level] if place.startswith(("encoder", "skip")) else sides[level + 1])


@pytest.mark.parametrize("place", TransferNet(WIDTHS).places)
def test_what_a_change_reaches(place: str) -> None:
    """Oracle: the drawing: a change at an encoder's level reaches all behind it, one at a skip the decoder alone, and
    every one of them the picture."""
    network, rgb = _tiny(), _random(1, 3, 16, 16)

    def run(changed: str | None) -> dict[str, Tensor]:
        maps: dict[str, Tensor] = {}

        def change(at: str, features: Tensor) -> Tensor:
            maps[at] = features
            return 2 * features + 1 if at == changed else features

        with torch.inference_mode():
            maps["picture"] = network(rgb, change)
        return maps

    plain, other = run(None), run(place)
    reached = {at for at in plain if not torch.equal(plain[at], other[at])}
    names, level = list(network.places), int(place[-1])
    if place.startswith("encoder"):
        expected = set(names[names.index(place) + 1 :])
    else:
        expected = {f"decoder{below}" for below in range(1, level)}
    assert reached == expected | {"picture"}


@pytest.mark.parametrize("size", [(8, 8), (8, 40), (64, 8)])
def test_small_and_narrow_pictures(size: tuple[int, int]) -> None:
    """Oracle: the contract: down to maps of one pixel, whose border cannot be mirrored; finite."""
    found = _tiny()(_random(1, 3, *size))
    assert found.shape == (1, 3, *size) and bool(torch.isfinite(found).all())


def test_other_shapes_name_the_remedy() -> None:
    """Oracle: house rule 9."""
    with pytest.raises(ValueError, match=r"multiples of 8, got \(16, 20\): pad outside"):
        _tiny()(_random(1, 3, 16, 20))
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\), got \(1, 1, 16, 16\)"):
        _tiny()(_random(1, 1, 16, 16))
    with pytest.raises(ValueError, match="widths must be four positive numbers"):
        TransferNet((4, 4, 4))


def _by_hand(network: TransferNet, content: Tensor, style: Tensor, name: str, places: set[str]) -> Tensor:
    """The network with a transform at these places, the style's maps looked up one by one."""
    maps: dict[str, Tensor] = {}
    network(style, lambda place, features: maps.setdefault(place, features))

    def change(place: str, features: Tensor) -> Tensor:
        if place not in places:
            return features
        return match(TRANSFORMS[name], features, measure(TRANSFORMS[name], maps[place]))

    return network(content, change).clamp(0, 1)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(
    ("sites", "places"),
    [
        (("encoder",), {"encoder1", "encoder2", "encoder3", "encoder4"}),
        (("skips",), {"skip1", "skip2", "skip3", "pooled1", "pooled2", "pooled3"}),
        (("decoder",), {"decoder1", "decoder2", "decoder3"}),
        (SITES, {*TransferNet(WIDTHS).places}),
    ],
)
def test_where_the_transform_is(name: str, sites: Sequence[str], places: set[str]) -> None:
    """Oracle: the same by hand, place by place (Fig. 5); 2e-3 of 0..1, since the stylist leaves out the skips of an
    encoder that was changed, which changes nothing but rounding."""
    network, content, style = _tiny(), _random(2, 3, 16, 24), _random(2, 3, 24, 16, seed=1)
    found = Stylist(network, name, sites).stylize(content, style)
    with torch.inference_mode():
        expected = _by_hand(network, content, style, name, places)
        assert not torch.allclose(found, network(content).clamp(0, 1), atol=0.01)
    assert found.dtype is torch.float32
    assert torch.allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_pictures_own_style(name: str) -> None:
    """Oracle: what the network makes of it without any transform; 2e-3."""
    network, rgb = _tiny(), _random(2, 3, 32, 32)
    with torch.inference_mode():
        plain = network(rgb).clamp(0, 1)
    assert torch.allclose(Stylist(network, name).stylize(rgb, rgb), plain, atol=2e-3)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_style_as_a_vector(name: str) -> None:
    """Oracle: the style itself; exact. Its length is as told; another one is refused."""
    stylist = Stylist(_tiny(), name)
    style = stylist.look(_random(2, 3, 20, 33, seed=1))
    vector = style.vector()
    assert vector.shape == (2, stylist.length) and vector.dtype is torch.float32
    content = _random(2, 3, 16, 16)
    assert torch.equal(stylist.apply(content, stylist.from_vector(vector)), stylist.apply(content, style))
    with pytest.raises(ValueError, match=rf"expected styles \(B, {stylist.length}\), not \(2, 3\)"):
        stylist.from_vector(vector[:, :3])


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (61, 35)])
def test_styles_of_any_size(name: str, size: tuple[int, int]) -> None:
    """Oracle: the contract: finite colour; a style of one colour too, where the covariance is singular."""
    stylist, content = Stylist(_tiny(), name), _random(1, 3, 16, 16)
    for style in (_random(1, 3, *size, seed=1), torch.full((1, 3, *size), 0.3)):
        found = stylist.stylize(content, style)
        assert bool(torch.isfinite(found).all())
        assert bool(torch.isfinite(stylist.stylize(torch.full((1, 3, 16, 16), 0.3), style)).all())


@pytest.mark.parametrize("name", TRANSFORMS)
def test_segments(name: str) -> None:
    """Oracle: one label is no label (1e-3); halves that take after halves are changed by an exchange of the labels;
    labels of one side are named. The maps have sizes of their own."""
    stylist, content, style = Stylist(_tiny(), name), _random(1, 3, 16, 32), _random(1, 3, 24, 16, seed=1)
    style[:, :, :12] *= 0.3
    one = (torch.ones(1, 2, 2, dtype=torch.long), torch.ones(1, 5, 3, dtype=torch.long))
    assert torch.allclose(stylist.stylize(content, style, one), stylist.stylize(content, style), atol=1e-3)
    here, there = torch.tensor([[[1, 2]]]), torch.tensor([[[1], [2]]])
    straight, crossed = (stylist.stylize(content, style, (here, labels)) for labels in (there, 3 - there))
    assert float((straight - crossed).abs().mean()) > 0.02
    with pytest.raises(UsageError, match="the target's segment map has labels that the reference's lacks: 2"):
        stylist.stylize(content, style, (here, one[1]))
    for looked, labels in ((stylist.look(style), here), (stylist.look(style, there, (1, 2)), None)):
        with pytest.raises(ValueError, match="expected labels for the content where the style has some"):
            stylist.apply(content, looked, labels)


def test_bf16() -> None:
    """Oracle: the same in fp32, a twentieth of the range (some twenty roundings to 8 bits); float32 comes out."""
    content, style = _random(1, 3, 32, 32), _random(1, 3, 32, 32, seed=1)
    stylist = Stylist(_tiny())
    exact = stylist.stylize(content, style)
    with torch.autocast("cpu", torch.bfloat16):
        rough = stylist.stylize(content, style)
    assert rough.dtype is torch.float32 and not torch.equal(rough, exact)
    assert float((rough - exact).abs().mean()) < 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"transform": "gram"}, "transform must be one of adain, wct, not 'gram'"),
        ({"sites": ()}, "sites must be some of encoder, skips, decoder, not none"),
        ({"sites": ("encoder", "bottom")}, "sites must be some of .*, not encoder, bottom"),
    ],
)
def test_settings_that_do_not_exist(settings: dict[str, object], message: str) -> None:
    """Oracle: house rule 9."""
    with pytest.raises(UsageError, match=message):
        Stylist(_tiny(), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "expected"), [((100, 100), (64, 64)), ((50, 200), (32, 128)), ((1, 1), (64, 64)), ((1, 10000), (8, 6400))]
)
def test_near(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """Oracle: by hand: an area of 64x64 in the same aspect, multiples of 8, at least 8."""
    assert near(64, *size) == expected
