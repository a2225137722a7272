"""Two folders of pictures, file by file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colorcli.bench.compare import compare, matched
from colorcli.errors import UsageError


def _pixels(name: str = "astronaut") -> Any:
    return getattr(skimage.data, name)()[:96, :128]


def _put(path: Path, pixels: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Originals, and results that are darker by 3 and 10 steps; of one pair the extensions differ."""
    first, second = tmp_path / "first", tmp_path / "second"
    for place, step in (("a", 3), ("sub/b", 10)):
        _put(first / f"{place}.png", _pixels())
        _put(second / f"{place}{'.png' if step == 3 else '.tif'}", np.maximum(_pixels(), step) - step)
    return first, second


def test_figures_are_scikit_images(folders: tuple[Path, Path]) -> None:
    """Oracle: scikit-image on the arrays that were written; float64 on both sides, and delta E within 0.01, since the
    two conversions to Lab differ below 1e-3."""
    found = compare(*folders)
    assert [one.photo for one in found.photos] == ["a.png", "sub/b.png"] and found.problems == []
    errors = []
    for one, step in zip(found.photos, (3, 10), strict=True):
        truth, result = _pixels(), np.maximum(_pixels(), step) - step
        errors.append(np.square(truth.astype(float) - result).mean())
        assert one.psnr == pytest.approx(peak_signal_noise_ratio(truth, result), rel=1e-9)
        assert one.ssim == pytest.approx(structural_similarity(truth, result, channel_axis=2), rel=1e-9)
        assert one.delta_e == pytest.approx(deltaE_ciede2000(rgb2lab(truth), rgb2lab(result)).mean(), abs=0.01)
    assert found.all is not None and found.all.photos == 2
    assert found.all.psnr == pytest.approx(np.mean([one.psnr for one in found.photos]))
    assert found.all.psnr_pooled == pytest.approx(10 * np.log10(255**2 / np.mean(errors)))


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    """Oracle: closed form: equal pixels have SSIM 1, delta E 0 and an infinite PSNR."""
    pair = _put(tmp_path / "a.png", _pixels()), _put(tmp_path / "other.tif", _pixels())
    (one,) = compare(*pair).photos
    assert (one.psnr, one.ssim, one.delta_e, one.colourfulness_difference) == (float("inf"), 1, 0, 0)


@pytest.mark.parametrize("kind", ["16 bits", "alpha", "gray", "turned"])
def test_what_shows_the_same_is_the_same(kind: str, tmp_path: Path) -> None:
    """Oracle: the same picture as 8-bit RGB: of 16 bits by 257, opaque, three equal channels, upright; exact."""
    pixels = _pixels()
    if kind == "gray":
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    plain, other = _put(tmp_path / "plain.png", pixels), tmp_path / "other.png"
    if kind == "16 bits":
        import pyvips

        pyvips.Image.new_from_array(pixels.astype(np.uint16) * 257).copy(interpretation="rgb16").pngsave(str(other))
    elif kind == "alpha":
        _put(other, np.concatenate((pixels, np.full((96, 128, 1), 255, np.uint8)), axis=2))
    elif kind == "gray":
        _put(other, np.ascontiguousarray(pixels[..., 0]))
    else:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by a quarter, clockwise
        Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(other, exif=exif)
    (one,) = compare(plain, other).photos
    assert (one.mse, one.delta_e) == (0, 0)


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    """Oracle: the contract of references: nothing but transparency is a white picture; exact."""
    _put(tmp_path / "white.png", np.full((20, 20, 3), 255, np.uint8))
    _put(tmp_path / "clear.png", np.zeros((20, 20, 4), np.uint8))
    assert compare(tmp_path / "white.png", tmp_path / "clear.png").photos[0].mse == 0


def test_what_has_no_partner_is_named(folders: tuple[Path, Path]) -> None:
    """Oracle: one file for each reason: missing on either side, not clear, another size, no picture, too small."""
    first, second = folders
    _put(first / "alone.png", _pixels())
    _put(second / "late.png", _pixels())
    for place in (first / "c.png", first / "c.tif", second / "c.bmp"):
        _put(place, _pixels())
    _put(first / "d.png", _pixels())
    _put(second / "d.png", _pixels()[:50])
    _put(first / "e.png", _pixels())
    (second / "e.png").write_bytes(b"no photo")
    _put(first / "f.png", _pixels()[:6])
    _put(second / "f.png", _pixels()[:6])
    found = compare(first, second)
    assert [one.photo for one in found.photos] == ["a.png", "sub/b.png"]
    said = "\n".join(found.problems)
    assert len(found.problems) == 6
    for reason in (
        f"{first / 'alone.png'}: {second} has no such photo",
        f"{second / 'late.png'}: {first} has no such photo",
        f"c.png, c.tif of {first} and c.bmp of {second}: which goes with which is not clear",
        f"{first / 'd.png'} has 128x96 pixels, {second / 'd.png'} 128x50",
        f"{second / 'e.png'}: ",
        f"{first / 'f.png'}: 128x6 pixels are too few",
    ):
        assert reason in said


def test_the_same_name_comes_first(tmp_path: Path) -> None:
    """Oracle: the contract: a.png goes with a.png, so that a.jpg has its partner in the one that is left."""
    for place in ("first/a.png", "first/a.jpg", "second/a.png", "second/a.webp"):
        _put(tmp_path / place, _pixels())
    pairs, problems = matched(tmp_path / "first", tmp_path / "second")
    assert {(pair.first.name, pair.second.name) for pair in pairs} == {("a.png", "a.png"), ("a.jpg", "a.webp")}
    assert problems == []


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    """Oracle: the contract: a file and a folder, and folders without a photo."""
    file = _put(tmp_path / "a.png", _pixels())
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with pytest.raises(UsageError, match="a file and a folder"):
        compare(file, tmp_path / "one")
    with pytest.raises(UsageError, match="holds a photo"):
        compare(tmp_path / "one", tmp_path / "two")


def test_the_command(folders: tuple[Path, Path], colorize: Callable[..., Any], tmp_path: Path) -> None:
    """Oracle: the functions' own values, in JSON and CSV; exit 0, and 3 with the name once a file is missing."""
    rows = tmp_path / "rows.csv"
    answer = colorize("compare", *folders, "--json", "--csv", rows)
    told, found = json.loads(answer.out), compare(*folders)
    assert answer.code == 0 and found.all is not None
    assert [one["psnr"] for one in told["photos"]] == [one.psnr for one in found.photos]
    assert told["all"]["psnr_pooled"] == found.all.psnr_pooled and told["problems"] == []
    with rows.open(newline="") as stream:
        assert [float(line["ssim"]) for line in csv.DictReader(stream)] == [one.ssim for one in found.photos]
    (folders[1] / "a.png").unlink()
    answer = colorize("compare", *folders)
    assert answer.code == 3 and "a.png" in answer.err and "sub/b.png" in answer.out and "mean of 1" in answer.out
