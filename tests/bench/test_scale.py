"""Scale: a small scan and a few photos through the measuring that is made for large ones and many."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch

from colorcli.bench.scale import main
from colorcli.bench.scale_many import run_many, slope
from colorcli.bench.scale_photos import make_scan, make_small_photos
from colorcli.bench.scale_scan import plain
from colorcli.color.lab import lab_to_rgb
from colorcli.errors import ColorizeError
from colorcli.media.places import sha256_of


@pytest.mark.slow
def test_a_scan(tmp_path: Path, tiny_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Oracle: the contract: sizes as asked and as the file system has them, sums and ratios of the parts, a peak that
    two processes of one program share but for the photo: 4 megapixels need no more than their floats."""
    record = tmp_path / "scan.json"
    asked = ["scan", "--megapixels", "4", "--kind", "tiff", "--rounds", "2", "--weights", str(tiny_weights)]
    assert main([*asked, "--json", str(record), "--folder", str(tmp_path)]) == 0
    told = json.loads(record.read_text())
    cost = told["scan"]
    assert (cost["kind"], cost["color"], told["goals"]) == ("tiff", False, {"ratio": 1.3, "over": 500_000_000})
    assert 4e6 <= cost["width"] * cost["height"] < 4.01e6
    assert cost["width"] == pytest.approx(1.25 * cost["height"], 0.01)
    assert min(cost["source_bytes"], cost["result_bytes"]) > 1e6
    parts = [cost[name]["median"] for name in ("decode", "encode", "hashes")]
    assert min(parts) > 0 and cost["encode"]["rounds"] == 2
    assert cost["ours"]["median"] == pytest.approx(sum(parts))  # of two values the median is the mean
    assert cost["ratio"] == pytest.approx(cost["ours"]["median"] / cost["plain"]["median"])
    assert cost["over"] == cost["peak"] - cost["peak_small"] < 200e6
    assert cost["peak_small"] > 100e6  # Python with torch
    assert set(told["versions"]) == {"colorize", "libvips", "torch", "python"} and told["cores"] >= 1
    printed = capsys.readouterr().out
    assert "4 megapixels" in printed and f"ratio {cost['ratio']:.2f}" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["scan.json"]


def test_the_plain_pipeline_is_a_colouring(tmp_path: Path) -> None:
    """Oracle: our own Lab in float: gray with an even, mild ab comes out as that colour, to one 8-bit step (libvips'
    own conversion interpolates a table of 256)."""
    gray = np.tile(np.arange(60, 200, dtype=np.uint8), (64, 1))
    pyvips.Image.new_from_array(gray, interpretation="b-w").tiffsave(str(tmp_path / "gray.tif"))
    chroma = np.full((8, 8, 2), (6.0, -9.0), np.float32)
    plain(tmp_path / "gray.tif", tmp_path / "out.tif", chroma, "tiff")
    found = pyvips.Image.new_from_file(str(tmp_path / "out.tif")).numpy()
    rgb = torch.from_numpy(np.repeat(gray[None], 3, axis=0)).double() / 255
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)[:1]
    lightness = torch.where(linear > 216 / 24389, 116 * linear ** (1 / 3) - 16, linear * 24389 / 27)
    ab = torch.from_numpy(chroma[0, 0]).double()[:, None, None].expand(2, *gray.shape)
    expected = (255 * lab_to_rgb(torch.cat((lightness, ab))[None])[0]).permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() <= 1.5  # one step, and rounding


def test_scans_are_what_they_say(tmp_path: Path) -> None:
    """Oracle: libvips' header of what was written; grain keeps deflate from packing what repeats to nothing."""
    make_scan(tmp_path / "a.tif", 1, "tiff", color=True)
    scan = pyvips.Image.new_from_file(str(tmp_path / "a.tif"))
    assert (scan.bands, scan.interpretation, scan.get("tile-width")) == (3, "srgb", 256)
    assert (tmp_path / "a.tif").stat().st_size > 1e6
    make_scan(tmp_path / "a.jpg", 1, "jpeg", color=False)
    assert pyvips.Image.new_from_file(str(tmp_path / "a.jpg")).bands == 1


def test_small_photos_differ_and_show_the_same(tmp_path: Path) -> None:
    """Oracle: sha256 of the files; libvips' pixels of two photos made of one photograph."""
    make_small_photos(tmp_path, 9)
    photos = sorted(tmp_path.rglob("*.jpg"))
    assert len({sha256_of(path) for path in photos}) == 9
    first, fifth = (pyvips.Image.new_from_file(str(photos[place])).numpy() for place in (0, 4))
    assert first.shape == (200, 300) and np.array_equal(first, fifth)


@pytest.mark.slow
def test_many_photos(tmp_path: Path, tiny_weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Oracle: the contract: a sample for each of 30 photos, in order, growing; a second run finds them all done; what
    the run wrote is what was asked for; the plot is a picture."""
    record, plot = tmp_path / "many.json", tmp_path / "many.svg"
    asked = ["many", "--count", "30", "--weights", str(tiny_weights), "--plot", str(plot), "--json", str(record)]
    assert main([*asked, "--folder", str(tmp_path)]) == 0
    first, second = json.loads(record.read_text())["many"]
    assert (first["state"], second["state"], first["engine"]) == ("done", "unchanged", "local")
    for cost in (first, second):
        samples = cost["samples"]
        assert [sample["photos"] for sample in samples] == list(range(1, 31))
        assert all(one["cpu"] <= other["cpu"] for one, other in pairwise(samples))
        assert cost["peak"] == max(sample["resident"] for sample in samples) > 100e6  # Python with torch
        settled = [(sample["photos"], sample["resident"]) for sample in samples[2:]]
        assert cost["slope"] == pytest.approx(slope(*zip(*settled, strict=True)))
    assert first["cpu"] > 0 and first["rate"] > 0
    assert plot.read_text().count("<svg") == 1
    plot.unlink()
    assert main(["draw", str(record), str(record), "--plot", str(plot)]) == 0
    assert plot.read_text().count("<svg") == 1
    assert "30 photos unchanged" in capsys.readouterr().out


def test_a_photo_that_fails_ends_the_measurement(tmp_path: Path, tiny_weights: Path) -> None:
    """Oracle: the contract: no figure from a run in which something failed."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no photo")
    with pytest.raises(ColorizeError, match="is failed, not done"):
        run_many(tmp_path / "photos", tmp_path / "out", ["-d", "cpu", "--weights", str(tiny_weights)], "done", 1)


def test_slope() -> None:
    """Oracle: a line, and scipy-free least squares by hand: (0, 0), (1, 2), (2, 1) have slope 1/2."""
    assert slope([0, 10, 20], [5, 35, 65]) == pytest.approx(3)
    assert slope([0, 1, 2], [0, 2, 1]) == pytest.approx(0.5)


def test_ledger_and_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Oracle: the contract: a line for each size, of a file that grows; every listed file is a job."""
    record = tmp_path / "record.json"
    assert main(["ledger", "--notes", "20", "300", "--json", str(record), "--folder", str(tmp_path)]) == 0
    rows = json.loads(record.read_text())["ledger"]
    assert [row["notes"] for row in rows] == [20, 300] and rows[0]["file_bytes"] < rows[1]["file_bytes"]
    assert all(0 < row["look"]["median"] < row["note"]["median"] for row in rows)  # noting looks first
    assert main(["list", "--count", "1200", "--json", str(record), "--folder", str(tmp_path)]) == 0
    assert json.loads(record.read_text())["list"]["photos"] == 1200
    assert capsys.readouterr().out.count("\n") == 3
