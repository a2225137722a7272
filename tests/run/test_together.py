"""--compare with several references: one picture of a photo and all its results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorcli.media import comparison

Call = Callable[..., "object"]


@pytest.fixture
def refs(tmp_path: Path, put_color: Call) -> list[Path]:
    """Three references in colour."""
    return [put_color(tmp_path / "refs" / f"{name}.png", name) for name in ("coffee", "rocket", "chelsea")]


@pytest.fixture
def target(tmp_path: Path, put_photo: Call) -> Path:
    return put_photo(tmp_path / "in" / "a.png", "astronaut", 60, 40)


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_all_results_beside_each_other(
    target: Path, refs: list[Path], tmp_path: Path, exemplar: Call, files_in: Call
) -> None:
    """Oracle: the files themselves: the photo, then the results in the references' order, 8 white pixels between
    (mean of 8 steps: JPEG); no comparison of one result; its XMP says that the colour is synthetic; the same command
    does nothing."""
    out = tmp_path / "out"
    assert "3 coloured" in exemplar(target, "--compare", "-j", "3", ref=refs, out=out).out
    first = files_in(out)
    assert sorted(first) == ["a.chelsea.png", "a.coffee.png", "a.png.compare.jpg", "a.rocket.png"]
    sheet = _pixels(out / "a.png.compare.jpg")
    assert sheet.shape == (40, 4 * 60 + 3 * 8, 3)
    shown = [target, *(out / f"a.{name}.png" for name in ("coffee", "rocket", "chelsea"))]
    for place, path in enumerate(shown):
        part = sheet[:, 68 * place : 68 * place + 60]
        assert np.abs(part - _pixels(path)).mean() < 8
    assert np.abs(sheet[:, 60:68] - 255).mean() < 4
    assert b"compositeWithTrainedAlgorithmicMedia" in (out / "a.png.compare.jpg").read_bytes()
    assert "0 coloured, 3 done before" in exemplar(target, "--compare", ref=refs, out=out).out
    assert files_in(out) == first


def test_rows_of_six(target: Path, tmp_path: Path, exemplar: Call, put_color: Call) -> None:
    """Oracle: closed form: a photo and seven results are two rows, the second of two pictures and white."""
    refs = [put_color(tmp_path / "refs" / f"{side}.png", "coffee", side, 40) for side in range(50, 57)]
    assert exemplar(target, "--compare", ref=refs, out=tmp_path / "out").code == 0
    sheet = _pixels(tmp_path / "out" / "a.png.compare.jpg")
    assert sheet.shape == (2 * 40 + 8, 6 * 60 + 5 * 8, 3)
    assert np.abs(sheet[48:, 68:128] - _pixels(tmp_path / "out" / "a.56.png")).mean() < 6
    assert np.abs(sheet[52:, 144:] - 255).mean() < 1


def test_another_set_of_references_is_another_comparison(
    target: Path, refs: list[Path], tmp_path: Path, exemplar: Call
) -> None:
    """Oracle: the ledger's rules: a third reference colours one result and shows three; with one fewer none is
    coloured and two are shown; one that was removed is made again, as --dry-run says; a single reference has its own
    comparison; beside photos it is called after its result."""
    out = tmp_path / "out"
    sheet = out / "a.png.compare.jpg"
    assert "2 coloured" in exemplar(target, "--compare", ref=refs[:2], out=out).out
    two = sheet.read_bytes()
    assert "1 coloured, 2 done before" in exemplar(target, "--compare", ref=refs, out=out).out
    assert Image.open(sheet).width == 4 * 60 + 3 * 8
    assert "0 coloured, 2 done before" in exemplar(target, "--compare", ref=refs[:2], out=out).out
    assert sheet.read_bytes() == two
    sheet.unlink()
    assert "2 to colour" in exemplar(target, "--compare", "--dry-run", ref=refs[:2], out=out).out
    assert "2 coloured" in exemplar(target, "--compare", ref=refs[:2], out=out).out
    assert sheet.read_bytes() == two
    assert exemplar(target, "--compare", ref=refs[:1], out=tmp_path / "one").code == 0
    assert Image.open(tmp_path / "one" / "a.png.compare.jpg").width == 2 * 60 + 8
    assert exemplar(target.parent, "--compare", ref=refs[:2]).code == 0
    assert (target.parent / "a.colorized.png.compare.jpg").is_file()
    assert "0 coloured, 2 done before" in exemplar(target.parent, "--compare", ref=refs[:2]).out


def test_a_foreign_comparison_needs_overwrite(target: Path, refs: list[Path], tmp_path: Path, exemplar: Call) -> None:
    """Oracle: as of results: a person's file keeps its bytes, its photo fails by name and has no result."""
    sheet = tmp_path / "out" / "a.png.compare.jpg"
    sheet.parent.mkdir()
    sheet.write_bytes(b"mine")
    answer = exemplar(target, "--compare", ref=refs, out=sheet.parent)
    assert answer.code == 3 and "3 failed" in answer.out and f"{sheet} exists" in answer.err
    assert sheet.read_bytes() == b"mine" and not list(sheet.parent.glob("*.png"))
    assert exemplar(target, "--compare", "--overwrite", ref=refs, out=sheet.parent).code == 0
    assert Image.open(sheet).width == 264


def test_results_that_there_are(target: Path, refs: list[Path], tmp_path: Path, exemplar: Call) -> None:
    """Oracle: one of three results is in a person's way: the others are shown without it; once it may be written all
    are."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.rocket.png").write_bytes(b"mine")
    answer = exemplar(target, "--compare", ref=refs, out=out)
    assert answer.code == 3 and "2 coloured, 0 done before, 1 failed" in answer.out
    assert Image.open(out / "a.png.compare.jpg").width == 3 * 60 + 2 * 8
    answer = exemplar(target, "--compare", "--overwrite", ref=refs, out=out)
    assert "1 coloured, 2 done before" in answer.out
    assert Image.open(out / "a.png.compare.jpg").width == 264


def test_a_comparison_that_cannot_be_written(
    target: Path, refs: list[Path], tmp_path: Path, exemplar: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: exit 3 by the system's words, counted once; the results stay, no part does; the next run makes it."""

    def full(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(comparison, "write_comparison", full)
        answer = exemplar(target, "--compare", ref=refs, out=tmp_path / "out")
    assert answer.code == 3 and "2 coloured, 0 done before, 1 failed" in answer.out
    assert "the comparison cannot be written (Input/output error)" in answer.err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.*")) == [
        ".colorize",
        *(f"a.{path.name}" for path in sorted(refs)),
    ]
    assert exemplar(target, "--compare", ref=refs, out=tmp_path / "out").code == 0
    assert Image.open(tmp_path / "out" / "a.png.compare.jpg").width == 264


def test_photos_whose_results_would_meet(refs: list[Path], tmp_path: Path, exemplar: Call, put_photo: Call) -> None:
    """Oracle: full names for both, as of results: a.jpg and a.png as PNG have a comparison each."""
    for name in ("a.jpg", "a.png", "b.png"):
        put_photo(tmp_path / "in" / name, "coffee", 40, 30)
    answer = exemplar(tmp_path / "in", "--compare", "--format", "png", ref=refs[:2], out=tmp_path / "out")
    assert "6 coloured" in answer.out
    made = {path.name for path in (tmp_path / "out").glob("*.compare.jpg")}
    assert made == {"a.jpg.png.compare.jpg", "a.png.compare.jpg", "b.png.compare.jpg"}
