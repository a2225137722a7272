"""A record beside an earlier one: what became better, what worse."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colorcli.bench.quality import GRAY_ROW, TINT_ROW, TRUTH
from colorcli.bench.record import QUALITY, QUICK, SPEED, Values
from colorcli.errors import UsageError

BETTER, SAME, WORSE = "better", "same", "worse"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is compared."""

    name: str
    larger: bool  # is better
    tolerance: float  # up to which a loss is none
    relative: bool = False  # the tolerance is a share of the earlier figure


_OF_QUALITY = (
    # Below 0.05 dB no weights are replaced either (CONTRIBUTING.md). The others' are a unit of the last digit but one
    # that the table shows, since another processor's rounding may move the last.
    Figure("psnr", True, 0.05),
    Figure("psnr_pooled", True, 0.05),
    Figure("ssim", True, 0.001),
    Figure("delta_e", False, 0.1),
    Figure("colourfulness_difference", False, 0.5),
)
_OF_SPEED = (
    # Times are of a machine with other things to do: the quartiles that stand beside a median lie often that far apart.
    Figure("seconds", False, 0.25, relative=True),
    Figure("photos_per_second", True, 0.25, relative=True),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of one row, then and now."""

    row: str
    figure: str
    then: float
    now: float
    verdict: str  # BETTER, SAME (within the tolerance) or WORSE


def tolerances(given: Sequence[str]) -> dict[str, float]:
    """Figure -> tolerance: the defaults, and `NAME=NUMBER` over them. Errors: UsageError for another name or number."""
    found = {figure.name: figure.tolerance for figure in (*_OF_QUALITY, *_OF_SPEED)}
    for text in given:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if name not in found or not 0 <= value < float("inf"):
            raise UsageError(f"--tolerance takes NAME=NUMBER of {', '.join(found)}, 0 or more, not {text!r}")
        found[name] = value
    return found


def read_record(path: Path) -> Values:
    """An earlier `--json` output of a table. Errors: UsageError for a file that is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(record, dict) or record.get("bench") not in (QUALITY, SPEED, QUICK):
        raise UsageError(f"{path} is no output of `colorize bench --json`; expected that of quality, speed or quick")
    return record


def changes(then: Values, now: Values, allowed: Mapping[str, float], name: str) -> list[Change]:
    """Every figure of the rows that both have. allowed: as of `tolerances`. name: the earlier file's.

    Errors: UsageError where both are not of the same table, photos, protocol, sizes or, for times, device; and where
    they share no row.
    """
    try:
        found = list(_compared(then, now, allowed, name))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise UsageError(f"{name} is no whole output of `colorize bench --json`: {error!r}") from error
    if not found:
        raise UsageError(f"{name} has no row of this run's methods and sizes; measure those that it has")
    return found


def _compared(then: Values, now: Values, allowed: Mapping[str, float], name: str) -> Iterator[Change]:
    _same("table", then["bench"], now["bench"], name)
    if now["bench"] == QUICK:
        for part in (QUALITY, SPEED):
            yield from _compared(then[part], now[part], allowed, name)
        return
    if now["bench"] == QUALITY:
        for key in ("side", "photos"):
            _same(key, then[key], now[key], name)
        for method in then["methods"].keys() & now["methods"].keys():
            for key in ("protocol", "size"):
                _same(f"{key} of {method}", then["methods"][method][key], now["methods"][method][key], name)
        yield from _changes(_quality_rows(then), _quality_rows(now), _OF_QUALITY, allowed)
    else:
        before = {table["method"]: table for table in then["tables"]}
        for table in now["tables"]:
            if earlier := before.get(table["method"]):
                for key in ("device", "precision", "size"):
                    _same(f"{key} of {table['method']}", earlier[key], table[key], name)
        yield from _changes(_speed_rows(then), _speed_rows(now), _OF_SPEED, allowed)


def _same(what: str, then: Any, now: Any, name: str) -> None:
    if then == now:
        return
    if isinstance(then, list) and isinstance(now, list):
        raise UsageError(f"{name} is of other {what}: {len(then)} there, {len(now)} here, not all the same")
    raise UsageError(f"{name} is of another {what}: {then!r}; this run has {now!r}")


def _quality_rows(record: Values) -> dict[str, Values]:
    return {row["name"]: row for row in record["rows"] if row["name"] not in (GRAY_ROW, TINT_ROW, TRUTH)}


def _speed_rows(record: Values) -> dict[str, Values]:
    """By name: the time of the network alone, of batch 1, and the rate of the stream."""
    rows = {}
    for table in record["tables"]:
        for row in table["alone"]:
            if row["batch"] == 1:
                rows[f"{table['method']}, {row['side']} px alone"] = {"seconds": row["seconds"]["median"]}
        for row in table["streamed"]:
            name = f"{table['method']}, {row['side']} px end to end"
            rows[name] = {"photos_per_second": row["rate"]["median"]}
    return rows


def _changes(
    then: Mapping[str, Values], now: Mapping[str, Values], figures: Sequence[Figure], allowed: Mapping[str, float]
) -> Iterator[Change]:
    for name, row in now.items():
        for figure in figures if name in then else ():
            before, value = then[name].get(figure.name), row.get(figure.name)
            if before is None or value is None:  # of another kind of row, or infinite
                continue
            gain = value - before if figure.larger else before - value
            loss = allowed[figure.name] * (before if figure.relative else 1)
            verdict = WORSE if gain < -loss else BETTER if gain > loss else SAME
            yield Change(name, figure.name, before, value, verdict)
