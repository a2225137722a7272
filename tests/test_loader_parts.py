"""A method of several parts: each network from its own weights file, one predictor of all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from colorcli.checkpoints import store
from colorcli.checkpoints.load import read_checkpoint
from colorcli.checkpoints.manifest import Entry, write_manifest
from colorcli.errors import WeightsError
from colorcli.loader import build_network, load_method
from colorcli.media.places import sha256_of
from colorcli.methods.registry import PARTS
from colorcli.methods.stylization.predictor import Predictor

CPU = torch.device("cpu")
Weights = tuple[Path, Path]


def _random(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _ship(folder: Path, *files: Path) -> None:
    entries = []
    folder.mkdir(exist_ok=True)
    for file in files:
        method = read_checkpoint(file).description["method"]
        shutil.copy(file, folder / f"{method}-compact.safetensors")
        size = file.stat().st_size
        entries.append(
            Entry(f"{method}-compact.safetensors", method, "compact", sha256_of(file), size, "MIT", "a test")
        )
    write_manifest(folder / "manifest.toml", entries)


@pytest.mark.parametrize("transform", ["adain", "wct"])
def test_the_prediction_is_that_of_both_networks(stylization_weights: Weights, transform: str) -> None:
    """Oracle: the predictor, given both networks, the gain of 0.5 in the colorization's file and the transform by hand;
    1e-3 (the channels_last layout adds in another order) where statistics are not enlarged. Digests of both files, the
    colorization's size; the order in which files are given is nothing."""
    networks = [
        build_network(PARTS[name], read_checkpoint(file), "it")
        for name, file in zip(("stylization-transfer", "stylization-colorization"), stylization_weights, strict=True)
    ]
    predictor = Predictor(*networks, 0.5, transform=transform)  # type: ignore[arg-type]
    loaded = load_method("stylization", weights=stylization_weights[::-1], device=CPU, choices={"transform": transform})
    assert loaded.embed is not None and loaded.content is not None
    lightness, reference = 100 * _random(2, 1, 32, 24), _random(1, 3, 40, 56)
    z, hints = predictor.embed(reference), torch.zeros(2, 3, 32, 24)
    hints[0, :, 4:9, 4:9] = torch.tensor([60.0, -40.0, 1.0])[:, None, None]
    assert torch.allclose(loaded.embed(reference), z, atol=1e-3, rtol=1e-3)
    assert torch.allclose(loaded.content(lightness), predictor.content(lightness), atol=1e-3)
    for given in ((z,), (z, None), (z, None, hints)):
        assert torch.allclose(loaded.predict(lightness, *given), predictor(lightness, *given), atol=0.5)
    assert not torch.allclose(loaded.predict(lightness, z, None, hints), loaded.predict(lightness, z), atol=0.5)
    here, there = torch.zeros(2, 32, 24, dtype=torch.uint8), torch.zeros(1, 40, 56, dtype=torch.uint8)
    here[:, :16], there[..., :20] = 1, 1
    z = predictor.embed(reference, there, 2)
    assert torch.allclose(loaded.embed(reference, there, 2), z, atol=1e-3, rtol=1e-3)
    assert torch.allclose(loaded.predict(lightness, z, here), predictor(lightness, z, here), atol=0.5)
    assert loaded.sha256 == ", ".join(map(sha256_of, stylization_weights))
    assert loaded.size == 64 and loaded.description["gain"] == 0.5


def test_a_part_that_is_not_given_is_the_shipped_one(
    stylization_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: both files given: the same digests, whichever are shipped; a damaged shipped one is refused by name."""
    monkeypatch.setattr(store, "shipped_folder", lambda _: tmp_path)
    both = load_method("stylization", weights=stylization_weights, device=CPU)
    _ship(tmp_path, *stylization_weights)
    for given in (None, (), *((file,) for file in stylization_weights)):
        assert load_method("stylization", weights=given, device=CPU).sha256 == both.sha256
    (tmp_path / "stylization-transfer-compact.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"stylization-transfer-compact.safetensors has 7 bytes"):
        load_method("stylization", weights=stylization_weights[1], device=CPU)


def test_what_is_missing_is_named_with_its_remedy(
    stylization_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: house rule 9: one error (exit code 4) that names both parts with the commands that make them; where one
    is given, the other alone."""
    monkeypatch.setattr(store, "shipped_folder", lambda _: tmp_path)
    _ship(tmp_path)
    with pytest.raises(WeightsError) as caught:
        load_method("stylization", weights=None, device=CPU)
    assert caught.value.exit_code == 4
    commands = [f"colorize train stylization-{part} " for part in ("transfer", "colorization")]
    assert all(command in str(caught.value) for command in commands)
    with pytest.raises(WeightsError) as caught:
        load_method("stylization", weights=stylization_weights[0], device=CPU)
    assert [command in str(caught.value) for command in commands] == [False, True]


def test_files_that_do_not_belong(stylization_weights: Weights, tiny_weights: Path, tmp_path: Path) -> None:
    """Oracle: the contract: WeightsError that names file and reason."""
    transfer, _ = stylization_weights
    with pytest.raises(WeightsError, match=r"holds weights of smsanet, not of stylization-transfer or stylization-col"):
        load_method("stylization", weights=(transfer, tiny_weights), device=CPU)
    shutil.copy(transfer, tmp_path / "copy.safetensors")
    with pytest.raises(WeightsError, match=r"copy.safetensors both hold weights of stylization-transfer; name one"):
        load_method("stylization", weights=(transfer, tmp_path / "copy.safetensors"), device=CPU)
    with pytest.raises(WeightsError, match="holds weights of stylization-transfer, not of smsanet"):
        load_method("smsanet", weights=(tiny_weights, transfer), device=CPU)
