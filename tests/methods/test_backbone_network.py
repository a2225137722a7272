"""The backbone: its shapes against torchvision's own networks, its parameters, its loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from skimage import color
from torch import Tensor
from torchvision.models._api import WeightsEnum

from colorcli.errors import UsageError
from colorcli.methods.backbone.network import Features, build, from_torchvision, standardize_lightness
from colorcli.methods.backbone.objective import Objective
from colorcli.methods.registry import COMPANIONS, METHODS
from colorcli.methods.vgg import standardize_rgb
from colorcli.train.start import take_over

TINY = 1 / 16


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _picture(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _shaken(network: torch.nn.Module) -> torch.nn.Module:
    """Statistics and factors of batch norms that a wrong order or a missing norm would show."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for value in (module.weight, module.bias, module.running_mean, module.running_var):
                value.data.copy_(torch.rand(value.shape, generator=generator) * 0.4 + 0.8)
    return network.eval()


CASES = [
    ("vgg19", {"shape": "vgg19", "norm": "none", "head": "published"}),
    ("vgg19_bn", {"shape": "vgg19", "norm": "batch", "head": "published"}),
    ("resnet34", {"shape": "resnet34"}),
]


@pytest.mark.parametrize(("theirs", "settings"), CASES)
def test_torchvisions_weights_fit(theirs: str, settings: dict[str, Any]) -> None:
    """Oracle: torchvision's own network with random weights: its state dict loads strictly and gives the same logits,
    for a picture normalised by its constants; 1e-5 of the largest logit (order of sums)."""
    torch.manual_seed(0)
    published = _shaken(getattr(torchvision.models, theirs)(weights=None, num_classes=7))
    with torch.device("meta"):
        network = build(**settings, classes=7)
    network.load_state_dict(published.state_dict(), assign=True)
    rgb = _picture(2, 3, 64, 48)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        expected = published((rgb - mean[:, None, None]) / std[:, None, None])
        found = network.eval()(rgb)
    assert float(expected.std()) > 0
    assert float((found - expected).abs().max()) < 1e-5 * max(float(expected.abs().max()), 1)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_vgg_maps(norm: str) -> None:
    """Oracle: torchvision's layers one by one (the published order: after the n-th ReLU of block b comes relu b_n);
    exact."""
    torch.manual_seed(0)
    network = _shaken(build("vgg19", TINY, norm=norm))
    inputs = _picture(1, 3, 64, 48)
    names = [f"relu{b}_{n}" for b, count in enumerate((2, 2, 4, 4, 4), start=1) for n in range(1, count + 1)]
    with torch.inference_mode():
        found = network.features(inputs, [*names, "pool5"])
        maps, relus = inputs, []
        for layer in network.features:
            maps = layer(maps)
            if isinstance(layer, torch.nn.ReLU):
                relus.append(maps)
    assert set(found) == {*names, "pool5"}
    assert all(torch.equal(found[name], expected) for name, expected in zip(names, relus, strict=True))
    assert torch.equal(found["pool5"], maps)
    assert found["relu3_1"].shape == (1, 16, 16, 12)
    assert found["relu5_4"].shape == (1, 32, 4, 3)


def test_resnet_maps() -> None:
    """Oracle: forward hooks on torchvision's resnet34 with the same weights; 1e-5 (order of sums), conv1 after ReLU."""
    torch.manual_seed(0)
    published = _shaken(torchvision.models.resnet34(weights=None, num_classes=3))
    network = build("resnet34", classes=3).eval()
    network.load_state_dict(published.state_dict())
    kept: dict[str, Tensor] = {}
    for name in ("layer1", "layer2", "layer3", "layer4"):
        getattr(published, name).register_forward_hook(lambda _m, _i, out, name=name: kept.update({name: out}))
    published.relu.register_forward_hook(lambda _m, _i, out: kept.setdefault("conv1", out.clone()))
    inputs = _picture(1, 3, 64, 80)
    with torch.inference_mode():
        published(inputs)
        found = network.features(inputs, ("conv1", "layer1", "layer2", "layer3", "layer4"))
    assert found["conv1"].shape == (1, 64, 32, 40)
    assert found["layer4"].shape == (1, 512, 2, 3)
    for name, expected in kept.items():
        assert torch.allclose(found[name], expected, atol=1e-5, rtol=1e-5), name


@pytest.mark.parametrize(("shape", "layer"), [("vgg19", "relu2_1"), ("resnet34", "layer2")])
def test_deeper_layers_are_not_computed(shape: str, layer: str) -> None:
    """Oracle: a hook on the next part, which must not be called."""
    network = build(shape, TINY).eval()
    after = network.features[10] if shape == "vgg19" else network.layer3
    after.register_forward_hook(lambda *_: pytest.fail("computed"))
    assert set(network.features(_picture(1, 3, 32, 32), (layer,))) == {layer}


def _vgg_body(widths: tuple[int, ...], in_channels: int, norm: bool) -> int:
    inside, total = in_channels, 0
    for width, count in zip(widths, (2, 2, 4, 4, 4), strict=True):
        for _ in range(count):
            total += 9 * inside * width + width + (2 * width if norm else 0)
            inside = width
    return total


def _resnet_body(widths: tuple[int, ...], in_channels: int) -> int:
    total, inside = 49 * in_channels * widths[0] + 2 * widths[0], widths[0]
    for width, count in zip(widths, (3, 4, 6, 3), strict=True):
        for block in range(count):
            total += 9 * (inside if block == 0 else width) * width + 9 * width**2 + 4 * width
        total += inside * width + 2 * width if inside != width else 0
        inside = width
    return total


@pytest.mark.parametrize("variant", COMPANIONS["backbone"].variants)
def test_parameter_counts(variant: str) -> None:
    """Oracle: the papers' tables added up by hand, head left out; exact. Compact: at most 8 M (methods.md)."""
    settings = COMPANIONS["backbone"].variants[variant]
    with torch.device("meta"):
        network = build(**settings)
    head = sum(v.numel() for k, v in network.named_parameters() if k.startswith(("classifier", "fc")))
    found = sum(v.numel() for v in network.parameters()) - head
    half, colours = "compact" in variant, 1 if "lightness" in variant else 3
    if settings["shape"] == "vgg19":
        widths = (32, 64, 128, 256, 256) if half else (64, 128, 256, 512, 512)
        assert found == _vgg_body(widths, colours, norm=True)
    else:
        assert found == _resnet_body((32, 64, 128, 256) if half else (64, 128, 256, 512), colours)
    assert (found <= 8e6) == half


def test_published_counts() -> None:
    """Oracle: torchvision's documented num_params of the ImageNet weights: 143,667,240 and 21,797,672."""
    with torch.device("meta"):
        vgg, resnet = build("vgg19", norm="none", head="published"), build("resnet34")
    assert sum(v.numel() for v in vgg.parameters()) == 143_667_240
    assert sum(v.numel() for v in resnet.parameters()) == 21_797_672


def test_lightness_is_seen_as_documented() -> None:
    """Oracle: scikit-image's L with mean 45.4391 and deviation 26.2266 (methods.md, section 5); 1e-4. Two pictures of
    one lightness and other colours are the same to that network."""
    network = build("resnet34", TINY, in_channels=1, classes=3).eval()
    rgb = _picture(1, 3, 32, 32)
    expected = (color.rgb2lab(rgb[0].permute(1, 2, 0).numpy())[..., 0] - 45.4391) / 26.2266
    assert np.abs(network.standardize(rgb)[0, 0].numpy() - expected).max() < 1e-4
    assert float(standardize_lightness(torch.tensor(45.4391))) == 0
    gray = torch.from_numpy(color.lab2rgb(color.rgb2lab(rgb[0].permute(1, 2, 0).numpy()) * (1, 0, 0)))
    with torch.inference_mode():
        assert torch.allclose(network(rgb), network(gray.permute(2, 0, 1)[None].float()), atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": "alexnet"}, "shape must be one of vgg19, resnet34"),
        ({"scale": 0}, "scale must be above 0"),
        ({"in_channels": 2}, "in_channels must be 3"),
        ({"classes": 0}, "classes must be at least 1"),
        ({"norm": "layer"}, "norm must be one of batch, none"),
        ({"shape": "resnet34", "norm": "none"}, "norm must be batch"),
        ({"shape": "resnet34", "head": "published"}, "head must be pooled"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    """Oracle: the contract of `build`."""
    with pytest.raises(ValueError, match=message):
        build(**{"scale": TINY, **settings})


@pytest.mark.parametrize("shape", ["vgg19", "resnet34"])
def test_wrong_inputs_are_named(shape: str) -> None:
    """Oracle: house rule 9: what was found, what was expected."""
    network = build(shape, TINY).eval()
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\), got \(1, 1, 32, 32\)"):
        network(_picture(1, 1, 32, 32))
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\), got \(3, 32, 32\)"):
        network.features(_picture(3, 32, 32), ("pool1",) if shape == "vgg19" else ("conv1",))
    with pytest.raises(ValueError, match="no map is called relu9_9; there are: "):
        network.features(_picture(1, 3, 32, 32), ("relu9_9",))


@pytest.mark.parametrize("in_channels", [3, 1])
def test_features_are_fixed_and_pass_gradients(in_channels: int) -> None:
    """Oracle: the named map of the standardised picture, exact; no weight gets a gradient, every pixel does; the
    statistics stay what they were through `train`."""
    torch.manual_seed(0)
    network = build("vgg19", TINY, in_channels=in_channels)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    measure = Features(network, "relu2_2").train()
    rgb = _picture(1, 3, 16, 16).requires_grad_()
    found = measure(rgb)
    assert torch.equal(found, network.features(network.standardize(rgb), ("relu2_2",))["relu2_2"])
    found.square().sum().backward()
    assert rgb.grad is not None
    assert bool((rgb.grad.abs().sum(1) > 0).all())
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert measure.title == "relu2_2 of vgg19"


def test_normalisation() -> None:
    """Oracle: closed form: the ImageNet mean becomes 0, one deviation more 1; 1e-6."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose(standardize_rgb((mean + std)[None, :, None, None]), torch.ones(1, 3, 1, 1), atol=1e-6)


@pytest.mark.parametrize("shape", ["vgg19", "resnet34"])
def test_torchvisions_weights_are_taken(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the state dict that torchvision would have downloaded, here random: the features are its, and the title
    says so. A failed download is a UsageError."""
    torch.manual_seed(0)
    with torch.device("meta"):
        state = getattr(torchvision.models, shape)(weights=None).state_dict()
    state = {k: torch.zeros_like(v, device="cpu") for k, v in state.items()}
    first = "features.0.weight" if shape == "vgg19" else "conv1.weight"
    state[first] = torch.randn(state[first].shape)
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda _self, **_: state)
    network = from_torchvision(shape)
    assert torch.equal(network.state_dict()[first], state[first])
    assert "IMAGENET1K_V1" in network.title
    assert not network.training

    def fail(_self: Any, **_: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", fail)
    with pytest.raises(UsageError, match="cannot be had: no route"):
        from_torchvision(shape)
    with pytest.raises(UsageError, match="not for 'vgg11'"):
        from_torchvision("vgg11")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(smoothing: float) -> None:
    """Oracle: Szegedy et al. 2016 in numpy: (1 - s) x one-hot + s / classes against the log softmax; 1e-6."""
    network = build("resnet34", TINY, classes=5).eval()
    objective = Objective(network, {"smoothing": smoothing}).eval()
    rgb, label = _picture(3, 3, 32, 32), torch.tensor([0, 4, 2])
    found = objective("network", {"rgb": rgb, "label": label})
    logits = network(rgb).detach().double().numpy()
    log = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = (1 - smoothing) * np.eye(5)[label] + smoothing / 5
    assert set(found) == {"cross entropy"}
    assert float(found["cross entropy"].detach()) == pytest.approx(-(target * log).sum(1).mean(), abs=1e-6)


@pytest.mark.parametrize("settings", [{"smoothing": 1.0}, {"smoothing": -0.1}, {"smooth": 0.1}])
def test_wrong_objective_settings_are_named(settings: dict[str, float]) -> None:
    """Oracle: house rule 11."""
    with pytest.raises(UsageError, match="smoothing"):
        Objective(build("resnet34", TINY), settings)


@pytest.mark.parametrize(
    "settings", [{"shape": "vgg19"}, {"shape": "resnet34"}, {"shape": "resnet34", "in_channels": 1}]
)
def test_it_learns(settings: dict[str, Any]) -> None:
    """Oracle: bright above against bright below is told apart after a few steps from scratch: the loss falls from about
    chance, ln 2, to less than half of it (the VGG form through its batch norm)."""
    torch.manual_seed(0)
    rgb = 0.2 * _picture(16, 3, 32, 32)
    rgb[:8, :, :16] += 0.7
    rgb[8:, :, 16:] += 0.7
    batch = {"rgb": rgb, "label": torch.arange(16) // 8}
    objective = Objective(build(**settings, scale=TINY, classes=2), {"smoothing": 0.0})
    optimizer = torch.optim.Adam(objective.parameters(), lr=2e-3)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = objective("network", batch)["cross entropy"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] > 0.6 * math.log(2)
    assert losses[-1] < 0.5 * math.log(2)


def test_it_is_a_companion_and_no_method() -> None:
    """Oracle: a companion network is trained as methods are, and is none: `colorize auto` must not offer it."""
    assert [spec.name for spec in COMPANIONS] == ["backbone", "pfanet"]
    assert not {"backbone", "pfanet"} & {spec.name for spec in METHODS}
    for spec in COMPANIONS:
        assert spec.load("objective").data in ("labelled", "masked")
        with pytest.raises(UsageError, match="has no predictor"):
            spec.load("predictor")
        for key, choices in spec.settings.items():
            for choice in choices:
                with torch.device("meta"):
                    spec.load("network")(**{**spec.variants["compact"], key: choice})


@pytest.mark.parametrize(("shape", "head"), [("resnet34", "fc"), ("vgg19", "classifier.0")])
def test_other_classes_get_another_head(shape: str, head: str) -> None:
    """Oracle: the donor's own tensors: all but the head are taken, exactly; the head is as it started, and listed. With
    as many classes the head is taken, too; without the objective's word a head of another shape is refused."""
    donor, network, alike = (build(shape=shape, scale=TINY, classes=classes) for classes in (7, 5, 7))
    start = {name: value.clone() for name, value in network.state_dict().items() if name.startswith(head)}
    parts = take_over(network, donor.state_dict(), "donor", Objective.learned_anew)
    assert parts == {"new parts": [head], "left out": []}
    for name, value in network.state_dict().items():
        assert torch.equal(value, start[name] if name in start else donor.state_dict()[name]), name
    assert take_over(alike, donor.state_dict(), "donor", Objective.learned_anew)["new parts"] == []
    assert torch.equal(alike.state_dict()[f"{head}.weight"], donor.state_dict()[f"{head}.weight"])
    with pytest.raises(UsageError, match="does not fit"):
        take_over(build(shape=shape, scale=TINY, classes=5), donor.state_dict(), "donor")
