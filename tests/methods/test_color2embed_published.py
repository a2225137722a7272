"""The published checkpoints of Color2Embed: the network against the published description, and the names."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.checkpoints.convert import check_layout
from colorcli.checkpoints.load import read_checkpoint
from colorcli.errors import WeightsError
from colorcli.loader import build_network, import_published
from colorcli.methods.color2embed import SPEC
from colorcli.methods.color2embed.network import Color2Embed
from colorcli.methods.color2embed.published import from_published

VGG19 = ((0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256),
         (16, 256, 256), (19, 256, 512), *((n, 512, 512) for n in (21, 23, 25, 28, 30, 32, 34)))  # fmt: skip
UPS = (
    (1, 512, 512, 256, 3),
    (2, 256, 256, 128, 3),
    (3, 128, 128, 64, 5),
    (4, 64, 64, 64, 5),
)  # number, in, skip, out, k


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# the published description (methods.md, section 3), written out


def _published() -> dict[str, dict[str, Tensor]]:
    """Random state dicts of the published names and shapes, lively: He's scale, batch norms far from the identity."""
    generator = torch.Generator().manual_seed(0)

    def conv(state: dict[str, Tensor], name: str, inside: int, outside: int, kernel: int) -> None:
        spread = math.sqrt(2 / (inside * kernel**2))
        state[f"{name}.weight"] = spread * torch.randn(outside, inside, kernel, kernel, generator=generator)
        state[f"{name}.bias"] = 0.1 * torch.randn(outside, generator=generator)

    def norm(state: dict[str, Tensor], name: str, width: int) -> None:
        state[f"{name}.weight"] = 0.5 + torch.rand(width, generator=generator)
        state[f"{name}.bias"] = 0.1 * torch.randn(width, generator=generator)
        state[f"{name}.running_mean"] = 0.1 * torch.randn(width, generator=generator)
        state[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=generator)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    encoder: dict[str, Tensor] = {}
    for number, inside, outside in VGG19:
        conv(encoder, f"vgg.vgg_model.features.{number}", inside, outside, 3)
    for number, inside, outside in ((0, 25088, 4096), (3, 4096, 4096), (6, 4096, 1000)):
        encoder[f"vgg.vgg_model.classifier.{number}.weight"] = torch.zeros(1, 1).expand(outside, inside)
        encoder[f"vgg.vgg_model.classifier.{number}.bias"] = torch.zeros(outside)
    for number, kernel in ((0, 4), (2, 3), (4, 4), (6, 3)):
        conv(encoder, f"feature2vector.{number}", 512, 512, kernel)
    for number, inside, outside in ((9, 512, 256), (11, 256, 256), (13, 256, 512)):
        conv(encoder, f"feature2vector.{number}", inside, outside, 1)
    unet: dict[str, Tensor] = {}
    for number, inside in ((0, 1), (3, 64)):
        conv(unet, f"inc.double_conv.{number}", inside, 64, 3)
        norm(unet, f"inc.double_conv.{number + 1}", 64)
    for number, inside, outside in ((1, 64, 128), (2, 128, 256), (3, 256, 512), (4, 512, 512)):
        conv(unet, f"down{number}.main.0", inside, inside, 4)
        conv(unet, f"down{number}.main.2.bottle_conv", inside, outside, 1)
        conv(unet, f"down{number}.main.2.double_conv.0", outside, outside, 3)
        norm(unet, f"down{number}.main.2.double_conv.1", outside)
        conv(unet, f"down{number}.main.2.double_conv.3", outside, outside, 3)
    for number, inside, skip, outside, kernel in UPS:
        conv(unet, f"up{number}.conv_cat.0", inside + skip // 4, outside, 1)
        conv(unet, f"up{number}.conv_cat.2", outside, outside, 3)
        conv(unet, f"up{number}.conv_s", inside, outside, 1)
        conv(unet, f"up{number}.SDFT.modulation", 512, outside, 1)
        unet[f"up{number}.SDFT.weight"] = torch.randn(1, outside, outside, kernel, kernel, generator=generator)
    conv(unet, "outc.0", 64, 64, 3)
    conv(unet, "outc.2", 64, 2, 3)
    unet["outc.2.weight"] /= 10  # a tanh far out would hide what comes before it
    return {"colorEncoder": encoder, "colorUNet": unet}


def _conv(state: dict[str, Tensor], name: str, inputs: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return F.conv2d(inputs, state[f"{name}.weight"], state[f"{name}.bias"], stride, padding)


def _norm(state: dict[str, Tensor], name: str, inputs: Tensor) -> Tensor:
    part = {key: state[f"{name}.{key}"][:, None, None] for key in ("weight", "bias", "running_mean", "running_var")}
    return (inputs - part["running_mean"]) / torch.sqrt(part["running_var"] + 1e-5) * part["weight"] + part["bias"]


def _embed(state: dict[str, Tensor], reference: Tensor) -> Tensor:
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    features = (reference - mean) / std
    for number in range(32):  # up to relu5_2
        if f"vgg.vgg_model.features.{number}.weight" in state:
            features = torch.relu(_conv(state, f"vgg.vgg_model.features.{number}", features, padding=1))
        elif number in (4, 9, 18, 27):
            features = F.max_pool2d(features, 2)
    for number, stride, padding in ((0, 2, 2), (2, 1, 1), (4, 2, 2), (6, 1, 1)):
        features = F.leaky_relu(_conv(state, f"feature2vector.{number}", features, stride, padding), 0.2)
    vector = features.mean((2, 3), keepdim=True)
    for number in (9, 11):
        vector = F.leaky_relu(_conv(state, f"feature2vector.{number}", vector), 0.2)
    return _conv(state, "feature2vector.13", vector)


def _modulated(state: dict[str, Tensor], name: str, features: Tensor, z: Tensor, kernel: int) -> Tensor:
    pictures = []
    for picture, own in zip(features, z, strict=True):
        style = _conv(state, f"{name}.modulation", own[None])[0]  # (C, 1, 1), one for each input channel
        weight = state[f"{name}.weight"][0] * style / math.sqrt(len(picture) * kernel**2)
        weight = weight * torch.rsqrt((weight**2).sum((1, 2, 3), keepdim=True) + 1e-8)
        pictures.append(F.conv2d(picture[None], weight, padding=kernel // 2))
    return torch.cat(pictures)


def _paint(state: dict[str, Tensor], inputs: Tensor, z: Tensor) -> Tensor:
    for number in (0, 3):
        inputs = _norm(state, f"inc.double_conv.{number + 1}", _conv(state, f"inc.double_conv.{number}", inputs, 1, 1))
        inputs = F.leaky_relu(inputs, 0.1)
    maps = [inputs]
    for number in (1, 2, 3, 4):
        name = f"down{number}.main"
        inputs = _conv(state, f"{name}.2.bottle_conv", F.leaky_relu(_conv(state, f"{name}.0", maps[-1], 2, 1), 0.1))
        branch = _norm(state, f"{name}.2.double_conv.1", _conv(state, f"{name}.2.double_conv.0", inputs, 1, 1))
        branch = _conv(state, f"{name}.2.double_conv.3", F.leaky_relu(branch, 0.2), 1, 1)
        maps.append((branch + inputs) / math.sqrt(2))
    features = maps[4]
    for number, *_, kernel in UPS:
        larger = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
        joined = torch.cat((larger, maps[4 - number][:, ::4]), dim=1)
        joined = F.leaky_relu(_conv(state, f"up{number}.conv_cat.0", joined), 0.2)
        joined = F.leaky_relu(_conv(state, f"up{number}.conv_cat.2", joined, 1, 1), 0.2)
        modulated = _modulated(state, f"up{number}.SDFT", joined, z, kernel)
        features = modulated + _conv(state, f"up{number}.conv_s", larger)
    features = F.leaky_relu(_conv(state, "outc.0", features, 1, 1), 0.2)
    return torch.tanh(_conv(state, "outc.2", features, 1, 1))


def test_published_checkpoint_gives_the_published_answer() -> None:
    """Oracle: the published description written with plain functions above, on random tensors of the published names
    and shapes at full width; 1e-5 of embeddings of about 1 and of chroma -1..1 (sums in another order). Every tensor of
    the network is filled."""
    published = _published()
    network = Color2Embed(**SPEC.variants["paper"]).eval()
    tensors = from_published({**published, "g_optim": {"state": {}}, "args": object()}, "file")
    check_layout(tensors, network.state_dict(), "random")
    network.load_state_dict(tensors, strict=False)  # the batch norms' counters are left out
    with torch.inference_mode():
        reference, inputs = _random(2, 3, 64, 80), 2 * _random(2, 1, 32, 48, seed=1) - 1
        z = _embed(published["colorEncoder"], reference)
        scale = float(z.std())
        assert float((network.embed(reference) - z[:, :, 0, 0]).abs().max()) < 1e-5 * max(scale, 1)
        expected = _paint(published["colorUNet"], inputs, z)
        found = network(inputs, reference)
    assert float(expected.std()) > 0.05 and float((expected[0] - expected[1]).abs().max()) > 0.1
    assert float((found - expected).abs().max()) < 1e-5


def _names_only() -> dict[str, dict[str, Tensor]]:
    """One value for each VGG19 layer that is used or not, and some of the other names."""
    numbers = [number for number, *_ in VGG19]
    vgg = {
        f"vgg.vgg_model.features.{n}.{k}": torch.tensor([n, k == "bias"]) for n in numbers for k in ("weight", "bias")
    }
    head = {"vgg.vgg_model.classifier.0.weight": torch.ones(2)}
    unet = {"up1.SDFT.weight": torch.rand(1, 4, 4, 3, 3), "outc.0.weight": torch.rand(2, 2, 1, 1)}
    counter = {"inc.double_conv.1.num_batches_tracked": torch.tensor(3)}
    return {"colorEncoder": {**vgg, **head, "feature2vector.0.bias": torch.rand(3)}, "colorUNet": {**unet, **counter}}


@pytest.mark.parametrize("form", ["plain", "aliases", "aliases alone", "parallel"])
def test_aliases_and_extra_entries(form: str) -> None:
    """Oracle: the plain names, by hand: VGG19 up to layer 30, no head, no counters, SDFT.weight without its first
    dimension; every form of the file gives the same tensors, exact."""
    content: dict[str, Any] = _names_only()
    expected = {
        f"colorEncoder.vgg.vgg_model.features.{n}.{k}": torch.tensor([n, k == "bias"])
        for n in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30)
        for k in ("weight", "bias")
    }
    expected["colorEncoder.feature2vector.0.bias"] = content["colorEncoder"]["feature2vector.0.bias"]
    expected["colorUNet.up1.SDFT.weight"] = content["colorUNet"]["up1.SDFT.weight"][0]
    expected["colorUNet.outc.0.weight"] = content["colorUNet"]["outc.0.weight"]
    encoder = content["colorEncoder"]
    if form.startswith("aliases"):
        model = [name for name in encoder if name.startswith("vgg.vgg_model.features.")]
        for name in model:
            _, _, _, number, kind = name.split(".")
            encoder[f"vgg.vgg_feature.{number}.{kind}"] = encoder[f"vgg.seq_list.{number}.0.{kind}"] = encoder[name]
            if form == "aliases alone":
                del encoder[name]
    if form == "parallel":
        content = {part: {f"module.{name}": v for name, v in state.items()} for part, state in content.items()}
    found = from_published({**content, "g_optim": {}, "args": object()}, "file")
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("colorUNet"), r"no state dict 'colorUNet' \(there are: colorEncoder\)"),
        (
            lambda c: c.update(colorEncoder=[1]),
            "file is no checkpoint of Color2Embed: it holds no state dict 'colorEncoder'",
        ),
        (lambda c: c["colorUNet"].update(outc=3), "no state dict 'colorUNet'"),
        (
            lambda c: c["colorEncoder"].update({"vgg.vgg_feature.0.bias": torch.zeros(2)}),
            r"colorEncoder\.vgg\.vgg_model\.features\.0\.bias under two names",
        ),
    ],
)
def test_other_files_are_refused(change: Any, message: str) -> None:
    """Oracle: the contract: WeightsError that names it."""
    content = _names_only()
    change(content)
    with pytest.raises(WeightsError, match=message):
        from_published(content, "file")


@pytest.mark.parametrize("content", [None, 3, [torch.zeros(1)]])
def test_a_file_of_another_kind_is_refused(content: Any) -> None:
    """Oracle: the contract: WeightsError that names the file and what it holds."""
    with pytest.raises(
        WeightsError, match=f"file is no checkpoint of Color2Embed: it holds a {type(content).__name__}"
    ):
        from_published(content, "file")


class _Trap:
    """What a hostile pickle does when it is opened the common way."""

    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (setattr, (_Trap, "sprung", True))


@pytest.mark.parametrize("form", ["plain", "training"])
def test_import(form: str, tmp_path: Path, colorize: Any) -> None:
    """Oracle: the tensors that went in, by hand: all that the network has, exact in fp32; also from a training
    checkpoint with VGG19 under three names, an optimiser's state and an argparse.Namespace."""
    content: dict[str, Any] = _published()
    wanted = {f"{part}.{name}": value for part, state in content.items() for name, value in state.items()}
    if form == "training":
        encoder = content["colorEncoder"]
        for name in [name for name in encoder if ".features." in name]:
            _, _, _, number, kind = name.split(".")
            encoder[f"vgg.vgg_feature.{number}.{kind}"] = encoder[f"vgg.seq_list.{number}.0.{kind}"] = encoder[name]
        state = {0: {"step": 3, "exp_avg": torch.zeros(2)}}
        content |= {"g_optim": {"state": state, "param_groups": [{"lr": 1e-4}]}, "args": argparse.Namespace(size=256)}
    torch.save(content, tmp_path / "p.pt")
    target = tmp_path / "c.safetensors"
    answer = colorize("weights", "import", "color2embed", tmp_path / "p.pt", "-o", target, "--licence", "theirs")
    assert (answer.code, answer.out) == (0, f"{target}\n")
    checkpoint = read_checkpoint(target)
    network = build_network(SPEC, checkpoint, "c")
    assert checkpoint.description["licence"] == "theirs" and checkpoint.description["variant"] == "paper"
    for name, value in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, wanted[name].reshape(value.shape)), name


def test_import_executes_nothing(tmp_path: Path) -> None:
    """Oracle: the trap stays unsprung, beside the tensors and inside the Namespace that is allowed."""
    for args in (_Trap(), argparse.Namespace(rate=_Trap())):
        torch.save({**_names_only(), "args": args}, tmp_path / "t.pt")
        with pytest.raises(WeightsError, match=r"t\.pt holds more than tensors"):
            import_published("color2embed", tmp_path / "t.pt", tmp_path / "out.safetensors", "?")
        assert not _Trap.sprung and not (tmp_path / "out.safetensors").exists()


def test_import_names_every_fault(tmp_path: Path) -> None:
    """Oracle: the contract of `check_layout`, for a file with the right parts and hardly any of the names."""
    torch.save(_names_only(), tmp_path / "t.pt")
    with pytest.raises(
        WeightsError, match=r"t\.pt is not of the published layout: missing: colorEncoder\.feature2vector"
    ):
        import_published("color2embed", tmp_path / "t.pt", tmp_path / "out.safetensors", "?")


def test_unknown_names_are_kept_for_the_comparison() -> None:
    """Oracle: the contract: the layout's own check names them."""
    content = _names_only()
    content["colorUNet"]["up9.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError, match=r"unexpected: colorUNet\.up9\.weight"):
        check_layout(from_published(content, "file"), {**from_published(_names_only(), "file")}, "file")


def test_parameters() -> None:
    """Oracle: the sum of the published shapes, written out above, without VGG19's unused layers and head; methods.md's
    8 M for compact."""
    with torch.device("meta"):
        paper, compact = (Color2Embed(**SPEC.variants[name]) for name in ("paper", "compact"))
    published = from_published(_published(), "file")
    trained = sum(value.numel() for name, value in published.items() if "running" not in name)
    assert sum(p.numel() for p in paper.parameters()) == trained == 48_156_674
    assert sum(p.numel() for p in compact.parameters()) <= 8_000_000
