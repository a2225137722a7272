"""A record beside an earlier one. Oracle: figures that were changed by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorcli.bench.baseline import BETTER, SAME, WORSE, changes, read_record, tolerances
from colorcli.errors import UsageError

_ROW = {"psnr": 24.0, "psnr_pooled": 22.0, "ssim": 0.93, "delta_e": 9.0, "colourfulness_difference": 12.0}
_QUALITY: dict[str, Any] = {
    "bench": "quality",
    "side": 256,
    "photos": ["a.jpg", "b.jpg"],
    "methods": {"smsanet": {"protocol": "automatic", "size": 96}},
    "rows": [{"name": "gray", **_ROW}, {"name": "smsanet", **_ROW}],
}
_SPEED: dict[str, Any] = {
    "bench": "speed",
    "tables": [
        {
            "method": "smsanet",
            "device": "cpu (a, 2 threads)",
            "precision": "fp32",
            "size": 96,
            "alone": [
                {"side": 256, "batch": 1, "seconds": {"median": 0.2}},
                {"side": 256, "batch": 4, "seconds": {"median": 0.1}},
            ],
            "streamed": [{"side": 256, "rate": {"median": 8.0}}],
        }
    ],
}


def _verdicts(then: dict[str, Any], now: dict[str, Any], *given: str) -> dict[str, str]:
    return {f"{one.row} {one.figure}": one.verdict for one in changes(then, now, tolerances(given), "old.json")}


@pytest.mark.parametrize(
    ("figure", "value", "verdict"),
    [
        ("psnr", 23.94, WORSE),
        ("psnr", 23.96, SAME),
        ("psnr", 24.06, BETTER),
        ("ssim", 0.9285, WORSE),
        ("ssim", 0.9295, SAME),
        ("delta_e", 9.2, WORSE),
        ("delta_e", 8.8, BETTER),
        ("colourfulness_difference", 12.6, WORSE),
        ("colourfulness_difference", 11.0, BETTER),
    ],
)
def test_quality(figure: str, value: float, verdict: str) -> None:
    """Oracle: the tolerances 0.05 dB, 0.001, 0.1 and 0.5; the other figures stay, and gray is not judged."""
    now = copy.deepcopy(_QUALITY)
    now["rows"][1][figure] = value
    found = _verdicts(_QUALITY, now)
    assert found.pop(f"smsanet {figure}") == verdict
    assert set(found.values()) == {SAME} and all(name.startswith("smsanet ") for name in found)


def test_speed() -> None:
    """Oracle: a quarter of the earlier figure; of batches the first alone."""
    now = copy.deepcopy(_SPEED)
    now["tables"][0]["alone"][0]["seconds"]["median"] = 0.26
    now["tables"][0]["streamed"][0]["rate"]["median"] = 10.5
    assert _verdicts(_SPEED, now) == {
        "smsanet, 256 px alone seconds": WORSE,
        "smsanet, 256 px end to end photos_per_second": BETTER,
    }
    assert _verdicts(_SPEED, now, "seconds=0.5")["smsanet, 256 px alone seconds"] == SAME


def test_both_tables_of_the_quick_setting() -> None:
    """Oracle: what each gives by itself."""
    then = {"bench": "quick", "quality": _QUALITY, "speed": _SPEED}
    assert _verdicts(then, then) == {**_verdicts(_QUALITY, _QUALITY), **_verdicts(_SPEED, _SPEED)}


def test_infinite_figures_are_passed_over() -> None:
    """Oracle: JSON has null for them."""
    now = copy.deepcopy(_QUALITY)
    now["rows"][1]["psnr"] = None
    assert "smsanet psnr" not in _verdicts(_QUALITY, now)


@pytest.mark.parametrize(
    ("then", "change", "reason"),
    [
        (_QUALITY, {"photos": ["a.jpg", "c.jpg"]}, "of other photos: 2 there, 2 here"),
        (_QUALITY, {"side": 128}, "of another side: 256; this run has 128"),
        (_QUALITY, {"methods": {"smsanet": {"protocol": "other", "size": 96}}}, "another protocol of smsanet"),
        (_QUALITY, {"methods": {"smsanet": {"protocol": "automatic", "size": 64}}}, "another size of smsanet"),
        (_QUALITY, {"bench": "speed"}, "of another table"),
        (_QUALITY, {"rows": [{"name": "agin", **_ROW}]}, "no row of this run's methods"),
        (_SPEED, {"tables": [{**_SPEED["tables"][0], "device": "cuda"}]}, "another device of smsanet"),
    ],
)
def test_what_is_of_other_things_is_refused(then: dict[str, Any], change: dict[str, Any], reason: str) -> None:
    """Oracle: the contract: figures of other photos, protocols or machines would be no change."""
    with pytest.raises(UsageError, match=reason):
        _verdicts(then, {**then, **change})


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"protocol": "automatic"}', b'{"bench": "pairs"}'])
def test_a_file_that_is_no_record_is_refused(content: bytes, tmp_path: Path) -> None:
    """Oracle: exit code 2 is UsageError's; the message names the file."""
    (tmp_path / "old.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"old\.json is no "):
        read_record(tmp_path / "old.json")


def test_a_record_that_is_not_whole_is_refused() -> None:
    """Oracle: the contract, for a record whose rows were cut out."""
    with pytest.raises(UsageError, match=r"old\.json is no whole output"):
        _verdicts({key: value for key, value in _QUALITY.items() if key != "rows"}, _QUALITY)


def test_the_command_ends_with_5_where_something_is_worse(
    tmp_path: Path, colorize: Callable[..., Any], tiny_weights: Path
) -> None:
    """Oracle: the same measured twice is the same (0); an earlier figure set 1 dB higher is a loss (5), which a
    tolerance forgives; a record of other photos is exit 2 and measures nothing more."""
    arguments = ("bench", "quality", "--weights", tiny_weights, "-d", "cpu", "--limit", "2")
    old = tmp_path / "old.json"
    old.write_text(colorize(*arguments, "--json").out)
    same = colorize(*arguments, "--baseline", old)
    assert same.code == 0 and "same" in same.out and "worse" not in same.out
    record = json.loads(old.read_text())
    record["rows"][2]["psnr"] += 1
    old.write_text(json.dumps(record))
    worse = colorize(*arguments, "--baseline", old, "--json")
    assert worse.code == 5
    (change,) = [one for one in json.loads(worse.out)["baseline"]["changes"] if one["verdict"] == "worse"]
    assert (change["row"], change["figure"]) == ("smsanet", "psnr")
    assert change["now"] - change["then"] == pytest.approx(-1)
    assert colorize(*arguments, "--baseline", old, "--tolerance", "psnr=1.1").code == 0
    record["photos"] = ["other.jpg"]
    old.write_text(json.dumps(record))
    assert colorize(*arguments, "--baseline", old).code == 2
