"""A run's log, and the picture of it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from colorcli.errors import ColorizeError
from colorcli.train.curve import draw, held_out
from colorcli.train.log import append, keep_until, read_log


def _log(path: Path, **figures: float) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [{"event": "start", "images": 0, "step": 0, "minutes": 0}]
    for i in range(1, 30):
        entries.append({"event": "train", "images": 10 * i, "step": i, "minutes": i, "loss": 1 / i, "size": 64})
        if figures and i % 10 == 0:
            entries.append({"event": "validation", "images": 10 * i, "step": i, "minutes": i, **figures})
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return entries


@pytest.mark.parametrize("figures", [{"psnr at gain": 23.5, "gray": 22.8}, {"top1": 0.4}, {"f": 0.7, "mae": 0.1}, {}])
def test_curve(tmp_path: Path, figures: dict[str, float]) -> None:
    """Oracle: the contract: whole XML, the same bytes a second time, no half file; the axis names what was measured."""
    entries = _log(tmp_path / "log.jsonl", **figures)
    assert read_log(tmp_path) == entries
    draw(entries, tmp_path / "curve.svg")
    first = (tmp_path / "curve.svg").read_bytes()
    draw(entries, tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_bytes() == first
    assert ET.fromstring(first).tag.endswith("svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.svg", "log.jsonl"]
    text = first.decode()
    assert ("<!-- PSNR over gray, dB (held out) -->" in text) == ("psnr at gain" in figures)
    assert "<!-- loss -->" in text


def test_psnr_is_over_the_gray_of_the_same_photos() -> None:
    """Oracle: closed form: 23.5 over 22.8 dB, then other photos, 24.0 over 21.0; a null is no measurement."""
    figures = [("validation", 23.5, 22.8), ("validation", None, 22.8), ("final", 24.0, 21.0)]
    entries = [
        {"event": event, "images": 10 * i, "psnr at gain": psnr, "gray": gray}
        for i, (event, psnr, gray) in enumerate(figures)
    ]
    name, points = held_out([{"event": "start", "images": 0}, *entries])
    assert name == "psnr at gain"
    assert [images for images, _ in points] == [0, 20]
    assert [value for _, value in points] == pytest.approx([0.7, 3.0])
    assert held_out([{"event": "validation", "images": 5, "top1": 0.4}]) == ("top1", [(5, 0.4)])


def test_log_of_a_run_that_did_not_start(tmp_path: Path) -> None:
    """Oracle: the contract: an empty picture, no error."""
    draw([], tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").stat().st_size > 0


def test_half_a_line_is_passed_over(tmp_path: Path) -> None:
    """Oracle: what a power loss leaves: the entries before and after it."""
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"step": 2, "loss": 0.{"step": 2}\n{"step": 3}\n')
    assert read_log(tmp_path) == [{"step": 1}, {"step": 3}]


def test_numbers_without_a_word_in_json(tmp_path: Path) -> None:
    """Oracle: a strict JSON parser; infinity and NaN become null."""
    append(tmp_path, {"psnr": float("inf"), "loss": float("nan"), "step": 1})

    def refuse(word: str) -> None:
        raise AssertionError(word)

    line = json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=refuse)
    assert line == {"psnr": None, "loss": None, "step": 1}


def test_a_broken_sitting_is_dropped(tmp_path: Path) -> None:
    """Oracle: the contract: entries up to the checkpoint's step."""
    for step in (1, 2, 3, 4):
        append(tmp_path, {"step": step})
    keep_until(tmp_path, 2)
    assert read_log(tmp_path) == [{"step": 1}, {"step": 2}]


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """Oracle: the contract: one of our errors, with the place."""
    with pytest.raises(ColorizeError, match=r"cannot write .*gone.*log\.jsonl"):
        append(tmp_path / "gone", {"step": 1})
