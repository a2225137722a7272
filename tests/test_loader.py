"""From a method's name to a predictor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from colorcli.checkpoints import store
from colorcli.checkpoints.load import read_checkpoint, write_checkpoint
from colorcli.checkpoints.manifest import Entry, write_manifest
from colorcli.errors import UsageError, WeightsError
from colorcli.loader import blended, build_network, load_method
from colorcli.media.places import sha256_of
from colorcli.methods.agin.network import Generator
from colorcli.methods.agin.predictor import Predictor
from colorcli.methods.registry import METHODS
from colorcli.methods.siggraph17.network import Siggraph17
from colorcli.methods.smsanet.network import SMSANet
from colorcli.train.config import build_config
from colorcli.train.start import build

CPU = torch.device("cpu")
TINY = {"widths": [4, 4, 8, 8]}


def _write(path: Path, **changes: Any) -> SMSANet:
    torch.manual_seed(0)
    network = SMSANet(TINY["widths"]).eval()
    description = {"method": "smsanet", "variant": "compact", "network": TINY, "gain": 0.5, "size": 64, **changes}
    write_checkpoint(path, network, {key: value for key, value in description.items() if value is not None})
    return network


@pytest.fixture
def lightness() -> torch.Tensor:
    return 100 * torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(1))


def test_prediction_is_the_networks(tmp_path: Path, lightness: torch.Tensor) -> None:
    """Oracle: the network itself with its parameters rounded to fp16, times 110 and the gain of 0.5; 1e-3 ab (the
    channels_last layout adds in another order)."""
    network = _write(tmp_path / "w.safetensors")
    loaded = load_method("smsanet", weights=tmp_path / "w.safetensors", device=CPU)
    with torch.inference_mode():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
        expected = 110 * 0.5 * network((lightness - 50) / 100)
    assert torch.allclose(loaded.predict(lightness), expected, atol=1e-3)
    assert (loaded.size, loaded.spec.name, loaded.dtype) == (64, "smsanet", torch.float32)
    assert loaded.sha256 == sha256_of(tmp_path / "w.safetensors")


def test_precision_is_the_one_asked_for(tmp_path: Path, lightness: torch.Tensor) -> None:
    """Oracle: fp32 of the same weights: bf16 differs, by less than a tenth of the largest chroma, and comes as fp32."""
    _write(tmp_path / "w.safetensors")
    exact, rough = (
        load_method("smsanet", weights=tmp_path / "w.safetensors", device=CPU, dtype=dtype).predict(lightness)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert rough.dtype is torch.float32
    assert 0 < float((exact - rough).abs().max()) < 0.1 * float(exact.abs().max())


def test_defaults_of_a_short_description(tmp_path: Path, lightness: torch.Tensor) -> None:
    """Oracle: closed form: without a gain it is 1, twice that of 0.5; without a size the method's 256."""
    _write(tmp_path / "half.safetensors")
    _write(tmp_path / "short.safetensors", gain=None, size=None)
    half, short = (
        load_method("smsanet", weights=tmp_path / f"{name}.safetensors", device=CPU) for name in ("half", "short")
    )
    assert torch.allclose(short.predict(lightness), 2 * half.predict(lightness), atol=1e-4)
    assert short.size == 256


def test_shipped_weights_are_verified(tmp_path: Path, lightness: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the same file given by name; then one altered byte is refused."""
    monkeypatch.setattr(store, "shipped_folder", lambda _: tmp_path)
    path = tmp_path / "tiny.safetensors"
    _write(path)
    entry = Entry(path.name, "smsanet", "compact", sha256_of(path), path.stat().st_size, "MIT", "a test")
    write_manifest(tmp_path / "manifest.toml", [entry])
    shipped = load_method("smsanet", weights=None, device=CPU)
    assert torch.equal(shipped.predict(lightness), load_method("smsanet", weights=path, device=CPU).predict(lightness))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="is damaged"):
        load_method("smsanet", weights=None, device=CPU)


def test_siggraph17_loads_too(tmp_path: Path, lightness: torch.Tensor) -> None:
    """Oracle: the predictor's contract, for a network with hint channels and the published head."""
    torch.manual_seed(0)
    description = {"method": "siggraph17", "network": {**TINY, "classes": 7}}
    write_checkpoint(tmp_path / "w.safetensors", Siggraph17(TINY["widths"], classes=7), description)
    loaded = load_method("siggraph17", weights=tmp_path / "w.safetensors", device=CPU)
    assert loaded.predict(lightness).shape == (2, 2, 16, 24)


def test_hints_reach_the_network(tmp_path: Path, lightness: torch.Tensor) -> None:
    """Oracle: the network itself on (L - 50) / 100, ab / 110 and the mask, its parameters rounded to fp16; 1e-3 ab."""
    torch.manual_seed(0)
    network = Siggraph17(TINY["widths"]).eval()
    write_checkpoint(tmp_path / "w.safetensors", network, {"method": "siggraph17", "network": TINY})
    loaded = load_method("siggraph17", weights=tmp_path / "w.safetensors", device=CPU)
    hints = torch.zeros(2, 3, 16, 24)
    hints[0, :, 4:9, 6:11] = torch.tensor([60.0, -40.0, 1.0])[:, None, None]
    with torch.inference_mode():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
        seen = torch.cat(((lightness - 50) / 100, hints[:, :2] / 110, hints[:, 2:]), dim=1)
        expected = 110 * network(seen)
    found = loaded.predict(lightness, hints)
    assert torch.allclose(found, expected, atol=1e-3)
    assert not torch.allclose(found[0], loaded.predict(lightness)[0], atol=1e-3) and loaded.show is None


def test_attention_is_a_third_plane(tmp_path: Path, lightness: torch.Tensor) -> None:
    """Oracle: the predictor's own two answers, 1e-3 (the weights file's fp16 is loaded for both)."""
    torch.manual_seed(0)
    description = {"method": "agin", "network": {"width": 4, "groups": 2}}
    write_checkpoint(tmp_path / "w.safetensors", Generator(4, 2), description)
    loaded = load_method("agin", weights=tmp_path / "w.safetensors", device=CPU)
    assert loaded.show is not None
    network = build_network(METHODS["agin"], read_checkpoint(tmp_path / "w.safetensors"), "w")
    chroma, attention = Predictor(network).with_attention(lightness)  # type: ignore[arg-type]
    found = loaded.show(lightness)
    assert torch.allclose(found[:, :2], chroma, atol=1e-3) and torch.allclose(found[:, 2:], attention, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "agin"}, "holds weights of agin, not of smsanet"),
        ({"method": None}, "holds weights of None, not of smsanet"),
        ({"network": None}, "describes a network that smsanet cannot build"),
        ({"network": 3}, "describes a network that smsanet cannot build"),
        ({"network": {"widths": [4, 4]}}, "cannot build: widths must be four"),
        ({"network": {"depth": 3}}, "cannot build: .*depth"),
        ({"gain": "much"}, "its gain is 'much'; expected a number up to 100"),
        ({"gain": float("nan")}, "its gain is nan; expected a number"),
        ({"size": 10**6}, "its size is 1000000; expected a number up to 4096"),
        ({"size": "big"}, "its size is 'big'; expected a number"),
        ({"network": {**TINY, "attention": "none"}}, "does not fit the network: .*unexpected .*attention"),
        ({"network": {"widths": [4, 4, 8, 9]}}, r"w\.safetensors: .* is \(.*\), the network has \("),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """Oracle: the contract: WeightsError that names the file and the reason."""
    _write(tmp_path / "w.safetensors", **changes)
    with pytest.raises(WeightsError, match=message) as caught:
        load_method("smsanet", weights=tmp_path / "w.safetensors", device=CPU)
    assert "w.safetensors" in str(caught.value)


def test_a_network_that_torch_refuses(tmp_path: Path) -> None:
    """Oracle: the contract: WeightsError, and UsageError of a run that is to train it, though torch's is another."""
    description = {"method": "siggraph17", "network": {**TINY, "classes": -1}}
    write_checkpoint(tmp_path / "w.safetensors", Siggraph17(TINY["widths"]), description)
    with pytest.raises(WeightsError, match=r"describes a network that siggraph17 cannot build: .*negative dimension"):
        load_method("siggraph17", weights=tmp_path / "w.safetensors", device=CPU)
    config = build_config("siggraph17", {"steps": 1, "network": {"classes": -1}})
    with pytest.raises(UsageError, match=r"network settings .*negative dimension"):
        build(METHODS["siggraph17"], config, 1)


def test_unknown_method() -> None:
    """Oracle: the contract."""
    with pytest.raises(UsageError, match="no method is called 'nothing'"):
        load_method("nothing", weights=None, device=CPU)


def test_a_reference_reaches_the_network(exemplar_weights: Path, lightness: torch.Tensor) -> None:
    """Oracle: the predictor itself in fp32, 1e-3; also where the rest is in bf16: embeddings are made once and must be
    as good as they can. Methods that need no reference have neither look."""
    from colorcli.methods.color2embed.predictor import Predictor as Exemplar

    network = build_network(METHODS["color2embed"], read_checkpoint(exemplar_weights), "w")
    reference = torch.rand(2, 3, 30, 50, generator=torch.Generator().manual_seed(2))
    pixels = lightness[..., :16]
    predictor = Exemplar(network)  # type: ignore[arg-type]
    z = predictor.embed(reference)
    for dtype in (torch.float32, torch.bfloat16):
        loaded = load_method("color2embed", weights=exemplar_weights, device=CPU, dtype=dtype)
        assert loaded.embed is not None and loaded.content is not None
        assert torch.allclose(loaded.embed(reference), z, atol=1e-3)
        assert torch.allclose(loaded.content(pixels), predictor.content(pixels), atol=1e-3)
        if dtype is torch.float32:
            assert torch.allclose(loaded.predict(pixels, z), predictor(pixels, z), atol=1e-2)
            assert not torch.allclose(loaded.predict(pixels, z), loaded.predict(pixels, z.flip(0)), atol=0.1)
    assert load_method("color2embed", weights=exemplar_weights, device=CPU).size == 64


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_a_blend(strength: float, exemplar_weights: Path, tmp_path: Path, lightness: torch.Tensor) -> None:
    """Oracle: the formula on the two methods' own answers, 1e-4; the digests of both files; SMSANet alone needs no
    reference."""
    _write(tmp_path / "w.safetensors")
    automatic = load_method("smsanet", weights=tmp_path / "w.safetensors", device=CPU)
    own = load_method("color2embed", weights=exemplar_weights, device=CPU)
    pixels, z = lightness[..., :16], torch.rand(2, 512)
    both = blended(own, automatic, strength)
    expected = strength * own.predict(pixels, z) + (1 - strength) * automatic.predict(pixels)
    assert torch.allclose(both.predict(pixels, z), expected, atol=1e-4)
    assert both.sha256 == f"{own.sha256}, {automatic.sha256}" and both.embed is own.embed and automatic.embed is None
