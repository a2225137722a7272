"""colorize exemplar -m stylization, from file to file with tiny random networks: samples, seeds, transforms, stages."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from colorcli.checkpoints import store
from colorcli.checkpoints.manifest import write_manifest
from colorcli.loader import load_method
from colorcli.media.photos import read_colors, read_photo

Call = Callable[..., "object"]
_CPU = torch.device("cpu")


@pytest.fixture
def ref(tmp_path: Path, put_color: Call) -> Path:
    """A reference in colour."""
    return put_color(tmp_path / "refs" / "cup.jpg", "coffee", 70, 50)  # type: ignore[return-value]


@pytest.fixture
def stylize(colorize: Call, stylization_weights: tuple[Path, Path], ref: Path) -> Call:
    """stylize(photo, ..., out=OUT): `colorize exemplar -m stylization` after that reference."""
    files = [word for path in stylization_weights for word in ("--weights", path)]

    def call(*arguments: object, out: Path | None) -> object:
        place = () if out is None else ("-o", out)
        return colorize("exemplar", *arguments, "--ref", ref, *place, "-m", "stylization", *files, "-d", "cpu")

    return call


def _lab(path: Path) -> np.ndarray:
    return rgb2lab(np.asarray(Image.open(path).convert("RGB")) / 255)


def test_a_result_has_the_networks_colour(
    photos: Path, ref: Path, tmp_path: Path, stylize: Call, stylization_weights: tuple[Path, Path]
) -> None:
    """Oracle: the method itself, asked for the photo's lightness, the reference's embedding and seed 3: mean ab of the
    result within 0.5 (8 bits; at a tenth of the chroma all is in gamut); the photo's L within 1 for 99.9 %."""
    how = ("--saturation", "0.1", "--seed", "3", "--transform", "wct")
    assert stylize(photos / "chelsea.png", *how, out=tmp_path / "out").code == 0
    method = load_method("stylization", weights=stylization_weights, device=_CPU, choices={"transform": "wct"})
    _, lightness = read_photo(photos / "chelsea.png", side=64, multiple=8)
    assert method.embed is not None
    z = method.embed(torch.from_numpy(read_colors(ref, side=256, max_pixels=0))[None])
    chroma = method.predict(torch.from_numpy(lightness)[None, None], z, None, None, torch.tensor([3]))[0]
    found, before = _lab(tmp_path / "out" / "chelsea.png"), _lab(photos / "chelsea.png")
    expected = 0.1 * chroma.mean((1, 2)).numpy()
    assert np.abs(expected).max() > 0.8
    assert np.allclose(found[..., 1:].mean((0, 1)), expected, atol=0.5)
    assert (np.abs(found[..., 0] - before[..., 0]) <= 1).mean() >= 0.999


def test_samples_and_seeds(photos: Path, tmp_path: Path, stylize: Call, files_in: Call) -> None:
    """Oracle: bytes: a seed gives the same, another seed another, and the n-th sample is that of seed + n - 1; counts:
    the ledger knows which seed a result has."""
    photo, one, three = photos / "chelsea.png", tmp_path / "one", tmp_path / "three"
    alone = []
    for seed in (5, 6, 7):
        assert "1 coloured, 0 done before" in stylize(photo, "--seed", seed, out=one).out
        assert "0 coloured, 1 done before" in stylize(photo, "--seed", seed, out=one).out
        alone.append((one / "chelsea.png").read_bytes())
    assert len(set(alone)) == 3
    assert "3 coloured" in stylize(photo, "--seed", 5, "--samples", 3, out=three).out
    assert files_in(three) == {f"chelsea.sample-{n}.png": content for n, content in enumerate(alone, start=1)}
    assert "1 coloured, 3 done before" in stylize(photo, "--seed", 5, "--samples", 4, out=three).out


def _width(path: Path) -> int:
    return Image.open(path).width


def test_samples_share_a_comparison(
    photos: Path, tmp_path: Path, stylize: Call, put_color: Call, files_in: Call
) -> None:
    """Oracle: the files themselves: two samples of each of two references are four results in one picture after their
    photo, in that order (mean of 8 steps: JPEG), whatever the threads; the same command does nothing, another number of
    samples or another seed makes it anew."""
    photo, out, other = photos / "chelsea.png", tmp_path / "out", put_color(tmp_path / "refs" / "sky.jpg", "rocket")
    how = (photo, "--ref", other, "--compare", "-j", "3")
    assert "4 coloured" in stylize(*how, "--samples", 2, out=out).out
    names = [f"chelsea.{name}.sample-{n}.png" for name in ("cup", "sky") for n in (1, 2)]
    first = files_in(out)
    assert sorted(first) == sorted([*names, "chelsea.png.compare.jpg"])
    sheet = np.asarray(Image.open(out / "chelsea.png.compare.jpg")).astype(int)
    assert sheet.shape == (96, 5 * 96 + 4 * 8, 3)
    for place, path in enumerate([photo, *(out / name for name in names)]):
        part = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert np.abs(sheet[:, 104 * place :][:, :96] - part).mean() < 8
    assert "0 coloured, 4 done before" in stylize(*how, "--samples", 2, out=out).out
    assert files_in(out) == first
    assert "2 coloured, 4 done before" in stylize(*how, "--samples", 3, out=out).out
    assert Image.open(out / "chelsea.png.compare.jpg").size == (6 * 96 + 5 * 8, 2 * 96 + 8)
    assert "4 coloured" in stylize(*how, "--samples", 2, "--seed", 9, out=out).out
    assert files_in(out)["chelsea.png.compare.jpg"] != first["chelsea.png.compare.jpg"]


def test_samples_of_the_nearest_reference_share_a_comparison(
    photos: Path, tmp_path: Path, stylize: Call, put_color: Call
) -> None:
    """Oracle: closed form: the photo and two results, though each job finds its reference on its way only; then with
    one result in a person's way, the other one; the same command does nothing."""
    other, sheet = put_color(tmp_path / "refs" / "sky.jpg", "rocket"), tmp_path / "out" / "chelsea.png.compare.jpg"
    how = (photos / "chelsea.png", "--ref", other, "--pair-by", "best", "--samples", 2, "--compare")
    assert "2 coloured" in stylize(*how, out=tmp_path / "out").out
    assert _width(sheet) == 3 * 96 + 2 * 8
    assert "0 coloured, 2 done before" in stylize(*how, out=tmp_path / "out").out
    (tmp_path / "out" / "chelsea.sample-1.png").write_bytes(b"mine")
    assert "0 coloured, 1 done before, 1 failed" in stylize(*how, out=tmp_path / "out").out
    assert _width(sheet) == 2 * 96 + 8


def test_transforms(photos: Path, tmp_path: Path, stylize: Call) -> None:
    """Oracle: bytes and counts: AdaIN is the default, by its name too; WCT is another result and redoes the work."""
    photo, out = photos / "chelsea.png", tmp_path / "out"
    assert "1 coloured" in stylize(photo, out=out).out
    before = (out / "chelsea.png").read_bytes()
    assert "1 done before" in stylize(photo, "--transform", "adain", out=out).out
    assert "1 coloured" in stylize(photo, "--transform", "wct", out=out).out
    assert (out / "chelsea.png").read_bytes() != before


def test_a_persons_hints_go_with_the_reference(photos: Path, tmp_path: Path, stylize: Call) -> None:
    """Oracle: the photo with a hint and the one with a drawing change, the other two keep their bytes."""
    assert "4 coloured" in stylize(photos, out=tmp_path / "out").out
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    drawing = Image.new("RGBA", (96, 96))
    drawing.paste((200, 30, 40, 255), (20, 20, 60, 60))
    drawing.save(photos / "coffee.hints.png")
    assert "1 coloured, 3 done before" in stylize(photos, out=tmp_path / "out").out
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    assert {name for name in before if before[name] != after[name]} == {"coffee.png"}
    assert stylize(photos / "chelsea.png", "--hint", "40,40,#c81e28", out=tmp_path / "hinted").code == 0
    assert (tmp_path / "hinted" / "chelsea.png").read_bytes() != before["chelsea.png"]


def test_stages(photos: Path, tmp_path: Path, stylize: Call, files_in: Call) -> None:
    """Oracle: the paper's Fig. 4: five pictures of the network's size with 4 px between, the first the photo's own gray
    (its L within 1), the last as the result (mean ab within 1: another size, and what recombination smooths), all of
    them different; results are the same bytes without. Counts: a picture that was removed comes back, and stages
    are no photos. Its XMP says that the colour is synthetic."""
    out, steps = tmp_path / "out", tmp_path / "steps"
    how = (photos, "--save-stages", steps, "--saturation", "1")
    assert "4 coloured" in stylize(*how, out=out).out
    assert stylize(photos, out=tmp_path / "plain").code == 0
    assert files_in(tmp_path / "plain") == files_in(out)
    made = {path.name.removesuffix(".stages.png"): path for path in steps.iterdir()}
    assert set(made) == {path.name for path in photos.iterdir()}
    assert all(b"compositeWithTrainedAlgorithmicMedia" in path.read_bytes() for path in made.values())
    _, lightness = read_photo(photos / "chelsea.png", side=64, multiple=8)
    height, width = lightness.shape
    row = _lab(made["chelsea.png"])
    assert row.shape == (height, 5 * width + 4 * 4, 3) and np.allclose(row[:, width : width + 4], (100, 0, 0), atol=0.1)
    pictures = [row[:, n * (width + 4) :][:, :width] for n in range(5)]
    assert np.abs(pictures[0][..., 0] - lightness).max() < 1 and np.abs(pictures[0][..., 1:]).max() < 1
    result = _lab(out / "chelsea.png")
    assert np.abs(pictures[4][..., 1:].mean((0, 1)) - result[..., 1:].mean((0, 1))).max() < 1
    for one, other in pairwise(pictures):
        assert np.abs(one - other).max() > 1
    content = made["coffee.png"].read_bytes()
    made["coffee.png"].unlink()
    assert "1 coloured, 3 done before" in stylize(*how, out=out).out
    assert made["coffee.png"].read_bytes() == content
    assert "0 coloured, 0 done before, 0 failed" in stylize(steps, out=tmp_path / "other").out


def test_a_blend_shows_its_own_result(
    photos: Path, tmp_path: Path, stylize: Call, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: with and without the pictures the same bytes: what is shown is what is written."""
    from colorcli.run import prepared

    load = prepared.load_method

    def tiny(method: str, *, weights: object, **how: object) -> object:
        return load(method, weights=weights or tiny_weights, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(prepared, "load_method", tiny)
    photo, how = photos / "chelsea.png", ("--strength", "0.4")
    assert stylize(photo, *how, out=tmp_path / "a").code == 0
    assert stylize(photo, *how, "--save-stages", tmp_path / "steps", out=tmp_path / "b").code == 0
    assert stylize(photo, out=tmp_path / "c").code == 0
    a, b, c = ((tmp_path / name / "chelsea.png").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("-m", "color2embed", "--transform", "wct"), "color2embed has no --transform; choose -m stylization"),
        (("-m", "color2embed", "--samples", "2"), "color2embed has one result only; choose -m stylization"),
        (("-m", "color2embed", "--save-stages", "s"), "color2embed has no stages to show; choose -m stylization"),
        (("-m", "color2embed", "--hint", "1,1,#ff0000"), "color2embed takes no hints; choose -m stylization"),
        (("-m", "stylization", "--transform", "gram"), "--transform must be adain or wct, not 'gram'"),
    ],
)
def test_what_a_method_cannot_do(words: tuple[str, ...], reason: str, photos: Path, ref: Path, colorize: Call) -> None:
    """Oracle: exit 2 with the method that can, whatever the files are; nothing is written."""
    out = photos.parent / "out"
    answer = colorize("exemplar", photos, "--ref", ref, "-o", out, *words)
    assert answer.code == 2 and reason in answer.err and not out.exists()


def test_stages_need_a_folder_of_results(photos: Path, tmp_path: Path, stylize: Call) -> None:
    """Oracle: exit 2: beside photos there is no tree to mirror."""
    answer = stylize(photos, "--save-stages", tmp_path / "steps", out=None)
    assert answer.code == 2 and "name one with -o" in answer.err and not (tmp_path / "steps").exists()


def test_missing_weights(
    photos: Path, ref: Path, tmp_path: Path, colorize: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: exit 4 before anything is written, with the commands that make both parts."""
    monkeypatch.setattr(store, "shipped_folder", lambda _: tmp_path)
    write_manifest(tmp_path / "manifest.toml", [])
    answer = colorize("exemplar", photos, "--ref", ref, "-o", tmp_path / "out", "-m", "stylization")
    assert answer.code == 4 and not (tmp_path / "out").exists()
    assert all(f"colorize train stylization-{part} " in answer.err for part in ("transfer", "colorization"))
