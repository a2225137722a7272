"""README's table from records."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from colorcli.bench.table import main, markdown
from colorcli.errors import UsageError


def _row(name: str, psnr: float | None) -> dict[str, Any]:
    return {
        "name": name, "psnr": psnr, "psnr_pooled": psnr, "ssim": 1 if psnr is None else 0.92345, "delta_e": 9.876,
        "colourfulness": 14.44,
    }  # fmt: skip


def _record(method: str, **rows: float) -> dict[str, Any]:
    return {
        "bench": "quality",
        "photos": ["a.jpg", "b.jpg"],
        "methods": {method: {"method": method, "variant": "compact", "size": 96}},
        "rows": [
            _row("gray", 22.854),
            _row("flat tint", 25.65),
            *(_row(name.replace("_", " "), value) for name, value in rows.items()),
            _row("the truth", None),
        ],
    }


def test_the_rows_of_two_records() -> None:
    """Oracle: written by hand: what sees lightness alone stands between gray and flat tint, gray is there once."""
    exemplar = _record("multimodal", multimodal=27.6)
    exemplar["rows"].insert(3, _row("multimodal, there and back", 28.0))
    assert markdown([_record("siggraph17", siggraph17=23.56), exemplar]).splitlines() == [
        "|  | PSNR, mean | PSNR, pooled | SSIM | delta E 2000 | colourfulness |",
        "|---|---|---|---|---|---|",
        "| gray (no colour at all) | 22.85 dB | 22.85 dB | 0.9234 | 9.88 | 14.4 |",
        "| `siggraph17`, compact, no hints (network at 96 px) | 23.56 dB | 23.56 dB | 0.9234 | 9.88 | 14.4 |",
        "| flat tint (knows the true mean colour) | 25.65 dB | 25.65 dB | 0.9234 | 9.88 | 14.4 |",
        "| `multimodal`, compact, after each photo itself, warped and noised (network at 96 px) "
        "| 27.60 dB | 27.60 dB | 0.9234 | 9.88 | 14.4 |",
        "| `multimodal`, compact, its matches there and back | 28.00 dB | 28.00 dB | 0.9234 | 9.88 | 14.4 |",
        "| the originals |  |  | 1 | 9.88 | 14.4 |",
    ]


def test_records_that_do_not_go_together() -> None:
    """Oracle: the contract: other photos, a row twice, another table."""
    one = _record("smsanet", smsanet=23.7)
    with pytest.raises(UsageError, match="different photos"):
        markdown([one, {**copy.deepcopy(one), "photos": ["a.jpg"]}])
    with pytest.raises(UsageError, match="two records have a row smsanet"):
        markdown([one, copy.deepcopy(one)])
    with pytest.raises(UsageError, match="not of `bench speed`"):
        markdown([{"bench": "speed"}])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Oracle: the function's own table on stdout; exit 2 and the file's name for what is no record."""
    record = _record("smsanet", smsanet=23.7)
    file = tmp_path / "a.json"
    file.write_text(json.dumps(record))
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == markdown([record]) + "\n"
    for content in ("{}", '{"bench": "quality", "photos": []}'):
        file.write_text(content)
        assert main([str(file)]) == 2
        told = capsys.readouterr()
        assert told.out == "" and "output of `" in told.err
