"""The record of a bench (`bench/record.py`: what its `--json` prints) in the shape that its page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]

_DIGITS = 12  # of a sha256 that a person is shown
_OF_ALL = ("device", "versions")  # what is the same for all methods of a record
_OF_EACH = ("variant", "weights", "size", "precision", "chosen", "protocol")
_NOT_SHOWN = ("photos",)  # every photo's name: the rows' figures are drawn
_AT = 256  # pixels: the side whose speed is drawn beside the quality, the protocol's own


def shown(record: Record) -> dict[str, Any]:
    """One level of plain values, and lists of objects that are tables, of `bench quick`, `quality` or `speed`.

    `methods` becomes a table; `tables` of speed one for each kind, with the method in each line; what has no row a
    table of reasons. Rows of quality get the `rate`, photos/s at 256 px, where a speed of their name is there.
    """
    quality, speed = (record.get(part) for part in ("quality", "speed"))
    parts = [part for part in (quality, speed) if isinstance(part, Mapping)] or [record]
    figures: dict[str, Any] = {}
    for part in parts:
        figures |= _part(part)
    rates = {row["method"]: row["rate"] for row in figures.get("alone", []) if row.get("side") == _AT}
    for row in figures.get("rows", []):
        if row["name"] in rates:
            row["rate"] = rates[row["name"]]
    return {**figures, "bench": record.get("bench", "")}


def _part(part: Record) -> dict[str, Any]:
    said = _methods(part)
    figures = {key: value for key, value in part.items() if not _told_elsewhere(key, said)}
    if "rows" in part:
        figures["rows"] = [_row(row) for row in part["rows"]]
    if "tables" in part and "published" in figures:
        figures["published times"] = figures.pop("published")
    for one in said.values():
        figures |= {key: one[key] for key in _OF_ALL if key in one}
    if said:
        figures["methods"] = [{"name": name, **_of(one)} for name, one in said.items()]
    reasons = {**part.get("without weights", {}), **part.get("failed", {})}
    if reasons:
        figures["without a row"] = [{"name": name, "why": why} for name, why in reasons.items()]
    for key in ("alone", "streamed"):
        rows = [{"method": table["method"], **row} for table in part.get("tables", ()) for row in table[key]]
        if rows:
            figures[key] = rows
    return figures


def _row(row: Record) -> dict[str, Any]:
    told = {key: value for key, value in row.items() if key != "psnr_interval"}
    if row.get("psnr_interval"):
        told["95 % of the mean"] = "{:.2f}..{:.2f}".format(*row["psnr_interval"])
    return told


def _methods(part: Record) -> dict[str, Record]:
    """What is said of each method."""
    if "tables" in part:
        return {table["method"]: table for table in part["tables"]}
    return dict(part.get("methods", {}))


def _told_elsewhere(key: str, said: Mapping[str, Record]) -> bool:
    if key in ("methods", "tables", "without weights", "failed", *_NOT_SHOWN):
        return True
    return any(key in one for one in said.values())  # of one method alone it stands above, too


def _of(one: Record) -> dict[str, Any]:
    told = {key: one[key] for key in _OF_EACH if one.get(key)}
    if "weights" in told:
        told["weights"] = ", ".join(digest[:_DIGITS] for digest in str(told["weights"]).split(", "))
    return told
