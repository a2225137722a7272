"""How tables answer: rows on stdout, JSON, CSV, and what became of a baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from colorcli.cli.console import printable, say

if TYPE_CHECKING:
    from colorcli.bench.baseline import Change
    from colorcli.bench.setting import Setting

LOSS = 5  # exit code: --baseline found a loss
INCOMPLETE = 1  # exit code: a method that was measured has no row


@dataclass(frozen=True, slots=True)
class Asks:
    """How a person wants the answer."""

    as_json: bool = False
    csv: Path | None = None
    baseline: Path | None = None
    tolerance: Sequence[str] = ()
    report: Path | None = None

    def check(self) -> None:
        """Refuse what cannot be read or written before anything is measured. Errors: ColorizeError, UsageError."""
        from colorcli.bench.baseline import read_record, tolerances
        from colorcli.bench.spreadsheet import check_writable

        tolerances(self.tolerance)
        if self.report is not None:
            from colorcli.report.place import check_place

            check_place(self.report)
        if self.csv is not None:
            check_writable(self.csv)
        if self.baseline is not None:
            read_record(self.baseline)

    def answer(self, record: dict[str, Any], lines: Sequence[Mapping[str, Any]]) -> None:
        """Write CSV and page, compare with the baseline, print the JSON. The table itself was printed before.

        Exits with `LOSS` where a figure is worse than the baseline's beyond its tolerance.
        """
        from colorcli.bench.baseline import WORSE, changes, read_record, tolerances
        from colorcli.bench.spreadsheet import write_csv
        from colorcli.report.template import finite

        if self.csv is not None:
            write_csv(self.csv, lines)
        record = finite(record)
        found: list[Change] = []
        if self.baseline is not None:
            allowed = tolerances(self.tolerance)
            found = changes(read_record(self.baseline), record, allowed, str(self.baseline))
            record["baseline"] = {"file": str(self.baseline), "tolerance": allowed, "changes": [*map(asdict, found)]}
        if self.report is not None:
            from colorcli.report.bench import write_bench_page
            from colorcli.report.record import shown

            write_bench_page(self.report, shown(record))
        if self.as_json:
            typer.echo(json.dumps(record, allow_nan=False))
        elif found:
            _print_changes(found, str(self.baseline))
        if any(change.verdict == WORSE for change in found):
            raise typer.Exit(LOSS)


def _print_changes(found: Sequence[Change], name: str) -> None:
    typer.echo(printable(f"\nsince {name}"))
    width = max(len(change.row) for change in found)
    for change in found:
        typer.echo(
            f"{change.row:<{width}}  {change.figure:<25}{change.then:>10.4f} -> {change.now:>10.4f}"
            f"{change.now - change.then:>+10.4f}  {change.verdict}"
        )


def print_setting(setting: Setting) -> None:
    """The line of a table's head that says what measured."""
    typer.echo(printable(setting.line()))


def print_missing(missing: Mapping[str, str], width: int) -> None:
    """A line for each method that has no figures, and why."""
    for name, reason in missing.items():
        typer.echo(printable(f"{name:<{width}}no row: {reason}"))


def end_with(failed: Mapping[str, str]) -> None:
    """Say why methods that were measured have no row, and exit with `INCOMPLETE` where there are such."""
    for reason in failed.values():
        say(f"colorize: {reason}")
    if failed:
        raise typer.Exit(INCOMPLETE)
