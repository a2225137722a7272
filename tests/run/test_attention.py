"""--save-attention: maps of where the network looked, whole or not at all, known to the ledger as results are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from colorcli.checkpoints.load import write_checkpoint
from colorcli.color.heat import heat_table
from colorcli.loader import LoadedMethod
from colorcli.methods.agin.network import Generator
from colorcli.methods.registry import METHODS

Call = Callable[..., "object"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """weights(attention): random weights of a generator of 4 channels."""

    def write(attention: str) -> Path:
        torch.manual_seed(0)
        path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
        settings = {"width": 4, "groups": 2, "attention": attention}
        network = Generator(4, 2, attention)
        write_checkpoint(path, network, {"method": "agin", "network": settings, "size": 32})
        return path

    return write


@pytest.fixture
def look(colorize: Call, weights: Callable[[str], Path]) -> Call:
    """look(folder, ..., out=OUT): `colorize auto -m agin`."""
    file = weights("cam")

    def call(*arguments: object, out: Path) -> object:
        return colorize("auto", *arguments, "-o", out, "-m", "agin", "--weights", file, "-d", "cpu")

    return call


def _steps(path: Path) -> np.ndarray:
    """(H, W) 0..255: where each of a map's colours stands in the table."""
    table = heat_table().numpy().astype(int)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    colors, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    distance = np.abs(colors[:, None] - table).sum(-1)
    assert (distance.min(-1) == 0).all()
    return distance.argmin(-1)[places.ravel()].reshape(pixels.shape[:2])


def test_a_map_is_the_attention_at_the_photos_size(
    tmp_path: Path, colorize: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: closed form: an attention that rises from left to right rises so in the map, within 2.5 of the table's
    256 steps (rounding, and the blocks of libvips' interpolation); 1500 px wide becomes 1024, a small photo keeps its
    size; results without the maps have the same bytes."""

    def attend(lightness: Tensor) -> Tensor:
        chroma = torch.full((len(lightness), 2, *lightness.shape[2:]), 30.0)
        ramp = torch.linspace(0, 1, lightness.shape[3]).expand(len(lightness), 1, *lightness.shape[2:])
        return torch.cat((chroma, ramp), dim=1)

    loaded = LoadedMethod(
        METHODS["agin"],
        lambda lightness: attend(lightness)[:, :2],
        torch.device("cpu"),
        torch.float32,
        "0" * 64,
        32,
        {},
    )
    monkeypatch.setattr("colorcli.run.prepared.load_method", lambda *_, **__: loaded)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    Image.new("L", (1500, 750), 128).save(tmp_path / "in" / "large.png")
    Image.new("L", (41, 33), 128).save(tmp_path / "in" / "sub" / "small.png")
    assert colorize("auto", tmp_path / "in", "-o", tmp_path / "plain", "-m", "agin", "-d", "cpu").code == 0
    object.__setattr__(loaded, "show", attend)
    arguments = ("-o", tmp_path / "out", "-m", "agin", "-d", "cpu", "--save-attention", tmp_path / "maps")
    assert colorize("auto", tmp_path / "in", *arguments).code == 0
    maps = {path.relative_to(tmp_path / "maps").as_posix(): path for path in (tmp_path / "maps").rglob("*.png")}
    assert set(maps) == {"large.png.attention.png", "sub/small.png.attention.png"}
    for path, size, columns in (
        (maps["large.png.attention.png"], (1024, 512), 48),
        (maps["sub/small.png.attention.png"], (41, 33), 36),
    ):
        assert Image.open(path).size == size
        width = size[0]
        place = ((np.arange(width) + 0.5) / width * columns - 0.5).clip(0, columns - 1)
        expected = 255 * place / (columns - 1)
        assert np.abs(_steps(path) - expected).max() <= 2.5
    for name in ("large.png", "sub/small.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_maps_of_a_network(photos: Path, tmp_path: Path, look: Call) -> None:
    """Oracle: the contract: one map a photo, of its size, over more than half of the table (each photo's own range on
    0..1; enlarging blunts its peaks), and different between photos; a second run does nothing; a map that was removed
    comes back, alone."""
    out, maps = tmp_path / "out", tmp_path / "maps"
    arguments = (photos, "--save-attention", maps)
    assert "4 coloured" in look(*arguments, out=out).out
    made = {path.name.removesuffix(".attention.png"): path for path in maps.iterdir()}
    assert set(made) == {path.name for path in photos.iterdir()}
    for name, path in made.items():
        assert Image.open(path).size == Image.open(photos / name).size
        steps = _steps(path)
        assert steps.max() - steps.min() > 128
    assert made["coffee.png"].read_bytes() != made["astronaut.png"].read_bytes()
    assert "0 coloured, 4 done before" in look(*arguments, out=out).out
    before = made["coffee.png"].read_bytes()
    made["coffee.png"].unlink()
    assert "1 to colour, 3 done before" in look(*arguments, "--dry-run", out=out).out
    assert "1 coloured, 3 done before" in look(*arguments, out=out).out
    assert made["coffee.png"].read_bytes() == before
    assert "0 coloured, 4 done before" in look(photos, out=out).out
    assert "0 coloured, 0 done before, 0 failed" in look(maps, out=tmp_path / "other").out  # maps are no photos


def test_a_foreign_map_needs_overwrite(photos: Path, tmp_path: Path, look: Call) -> None:
    """Oracle: as of results: a person's file keeps its bytes, and the photo fails by name."""
    foreign = tmp_path / "maps" / "coffee.png.attention.png"
    foreign.parent.mkdir()
    foreign.write_bytes(b"a picture of mine")
    answer = look(photos, "--save-attention", tmp_path / "maps", out=tmp_path / "out")
    assert answer.code == 3 and "3 coloured, 0 done before, 1 failed" in answer.out
    assert f"{foreign} exists" in answer.err and foreign.read_bytes() == b"a picture of mine"
    assert not (tmp_path / "out" / "coffee.png").exists()
    assert look(photos, "--save-attention", tmp_path / "maps", "--overwrite", out=tmp_path / "out").code == 0
    assert Image.open(foreign).size == (96, 96)


def test_a_folder_that_cannot_be_written_fails_by_name(photos: Path, tmp_path: Path, look: Call) -> None:
    """Oracle: the system's words; no result is left that the ledger would not know."""
    (tmp_path / "maps").touch()
    answer = look(photos, "--save-attention", tmp_path / "maps", out=tmp_path / "out")
    assert answer.code == 3 and "4 failed" in answer.out and "the attention map" in answer.err
    assert not list((tmp_path / "out").glob("*.png"))
    (tmp_path / "maps").unlink()
    assert "4 coloured" in look(photos, "--save-attention", tmp_path / "maps", out=tmp_path / "out").out


def test_a_result_that_fails_leaves_no_map(
    photos: Path, tmp_path: Path, look: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the contract: neither file, nor a part of one."""

    def full(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("colorcli.media.results._encode", full)
    answer = look(photos / "coffee.png", "--save-attention", tmp_path / "maps", out=tmp_path / "out")
    assert answer.code == 3 and "Input/output error" in answer.err and "the result cannot be written" in answer.err
    assert not list((tmp_path / "maps").iterdir()) and not list((tmp_path / "out").glob("*.png"))


def test_weights_without_attention_are_refused_before_anything_is_written(
    photos: Path, tmp_path: Path, colorize: Call, weights: Callable[[str], Path]
) -> None:
    """Oracle: exit 2 with the cause; without --save-attention they colour."""
    arguments = ("auto", photos, "-o", tmp_path / "out", "-m", "agin", "--weights", weights("none"), "-d", "cpu")
    answer = colorize(*arguments, "--save-attention", tmp_path / "maps")
    assert answer.code == 2 and "no attention map" in answer.err
    assert not (tmp_path / "out").exists() and not (tmp_path / "maps").exists()
    assert colorize(*arguments).code == 0
