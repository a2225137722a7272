"""Finished runs side by side."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorcli.bench.ablation import differing, read_runs
from colorcli.bench.quality import measure
from colorcli.checkpoints.load import read_checkpoint, write_checkpoint
from colorcli.errors import UsageError, WeightsError
from colorcli.loader import build_network
from colorcli.methods.registry import METHODS


def _run(folder: Path, weights: Path, rate: str, objective: str, log: bool = True) -> Path:
    """A run's folder as training leaves it, with these weights and this config."""
    folder.mkdir(parents=True)
    checkpoint = read_checkpoint(weights)
    said = {
        **checkpoint.description,
        "source": f"colorize train smsanet: 640 crops, 3 minutes on 2 cores, from {folder.name}.safetensors",
        "config": {"method": "smsanet", "minutes": "3.0", "rate": rate, "seed": "0", "objective": objective},
    }
    if log:
        said["config"]["hold"] = "auto"  # a setting that the other run is older than
    network = build_network(METHODS["smsanet"], checkpoint, "tiny")
    write_checkpoint(folder / "weights.safetensors", network, said)
    if log:
        entries = [{"step": 1, "images": 64, "minutes": 0.5}, {"step": 10, "images": 640, "minutes": 3.25}]
        (folder / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return folder


@pytest.fixture
def runs(tmp_path: Path, tiny_weights: Path, other_weights: Path) -> list[Path]:
    """Two runs that differ in rate and in a loss's setting; the second has lost its log."""
    return [
        _run(tmp_path / "huber", tiny_weights, "0.0006", "{'delta': 1.0}"),
        _run(tmp_path / "salient", other_weights, "0.0003", "{'delta': 1.0, 'salience': 1.0}", log=False),
    ]


def test_what_differs_between_runs(runs: list[Path]) -> None:
    """Oracle: by hand: what both share is left out, so is what one has not and the other has at its
    default; another that one has not is `default`; minutes and images are the log's."""
    huber, salient = read_runs(runs, "cpu")
    assert differing([huber, salient]) == {
        "huber": {"from": "huber.safetensors", "objective.salience": "default", "rate": "0.0006"},
        "salient": {"from": "salient.safetensors", "objective.salience": "1.0", "rate": "0.0003"},
    }
    assert (huber.minutes, huber.images) == (3.25, 640)
    assert (salient.minutes, salient.images) == (None, None)


def test_the_command(runs: list[Path], colorize: Callable[..., Any], tmp_path: Path) -> None:
    """Oracle: each run's weights measured by `measure`; exact. The table, JSON and CSV say what the run was."""
    rows = tmp_path / "rows.csv"
    arguments = ("bench", "ablation", *runs, "--limit", "2", "-d", "cpu", "--precision", "fp32")
    answer = colorize(*arguments, "--json", "--csv", rows)
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert [row["name"] for row in told["rows"]] == ["gray", "flat tint", "huber", "salient", "the truth"]
    for run, row in zip(read_runs(runs, "cpu", "fp32"), told["rows"][2:], strict=False):
        (expected,) = [one for one in measure({"x": run.loaded}, None, limit=2).rows if one.name == "x"]
        assert row["psnr"] == expected.psnr and row["ssim"] == expected.ssim
    assert told["runs"]["huber"]["minutes"] == 3.25 and told["runs"]["huber"]["differs"]["rate"] == "0.0006"
    with rows.open(newline="") as stream:
        line = {line["name"]: line for line in csv.DictReader(stream)}["huber"]
    assert (line["images"], line["rate"], float(line["psnr"])) == ("640", "0.0006", told["rows"][2]["psnr"])
    lines = [text.split() for text in colorize(*arguments).out.splitlines()]
    (of_huber,) = [words for words in lines if words[:2] == ["huber", "smsanet"]]
    assert of_huber[2:4] == ["3.2", "640"] and "rate" in of_huber
    assert any(words[:4] == ["salient", "smsanet", "?", "?"] for words in lines)


def test_runs_of_one_name_are_told_by_their_paths(tmp_path: Path, tiny_weights: Path) -> None:
    """Oracle: the contract; a weights file alone is a run, too."""
    places = [_run(tmp_path / part / "run", tiny_weights, "1", "{}") for part in ("a", "b")]
    assert [run.name for run in read_runs([*places, tiny_weights], "cpu")] == [*map(str, places), tiny_weights.name]


def test_what_is_no_finished_run(runs: list[Path], tmp_path: Path, stylization_weights: tuple[Path, Path]) -> None:
    """Oracle: the contract: nothing exported, named twice, a network that colours no gray photo; each by its path."""
    (tmp_path / "begun").mkdir()
    with pytest.raises(WeightsError, match=r"begun has no weights\.safetensors: it is no finished run"):
        read_runs([tmp_path / "begun"], "cpu")
    with pytest.raises(UsageError, match="named twice"):
        read_runs([runs[0], runs[0] / "."], "cpu")
    transfer, colorization = stylization_weights
    with pytest.raises(UsageError, match="stylization-transfer, which colours no gray photo"):
        read_runs([transfer], "cpu")
    assert read_runs([colorization], "cpu")[0].loaded.spec.name == "stylization-colorization"
