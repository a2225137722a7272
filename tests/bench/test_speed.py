"""Speed: rounds and their spread, which batches are tried, memory, and the stream from file to file."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import Tensor

from colorcli.bench import network, speed, stream
from colorcli.bench.memory import peak_memory
from colorcli.bench.network import speeds
from colorcli.bench.timing import Spread, repeated, spread
from colorcli.devices import cores_here
from colorcli.errors import ColorizeError
from colorcli.loader import LoadedMethod
from colorcli.media.places import sha256_of
from colorcli.methods.registry import METHODS


def _method(predict: Callable[..., Tensor], name: str = "smsanet") -> LoadedMethod:
    return LoadedMethod(METHODS[name], predict, torch.device("cpu"), torch.float32, "0" * 64, 64, {})


def _taking(seconds: dict[int, float]) -> Callable[..., Tensor]:
    """A network that takes so long for a batch of that many."""

    def predict(lightness: Tensor) -> Tensor:
        time.sleep(seconds[len(lightness)])
        return lightness

    return predict


def _unknown(side: int, batch: int) -> int:
    raise ColorizeError(f"no peak of {side} and {batch}")


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rounds, however short."""
    monkeypatch.setattr(network, "repeated", partial(repeated, enough=0.0))


def test_spread_is_numpys() -> None:
    """Oracle: numpy's quantiles; by hand for five values."""
    assert spread([5, 1, 2, 4, 3]) == Spread(median=3, low=2, high=4, rounds=5)
    values = np.random.default_rng(0).random(12)
    found = spread(values.tolist())
    np.testing.assert_allclose((found.low, found.median, found.high), np.percentile(values, (25, 50, 75)))


@pytest.mark.parametrize(("seconds", "rounds"), [(0.25, 8), (1.0, 5), (4.0, 3), (16.0, 1)])
def test_rounds(seconds: float, rounds: int) -> None:
    """Oracle: the contract, by hand: 5 rounds and 2 s, or 10 s. The durations are exact in binary."""
    calls: Iterator[float] = iter([seconds] * 100)
    assert repeated(lambda: next(calls)) == [seconds] * rounds


@pytest.mark.usefixtures("few_rounds")
def test_the_best_batch_is_where_the_rate_stops_growing() -> None:
    """Oracle: 50 photos/s alone, 100 in pairs, 50 in fours: batches of 8 are not tried (they would be a KeyError).

    A sleep may be late, by well under half of it: the rates are within a third.
    """
    told: list[str] = []
    rows = speeds(
        _method(_taking({1: 0.02, 2: 0.02, 4: 0.08})), 32, lambda side, batch: 100 * side + batch, told.append
    )
    assert [(row.side, row.batch, row.peak) for row in rows] == [(32, 1, 3201), (32, 2, 3202)] and told == []
    assert [row.rate for row in rows] == pytest.approx([50, 100], rel=0.33)
    for row in rows:
        assert row.seconds.low <= row.seconds.median <= row.seconds.high and row.seconds.rounds == 5
        assert row.rate == pytest.approx(1 / row.seconds.median)


@pytest.mark.usefixtures("few_rounds")
def test_batches_that_take_too_long_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: 3 rounds of 0.04 s do not fit into 0.1 s. Without a peak the row stays, and the reason is told."""
    monkeypatch.setattr(network, "LONGEST", 0.1)
    told: list[str] = []
    rows = speeds(_method(_taking({1: 0.02})), 32, _unknown, told.append)
    assert [(row.batch, row.peak) for row in rows] == [(1, None)]
    assert "batches from 2 on" in told[0] and told[1] == "32 px, batch 1: peak memory, no peak of 32 and 1"


@pytest.mark.usefixtures("few_rounds")
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_batch_that_memory_does_not_hold_is_left_out(error: RuntimeError) -> None:
    """Oracle: what came before stays; another RuntimeError is none of memory's and goes on."""

    def predict(lightness: Tensor) -> Tensor:
        if len(lightness) > 1:
            raise error
        return lightness

    told: list[str] = []
    assert [row.batch for row in speeds(_method(predict), 32, lambda *_: 1, told.append)] == [1]
    assert told == ["32 px: batches from 2 on, memory does not suffice"]

    with pytest.raises(RuntimeError, match="a defect"):
        speeds(_method(Mock(side_effect=RuntimeError("a defect"))), 32, lambda *_: 1, told.append)


def test_memory_is_counted_in_bytes_and_not_from_the_parent() -> None:
    """Oracle: 200 MB of ones are 200 MB more, within a tenth; a child of that process does not start there.

    Bare Python with this module holds under 100 MB; Linux would hand the parent's 200 MB on in ru_maxrss.
    """
    program = (
        "import subprocess, sys\n"
        "from colorcli.bench.memory import peak_of_this_process as peak\n"
        "before = peak()\n"
        "ones = b'1' * 200_000_000\n"
        "print(peak() - before, flush=True)\n"
        "child = 'from colorcli.bench.memory import peak_of_this_process as peak; print(peak())'\n"
        "subprocess.run([sys.executable, '-c', child], check=True)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    grown, child = map(int, answer.stdout.split())
    assert grown == pytest.approx(200e6, rel=0.1) and child < 100e6


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    """Oracle: the last line of the child's own error: the name of the file that is not there."""
    with pytest.raises(ColorizeError, match=r"gone\.safetensors"):
        peak_memory("smsanet", [tmp_path / "gone.safetensors"], "fp32", 64, 1)


@pytest.mark.usefixtures("few_rounds")
def test_the_command_with_a_reference(
    colorize: Callable[..., Any], exemplar_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: what was asked for: one side, three photos, three rounds; torch alone holds over 50 MB; nothing is left
    in the temporary folder. Rates are positive and those of the medians; the ideal one is the cores' over the stages'
    time."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    arguments = ("-m", "color2embed", "--weights", exemplar_weights, "-d", "cpu", "--size", "64", "--limit", "3")
    answer = colorize("bench", "speed", *arguments, "--json")
    assert answer.code == 0, answer.err
    table = json.loads(answer.out)
    assert (table["method"], table["photos"], table["size"]) == ("color2embed", 3, 64)
    assert table["weights"] == sha256_of(exemplar_weights) and table["device"].startswith("cpu (")
    assert table["versions"]["torch"] == torch.__version__ and table["threads"] == torch.get_num_threads()
    assert table["alone"][0]["batch"] == 1
    for row in table["alone"]:
        assert row["side"] == 64 and row["peak"] > 50e6 and row["rate"] == pytest.approx(1 / row["seconds"]["median"])
    assert [(row["side"], row["photos"], row["rate"]["rounds"]) for row in table["streamed"]] == [(64, 3, 3)]
    (streamed,) = table["streamed"]
    assert streamed["rate"]["low"] > 0
    assert [cost["stage"] for cost in streamed["stages"]] == ["decode", "network", "encode"]
    spent = sum(cost["seconds"] for cost in streamed["stages"])
    assert spent > 0 and streamed["ideal"] == pytest.approx(cores_here() / spent)
    assert streamed["efficiency"] == pytest.approx(streamed["rate"]["median"] / streamed["ideal"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("few_rounds")
def test_the_command_says_what_it_measured_and_what_not(
    colorize: Callable[..., Any], tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the contract of the header; a peak that is unknown is a question mark, and its reason is told."""
    monkeypatch.setattr(speed, "peak_memory", lambda *_: _unknown(32, 1))
    answer = colorize("bench", "speed", "--weights", tiny_weights, "-d", "cpu", "--size", "32", "--limit", "2")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert (
        lines[0].startswith(f"SMSANet compact, weights {sha256_of(tiny_weights)[:12]}, on cpu (")
        and f"torch {torch.__version__}" in lines[0]
    )
    assert "2 gray JPEGs" in lines[4] and "network at 64 px" in lines[4]
    assert lines[5].startswith("left out: ") and "32 px, batch 1: peak memory, no peak" in lines[5]
    first = next(line for line in lines if line.split()[:3] == ["smsanet", "32", "1"])
    assert first.endswith("?")


def test_a_photo_that_fails_is_no_speed(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the engine's own failure, by name: photos that fail quickly would look fast."""

    def empty(folder: Path, side: int, photos: int) -> None:
        folder.mkdir()
        (folder / f"{photos}x{side}.jpg").write_bytes(b"\xff\xd8\xff no photo")

    monkeypatch.setattr(stream, "_write_photos", empty)
    method = _method(_taking({}))
    with pytest.raises(ColorizeError, match=r"end to end, 1x64\.jpg: "):
        stream.stream_speed(method, speed._request(method, [tiny_weights], "fp32"), 64, 1)


@pytest.mark.usefixtures("few_rounds")
def test_several_methods_have_lines_each(
    colorize: Callable[..., Any],
    tiny_weights: Path,
    exemplar_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Oracle: the contract: one table with both methods, each with its own weights and as many threads as before the
    first one's engine set its own; Color2Embed's published time at 256 px, 0.03 s, with its hardware. The CSV has the
    medians of the JSON."""
    monkeypatch.setattr(speed, "peak_memory", lambda *_: 1)
    weights = ("--weights", exemplar_weights, "--weights", tiny_weights)
    arguments = ("-m", "smsanet,color2embed", *weights, "-d", "cpu", "--size", "256", "--limit", "1")
    rows = tmp_path / "rows.csv"
    answer = colorize("bench", "speed", *arguments, "--json", "--csv", rows)
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    tables = {table["method"]: table for table in told["tables"]}
    assert tables["smsanet"]["weights"] == sha256_of(tiny_weights)
    assert tables["color2embed"]["weights"] == sha256_of(exemplar_weights)
    assert {table["threads"] for table in told["tables"]} == {torch.get_num_threads()}
    assert [(line["name"], line["seconds"]) for line in told["published"]] == [("Color2Embed", 0.03)]
    with rows.open(newline="") as stream:
        lines = [line for line in csv.DictReader(stream) if line["what"] == "network alone"]
    medians = [row["seconds"]["median"] for table in told["tables"] for row in table["alone"]]
    assert [float(line["seconds"]) for line in lines] == medians
    text = colorize("bench", "speed", *arguments).out
    assert "published, other machines" in text and "one NVIDIA 1080Ti" in text
    for name in ("smsanet", "color2embed"):
        assert len([line for line in text.splitlines() if line.split()[:2] == [name, "256"]]) >= 2
