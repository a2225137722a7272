"""The page of a bench."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from colorcli.bench.figures import Row
from colorcli.bench.setting import Setting
from colorcli.errors import ColorizeError
from colorcli.report.bench import write_bench_page

_EXTENDED: dict[str, Any] = {  # with what several methods' tables have besides
    "bench": "quality",
    "method": "smsanet",
    "weights": "ab" * 32,
    "versions": {"colorize": "1", "torch": "2"},
    "protocol": "automatic <lightness>",
    "gray at source": ["x & y.jpg"],
    "rows": [
        {"name": "gray", "psnr": 22.0, "images": [{"psnr": 21.0}, {"psnr": 23.0}]},
        {"name": "smsanet", "psnr": 24.0, "rate": 9.5, "images": [{"psnr": 23.0}, {"psnr": 25.0}]},
        {"name": "$x_1$ <agin>", "psnr": 23.0, "rate": {"median": 2.5}, "images": [{"psnr": None}]},
        {"name": "the truth", "psnr": None, "images": [{"psnr": None}, {"psnr": None}]},
    ],
    "published": [{"name": "SMSANet", "psnr": 24.9, "set": "ImageNet"}],
    "matrix": [[0.1, 0.2]],
}


def _written(tmp_path: Path, figures: dict[str, Any]) -> str:
    place = tmp_path / "pages" / "b.html"
    write_bench_page(place, figures)
    return place.read_text()


def test_the_answer_of_quality(tmp_path: Path) -> None:
    """Oracle: the command's JSON, of its own rows and setting: each row's name and its PSNR, to three decimals, in the
    table; what measured at the top."""
    setting = Setting("smsanet", None, "ab" * 32, "cpu (2 threads)", "fp32", {}, {"torch": "2.15.0"})
    rows = [
        Row("gray", 22.0404, None, 21.9, 20.8, 0.9, 12.0, 0.0, 38.0, 4, ()),
        Row("smsanet", 23.1236, (22.0, 24.0), 22.9, 21.7, 0.91, 11.0, 14.2, 24.0, 4, ()),
    ]
    figures = {**asdict(setting), "protocol": "automatic", "side": 256, "rows": [*map(asdict, rows)]}
    figures["rows"].append({**figures["rows"][0], "name": "the truth", "psnr": None})
    text = _written(tmp_path, figures)
    for row in figures["rows"]:
        line = re.search(rf"<tr><td[^>]*>{row['name']}</td>.*?</tr>", text)
        assert line is not None
        wanted = "\N{EN DASH}" if row["psnr"] is None else f"{row['psnr']:.3f}"
        assert wanted.replace("\N{EN DASH}", "&#8211;") in line[0]
    assert figures["weights"][:12] in text and figures["versions"]["torch"] in text and figures["device"] in text


def test_what_methods_add_is_shown(tmp_path: Path) -> None:
    """Oracle: the figures given: a table for each list of objects, names as text, two plots, nothing of a matrix."""
    text = _written(tmp_path, _EXTENDED)
    assert text.count("<table>") == 2 and text.count("<svg") == 2
    assert "x &amp; y.jpg" in text and "automatic &lt;lightness&gt;" in text and "matrix" not in text
    assert "<agin>" not in text and text.count("$x_1$ &lt;agin&gt;") >= 2  # in the table and in the plot, as letters
    assert "currentColor" in text and "#010203" not in text and "http://matplotlib" not in text
    assert "published" in text and "24.900" in text


def test_plots_need_no_network(tmp_path: Path) -> None:
    """Oracle: the addresses in the page: those of XML's namespaces, which nobody asks, and no others."""
    text = _written(tmp_path, _EXTENDED)
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"(?:src|href)=\"(?!#)", text)


def test_speeds_by_side(tmp_path: Path) -> None:
    """Oracle: the keys of `bench speed --json`: one plot; nested values have columns by both names; peaks in MB."""
    spread = {"median": 0.02, "low": 0.01, "high": 0.03, "rounds": 5}
    text = _written(
        tmp_path,
        {
            "bench": "speed",
            "method": "smsanet",
            "engine": {"batch": 1},
            "left_out": [],
            "alone": [{"side": 256, "batch": 1, "seconds": spread, "rate": 50.0, "peak": 410_000_000}],
            "streamed": [{"side": 256, "rate": {"median": 9.0}}],
        },
    )
    assert "colorize bench speed: smsanet" in text and text.count("<svg") == 1
    assert "seconds median" in text and "410 MB" in text and "batch 1" in text


def test_without_matplotlib_the_page_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: an interpreter where it cannot be imported: the tables are there, and how to get the plots."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "colorcli.report.plots", raising=False)
    text = _written(tmp_path, _EXTENDED)
    assert "pip install colorize[report]" in text and "<svg" not in text and text.count("<table>") == 2


def test_nothing_has_to_be_there(tmp_path: Path) -> None:
    """Oracle: an empty object gives a page all the same."""
    assert "<h1>colorize bench</h1>" in _written(tmp_path, {})


def test_a_place_that_takes_no_page(tmp_path: Path) -> None:
    """Oracle: the error of the house, which names the place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ColorizeError, match=r"file.*b\.html"):
        write_bench_page(tmp_path / "file" / "b.html", _EXTENDED)
