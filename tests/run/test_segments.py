"""--segments, from file to file with tiny random networks: regions take after regions, changed maps redo the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from colorcli.loader import LoadedMethod, load_method

Call = Callable[..., "object"]


@pytest.fixture
def target(tmp_path: Path, put_photo: Call) -> Path:
    """A gray photo of 96x48, stored on its side."""
    path = put_photo(tmp_path / "in" / "cat.png", "chelsea", 96, 48)
    exif = Image.Exif()
    exif[0x0112] = 6  # seen upright after a quarter turn to the right
    Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)  # type: ignore[arg-type]
    return path  # type: ignore[return-value]


@pytest.fixture
def ref(tmp_path: Path) -> Path:
    """A reference of 40x64, red above, blue below, with some noise."""
    noise = np.random.default_rng(0).integers(0, 60, (64, 40, 3), dtype=np.uint8)
    noise[:32, :, 0] += 180
    noise[32:, :, 2] += 180
    path = tmp_path / "refs" / "flag.png"
    path.parent.mkdir()
    Image.fromarray(noise).save(path)
    return path


def _map(path: Path, height: int, width: int, *, across: bool, labels: tuple[int, int] = (0, 9)) -> Path:
    """Two halves."""
    pixels = np.full((height, width), labels[0], np.uint8)
    (pixels.T if across else pixels)[len(pixels.T if across else pixels) // 2 :] = labels[1]
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def maps(tmp_path: Path) -> tuple[Path, Path]:
    """Of the photo, left and right as it is seen upright, and of the reference, above and below."""
    folder = tmp_path / "maps"
    return _map(folder / "t.png", 48, 96, across=True), _map(folder / "r.png", 64, 40, across=False)


@pytest.fixture
def run(colorize: Call, stylization_weights: tuple[Path, Path], ref: Path) -> Call:
    """run("exemplar" or "stylize", photo, ..., out=OUT): after that reference."""

    def call(command: str, *arguments: object, out: Path) -> object:
        files = stylization_weights if command == "exemplar" else stylization_weights[:1]
        words = [word for path in files for word in ("--weights", path)]
        method = ("-m", "stylization") if command == "exemplar" else ()
        return colorize(command, *arguments, "--ref", ref, "-o", out, *method, *words, "-d", "cpu")

    return call


@pytest.mark.parametrize("command", ["exemplar", "stylize"])
def test_what_the_network_is_told(
    command: str,
    target: Path,
    maps: tuple[Path, Path],
    tmp_path: Path,
    run: Call,
    put_color: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Oracle: closed form: halves as they were drawn, upright, at the size of what the network sees; the reference's
    with the number of labels."""
    told: dict[str, Tensor | int] = {}

    def spied(method: str, **how: Any) -> LoadedMethod:
        loaded = load_method(method, **how)

        def embed(rgb: Tensor, regions: Tensor, count: int) -> Tensor:
            told.update(there=regions, count=count, reference=rgb)
            assert loaded.embed is not None
            return loaded.embed(rgb, regions, count)

        def predict(seen: Tensor, /, *given: Tensor | None) -> Tensor:
            assert given[1] is not None
            told.update(here=given[1], seen=seen)
            return loaded.predict(seen, *given)

        return replace(loaded, embed=embed, predict=predict)

    monkeypatch.setattr("colorcli.run.prepared.load_method", spied)
    photo = target if command == "exemplar" else put_color(tmp_path / "in" / "cat.jpg", "coffee", 96, 48)
    assert run(command, photo, "--segments", *maps, "--size", 64, out=tmp_path / "out").code == 0
    here, there, seen, reference = (told[name] for name in ("here", "there", "seen", "reference"))
    assert told["count"] == 2
    assert here.shape == (1, *seen.shape[2:]) == (1, 48, 88) and there.shape == (1, *reference.shape[2:])
    assert not here[..., :44].any() and bool((here[..., 44:] == 1).all())
    middle = there.shape[1] // 2
    assert not there[:, : middle - 1].any() and bool((there[:, middle + 1 :] == 1).all())


@pytest.mark.parametrize("command", ["exemplar", "stylize"])
def test_changed_maps_redo_the_work(
    command: str, maps: tuple[Path, Path], target: Path, tmp_path: Path, run: Call, put_color: Call
) -> None:
    """Oracle: counts and bytes: the same maps do nothing, changed ones and none give other results."""
    photo, out = target, tmp_path / "out"
    if command == "stylize":
        photo = put_color(tmp_path / "in" / "cat.jpg", "coffee", 96, 48)
    results = []

    def after(*words: object) -> None:
        assert "1 coloured, 0 done before" in run(command, photo, *words, out=out).out
        assert "0 coloured, 1 done before" in run(command, photo, *words, out=out).out
        (made,) = (path for path in out.iterdir() if path.suffix)
        results.append(made.read_bytes())

    after("--segments", *maps)
    _map(maps[1], 64, 40, across=False, labels=(9, 0))
    after("--segments", *maps)
    after()
    assert len(set(results)) == 3


def test_samples_share_the_maps(target: Path, maps: tuple[Path, Path], tmp_path: Path, run: Call) -> None:
    """Oracle: bytes: the second sample is the result of the next seed, alone."""
    how = (target, "--segments", *maps)
    assert "2 coloured" in run("exemplar", *how, "--samples", 2, out=tmp_path / "two").out
    assert "1 coloured" in run("exemplar", *how, "--seed", 1, out=tmp_path / "one").out
    assert (tmp_path / "two" / "cat.sample-2.png").read_bytes() == (tmp_path / "one" / "cat.png").read_bytes()


def test_maps_among_the_photos_are_none(target: Path, maps: tuple[Path, Path], tmp_path: Path, run: Call) -> None:
    """Oracle: counts: a folder of one photo and both maps holds one photo."""
    moved = [path.rename(target.parent / path.name) for path in maps]
    answer = run("exemplar", target.parent, "--segments", *moved, out=tmp_path / "out")
    assert answer.code == 0 and "1 coloured, 0 done before, 0 failed, 2 skipped" in answer.out


def test_what_cannot_be_done(
    target: Path, ref: Path, maps: tuple[Path, Path], tmp_path: Path, run: Call, colorize: Call
) -> None:
    """Oracle: exit 2, the reason, nothing written: maps exchanged (another size), labels of one side, two photos, a
    method that takes no maps, one map."""
    out = tmp_path / "out"
    other = _map(tmp_path / "maps" / "other.png", 64, 40, across=False, labels=(0, 8))
    for words, reason in (
        (
            (target, "--segments", *maps[::-1]),
            "it is 40x64 pixels; expected 96x48, the size of cat.png as seen upright",
        ),
        ((target, "--segments", maps[0], other), "other.png lacks: 9; expected the same ones in both"),
        ((target, target.parent / "none.png", "--segments", *maps), "there are 2 photos and 1 references"),
    ):
        for command in ("exemplar", "stylize"):
            answer = run(command, *words, out=out)
            assert answer.code == 2 and reason in " ".join(answer.err.split()) and not out.exists()
    answer = colorize("exemplar", target, "--ref", ref, "-o", out, "--segments", *maps)
    assert answer.code == 2 and "color2embed takes no segment maps; choose -m stylization" in answer.err
    answer = colorize("exemplar", target, "--ref", ref, "-o", out, "-m", "stylization", "--segments", maps[0])
    assert answer.code == 2 and not out.exists()


def test_a_rehearsal_judges_the_maps(target: Path, maps: tuple[Path, Path], tmp_path: Path, run: Call) -> None:
    """Oracle: counts: what would be done with the maps is done before with them, and to do without."""
    out = tmp_path / "out"
    assert run("exemplar", target, "--segments", *maps, out=out).code == 0
    assert "0 to colour, 1 done before" in run("exemplar", target, "--segments", *maps, "--dry-run", out=out).out
    assert "1 to colour, 0 done before" in run("exemplar", target, "--dry-run", out=out).out
