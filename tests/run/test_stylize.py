"""colorize stylize, from file to file: the change arrives, the photo's detail stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2gray, rgb2lab
from skimage.metrics import structural_similarity
from torch import Tensor

from colorcli.checkpoints import store
from colorcli.checkpoints.manifest import write_manifest
from colorcli.loader import LoadedMethod
from colorcli.methods.registry import stylizer

Call = Callable[..., "object"]


@pytest.fixture
def ref(tmp_path: Path, put_color: Call) -> Path:
    """A style."""
    return put_color(tmp_path / "refs" / "cup.jpg", "coffee", 70, 50)  # type: ignore[return-value]


@pytest.fixture
def stylize(colorize: Call, stylization_weights: tuple[Path, Path], ref: Path) -> Call:
    """stylize(photo, ..., out=OUT): after that style."""

    def call(*arguments: object, out: Path) -> object:
        weights = ("--weights", stylization_weights[0])
        return colorize("stylize", *arguments, "--ref", ref, "-o", out, *weights, "-d", "cpu")

    return call


@pytest.fixture
def changed(colorize: Call, ref: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """changed(change, photo, ..., out=OUT): with a network at 64 px that answers as `change` does."""

    def call(change: Callable[[Tensor], Tensor], *arguments: object, out: Path) -> object:
        def embed(rgb: Tensor) -> Tensor:
            return torch.zeros(len(rgb), 1)

        loaded = LoadedMethod(
            stylizer(),
            lambda lab, _: change(lab),  # type: ignore[arg-type, misc]
            torch.device("cpu"),
            torch.float32,
            "0" * 64,
            64,
            {},
            embed=embed,
            content=embed,
        )
        monkeypatch.setattr("colorcli.run.prepared.load_method", lambda *_, **__: loaded)
        return colorize("stylize", *arguments, "--ref", ref, "-o", out, "-d", "cpu")

    return call


def _rgb(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def _luma_ssim(one: np.ndarray, other: np.ndarray) -> float:
    return float(structural_similarity(rgb2gray(one), rgb2gray(other), data_range=1.0))


def test_no_change_is_the_photo(tmp_path: Path, put_color: Call, changed: Call) -> None:
    """Oracle: the photo itself, within one 8-bit step (CIE Lab in float32, and back): also turned by EXIF, where its
    Lab is held in 16 bits, with alpha, and in gray."""
    folder = tmp_path / "in"
    picture = Image.fromarray(_rgb(put_color(folder / "plain.png", "coffee", 120, 80)))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "turned.png", exif=exif)
    veiled = picture.copy()
    veiled.putalpha(Image.linear_gradient("L").resize(picture.size))
    veiled.save(folder / "veiled.png")
    picture.convert("L").save(folder / "gray.png")
    answer = changed(torch.zeros_like, folder, out=tmp_path / "out")
    assert answer.code == 0 and "4 coloured" in answer.out
    for name in ("plain", "veiled", "gray", "turned"):
        wanted, found = _rgb(folder / f"{name}.png").astype(int), _rgb(tmp_path / "out" / f"{name}.png").astype(int)
        if name == "turned":
            wanted = np.rot90(wanted, -1)
        assert np.abs(found - wanted).max() <= 1, name
    alpha = Image.open(tmp_path / "out" / "veiled.png").getchannel("A")
    assert np.array_equal(np.asarray(alpha), np.asarray(veiled.getchannel("A")))


def test_the_change_arrives(tmp_path: Path, put_color: Call, changed: Call) -> None:
    """Oracle: closed form: a photo that is flatter, darker and bluer by the same everywhere, its mean Lab by
    scikit-image within 0.6 (8 bits, and what is steered by contrast; a muted photo, so that all is in gamut)."""
    path = put_color(tmp_path / "a.png", "chelsea", 300, 200)
    muted = (128 + 0.4 * (_rgb(path).astype(float) - 128)).astype(np.uint8)
    Image.fromarray(muted).save(path)

    def change(lab: Tensor) -> Tensor:
        return torch.cat((-0.2 * lab[:, :1] + 4, lab[:, 1:] * 0 + torch.tensor([3.0, -12.0])[:, None, None]), dim=1)

    assert changed(change, path, out=tmp_path / "out").code == 0
    before, after = rgb2lab(muted), rgb2lab(_rgb(tmp_path / "out" / "a.png"))
    wanted = np.stack((0.8 * before[..., 0] + 4, before[..., 1] + 3, before[..., 2] - 12), axis=-1)
    assert np.abs((after - wanted).mean((0, 1))).max() < 0.6
    assert np.abs(after - wanted)[..., 0].mean() < 1.5


def test_what_the_network_loses_stays(tmp_path: Path, put_color: Call, changed: Call) -> None:
    """Oracle: issue 6's figure, luma SSIM of 0.85 or more, for a network that gives a blurred picture (means of 4x4
    pixels at 64 px, 19 of the photo's) with a chequerboard of 16 units in L over it; its own is below 0.6."""
    path = put_color(tmp_path / "a.png", "astronaut", 300, 300)
    pictures: list[Tensor] = []

    def change(lab: Tensor) -> Tensor:
        blurred = torch.nn.functional.avg_pool2d(lab, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
        rows, columns = (torch.arange(side) for side in lab.shape[2:])
        blurred[:, 0] += 8 * (1 - 2 * ((rows[:, None] + columns) % 2))
        pictures.append(blurred)
        return blurred - lab

    assert changed(change, path, out=tmp_path / "out").code == 0
    photo = _rgb(path)
    own = torch.nn.functional.interpolate(pictures[0], (300, 300), mode="bilinear")[0, 0] / 100
    assert structural_similarity(rgb2lab(photo)[..., 0] / 100, own.numpy().astype(float), data_range=1.0) < 0.6
    assert _luma_ssim(photo, _rgb(tmp_path / "out" / "a.png")) >= 0.85


def test_the_common_stream(
    tmp_path: Path, ref: Path, put_color: Call, stylize: Call, files_in: Callable[[Path], dict[str, bytes]]
) -> None:
    """Oracle: bytes and counts: a second run does nothing, WCT and another style redo the work, a foretold run writes
    nothing; photos lie in their tree, with their comparison."""
    folder, out = tmp_path / "in", tmp_path / "out"
    put_color(folder / "a.png", "chelsea", 90, 60)
    put_color(folder / "sub" / "b.jpg", "rocket", 60, 90)
    assert "2 to colour" in stylize(folder, "--dry-run", out=out).out and not out.exists()
    assert "2 coloured" in stylize(folder, out=out).out
    first = files_in(out)
    assert sorted(first) == ["a.png", "sub/b.jpg"]
    assert Image.open(out / "sub" / "b.jpg").size == (60, 90)
    assert "2 done before" in stylize(folder, "--transform", "adain", out=out).out
    assert "2 coloured" in stylize(folder, "--transform", "wct", out=out).out
    second = files_in(out)
    put_color(ref, "rocket", 70, 50)
    assert "2 coloured" in stylize(folder, "--transform", "wct", "--compare", out=out).out
    third = files_in(out)
    assert all(len({made[name] for made in (first, second, third)}) == 3 for name in first)
    assert sorted(set(third) - set(first)) == ["a.png.compare.jpg", "sub/b.jpg.compare.jpg"]


def test_what_cannot_be(
    tmp_path: Path, photos: Path, ref: Path, colorize: Call, stylize: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: exit 2 for a gray style, a folder of them, an unknown transform, the part's name where methods are asked
    for; exit 4 without weights, with the command that makes some; nothing is written."""
    out = tmp_path / "out"
    for style, reason in ((photos / "coffee.png", "is gray"), (ref.parent, "is a folder")):
        answer = colorize("stylize", photos, "--ref", style, "-o", out)
        assert answer.code == 2 and reason in answer.err
    answer = stylize(photos, "--transform", "gram", out=out)
    assert answer.code == 2 and "adain or wct" in answer.err
    answer = colorize("exemplar", photos, "--ref", ref, "-o", out, "-m", stylizer().name)
    assert answer.code == 2 and "no method is called" in answer.err
    monkeypatch.setattr(store, "shipped_folder", lambda _: tmp_path)
    write_manifest(tmp_path / "manifest.toml", [])
    answer = colorize("stylize", photos, "--ref", ref, "-o", out)
    assert answer.code == 4 and f"colorize train {stylizer().name} " in answer.err
    assert not out.exists()
