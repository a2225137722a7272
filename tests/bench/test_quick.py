"""`colorize bench` alone: every method whose weights are there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorcli.bench import quick
from colorcli.bench.quality import measure
from colorcli.checkpoints import store
from colorcli.devices import choose_device
from colorcli.loader import load_method
from colorcli.methods.registry import METHODS


@pytest.fixture
def shipped(
    tmp_path: Path,
    tiny_weights: Path,
    stylization_weights: tuple[Path, Path],
    colorize: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Shipped are tiny weights of smsanet and of stylization's two parts, and of nothing else."""
    for file in (tiny_weights, *stylization_weights):
        assert colorize("weights", "export", file, "-o", tmp_path / "shipped" / "weights").code == 0
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / "shipped" / name)
    monkeypatch.setattr(quick, "SIDES", (64, 96))
    return tmp_path


@pytest.mark.usefixtures("shipped")
def test_the_command_without_arguments(colorize: Callable[..., Any]) -> None:
    """Oracle: the contract: exit 0, the header says what it is, a row for each method with weights, a line for each
    other one, in both tables."""
    answer = colorize("bench")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith("quick setting: 4 photos of scikit-image's wheel")
    named = [line.split()[:3] for line in lines]
    for spec in METHODS:
        rows = [words for words in named if words[:1] == [spec.name]]
        if spec.name in ("smsanet", "stylization"):
            assert len(rows) == 3 and all(words[1:3] in (["64", "1"], ["96", "1"]) for words in rows[1:])
        else:
            assert [words[1:] for words in rows] == [["no", "row:"]] * 2


def test_what_it_says_is_what_it_measured(shipped: Path, colorize: Callable[..., Any]) -> None:
    """Oracle: `measure` on the wheel's photos; the page has the same figure; the baseline of itself, of quality alone,
    is no loss."""
    old, page = shipped / "old.json", shipped / "page.html"
    answer = colorize("bench", "--json", "-d", "cpu", "--precision", "fp32", "--report", page)
    old.write_text(answer.out)
    told = json.loads(answer.out)
    loaded = load_method("smsanet", weights=None, device=choose_device("cpu"))
    (expected,) = [row for row in measure({"smsanet": loaded}, None).rows if row.name == "smsanet"]
    (row,) = [row for row in told["quality"]["rows"] if row["name"] == "smsanet"]
    assert (row["psnr"], row["delta_e"]) == (expected.psnr, expected.delta_e)
    assert f"<td>{expected.psnr:.3f}</td>" in page.read_text() and "<h1>colorize bench quick</h1>" in page.read_text()
    assert set(told["quality"]["without weights"]) == {"siggraph17", "agin", "color2embed", "multimodal"}
    assert [len(table["alone"]) for table in told["speed"]["tables"]] == [2, 2]
    forgiving = ("--tolerance", "seconds=1000")  # two runs of milliseconds on a busy machine
    again = colorize("bench", "quick", "-d", "cpu", "--precision", "fp32", "--baseline", old, *forgiving)
    assert again.code == 0 and "worse" not in again.out and f"since {old}" in again.out


def test_options_alone_are_those_of_quality(tiny_weights: Path, colorize: Callable[..., Any]) -> None:
    """Oracle: the same command with `quality` spelled out."""
    arguments = ("--weights", tiny_weights, "--limit", "2", "-d", "cpu")
    assert colorize("bench", *arguments) == colorize("bench", "quality", *arguments)
