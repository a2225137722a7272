"""A bench's record in the shape of its page."""

from __future__ import annotations

from typing import Any

from colorcli.report.record import shown

_SAID = {"method": "a", "variant": "compact", "weights": "ab" * 32, "device": "cpu", "precision": "bf16", "chosen": {}}
_QUALITY: dict[str, Any] = {
    "bench": "quality",
    "methods": {"a": {**_SAID, "size": 96}, "b": {**_SAID, "method": "b", "size": 128}},
    "without weights": {"c": "none are shipped"},
    "failed": {"d": "x.jpg: not finite"},
    "photos": ["x.jpg", "y.jpg"],
    "rows": [
        {"name": "gray", "psnr": 20.0, "psnr_interval": None, "images": [{"psnr": 20.0}]},
        {"name": "a", "psnr": 22.0, "psnr_interval": [21.0, 23.456], "images": [{"psnr": 22.0}]},
    ],
    "published": [{"name": "A", "psnr": 30.0}],
}
_SPEED: dict[str, Any] = {
    "bench": "speed",
    "tables": [
        {**_SAID, "size": 96, "alone": [{"side": 256, "rate": 9.0}, {"side": 512, "rate": 2.0}], "streamed": []}
    ],
    "without weights": {"c": "none are shipped"},
    "published": [{"name": "A", "seconds": 0.1}],
}


def test_of_quality() -> None:
    """Oracle: by hand: methods and what has no row are tables, intervals words; no photo's name is told."""
    found = shown(_QUALITY)
    assert [row["name"] for row in found["methods"]] == ["a", "b"]
    assert found["methods"][1] | {"size": 128, "precision": "bf16", "weights": "ab" * 6} == found["methods"][1]
    assert found["without a row"] == [
        {"name": "c", "why": "none are shipped"},
        {"name": "d", "why": "x.jpg: not finite"},
    ]
    assert found["rows"][1]["95 % of the mean"] == "21.00..23.46" and "95 % of the mean" not in found["rows"][0]
    assert "photos" not in found and found["device"] == "cpu" and found["bench"] == "quality"
    assert "rate" not in found["rows"][1]  # there is no speed


def test_of_both() -> None:
    """Oracle: by hand: a row's rate is the network's at 256 px; both lists of published figures stay."""
    found = shown({"bench": "quick", "quality": _QUALITY, "speed": _SPEED})
    assert [row.get("rate") for row in found["rows"]] == [None, 9.0]
    assert found["alone"][1] == {"method": "a", "side": 512, "rate": 2.0} and "streamed" not in found
    assert found["published"] == _QUALITY["published"] and found["published times"] == _SPEED["published"]
    assert found["bench"] == "quick"


def test_of_one_method_nothing_is_told_twice() -> None:
    """Oracle: what one method alone says stands at the top of its record, too; the page has it in the table."""
    one = {**_QUALITY, **_SAID, "methods": {"a": {**_SAID, "size": 96}}}
    found = shown(one)
    assert "variant" not in found and "weights" not in found and found["device"] == "cpu"
    assert shown({"bench": "pairs", "rows": [], "matrix": [[1]]}) == {"bench": "pairs", "rows": [], "matrix": [[1]]}
