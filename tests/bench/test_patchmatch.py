"""PatchMatch's table of speeds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from colorcli.bench import patchmatch
from colorcli.bench.patchmatch import engines_here, features, main


def test_the_table_and_its_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Oracle: the contract: a line for every engine at every side and at the thesis' batch, with a similarity that a
    search does not raise above the exact one's; the head says what was measured on, and the curve is a picture."""
    monkeypatch.setattr(patchmatch, "SIDES", (12,))
    monkeypatch.setattr(patchmatch, "repeated", lambda once, least: [once() for _ in range(least)])
    plot = tmp_path / "curve.svg"
    main(["--device", "cpu", "--precision", "fp32", "--sides", "12", "20", "--batch", "2", "--rounds", "2"])
    head, *lines = capsys.readouterr().out.splitlines()
    assert "64 channels, fp32, on cpu" in head
    shapes = [(line.split()[0], line.split()[2], line.split()[4]) for line in lines]
    expected = [("1", "12"), ("1", "20"), ("2", "12")]
    assert shapes == [(*shape, engine) for shape in expected for engine in ("exact", "torch")]
    exact, searched = ([float(line.split()[-1]) for line in lines[first::2]] for first in (0, 1))
    assert all(0 < less <= more <= 1 for less, more in zip(searched, exact, strict=True))
    main(["--device", "cpu", "--precision", "fp32", "--sides", "12", "20", "--batch", "0", "--plot", str(plot)])
    assert plot.read_text().count("<svg") == 1


def test_engines_of_a_cpu() -> None:
    """Oracle: the kernel runs on CUDA alone."""
    assert engines_here(torch.device("cpu")) == ("exact", "torch")


def test_every_picture_of_the_batch_is_another() -> None:
    """Oracle: the contract: shapes, and pictures that differ pairwise."""
    maps = features("coffee", 16, 3, torch.bfloat16, torch.device("cpu"))
    assert maps.shape == (3, 64, 16, 16) and maps.dtype is torch.bfloat16
    assert not torch.equal(maps[0], maps[1]) and not torch.equal(maps[1], maps[2])
