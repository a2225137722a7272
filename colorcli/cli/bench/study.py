"""`colorize bench study`: what people find of results."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.console import printable, reports_errors, say
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.report.study import Share, Tally

_QUESTIONS = {"natural": "found natural", "prefer": "preferred"}


@reports_errors
def study(
    given: Annotated[
        list[Path],
        typer.Argument(help="Folders of results of the same photos; with --tally files of answers.", metavar="DIR..."),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The page to write. [default: study.html]", metavar="FILE.html")
    ] = None,
    prefer: Annotated[
        bool, typer.Option("--prefer", help="Ask which of two is better, not whether one is natural.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", help="Photos, drawn by the seed. 0: all.", min=0)] = 100,
    overwrite: options.Overwrite = False,
    count: Annotated[bool, typer.Option("--tally", help="Count the answers in files that the page saved.")] = False,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
    verbose: options.Verbose = 0,
) -> None:
    """Ask people how natural results look.

    Writes one page that shows results of several folders, shuffled and without their names (one may hold the
    originals), and saves what a person finds as a file; --tally counts such files. AGIN asked about 100 photos.
    """
    del verbose  # read by reports_errors
    if count:
        if out is not None or prefer:
            raise UsageError("--tally counts answers; -o and --prefer are for making a study")
        from colorcli.report.study import tally

        _tell(tally(given), as_json)
        return
    from colorcli.report.place import check_place
    from colorcli.report.study import NATURAL, PREFER
    from colorcli.report.study_page import write_study

    place = out or Path("study.html")
    check_place(place, overwrite=overwrite, option="-o")
    kind = PREFER if prefer else NATURAL
    questions = write_study(place, given, kind, seed=seed, limit=limit, say=say)
    if as_json:
        typer.echo(json.dumps({"page": str(place), "kind": kind, "questions": questions, "seed": seed}))
    else:
        typer.echo(printable(f"{questions} questions about {len(given)} folders -> {place}"))


def _tell(told: Tally, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(told)))
        return
    typer.echo(f"{told.observers} file(s) of answers; 95 % intervals (Wilson), answers taken as independent")
    _print(told.rows, _QUESTIONS[told.kind])
    if told.pairs:
        typer.echo("")
        _print(told.pairs, "preferred")


def _print(rows: list[Share], what: str) -> None:
    wide = max(12, *(len(printable(row.folder)) for row in rows))
    typer.echo(f"{'':<{wide}}{'shown':>8}{what:>16}{'share':>9}{'95 % interval':>18}")
    for row in rows:
        share = f"{row.share:.1%}" if row.shown else "-"
        interval = f"{row.low:.1%}..{row.high:.1%}" if row.shown else "-"
        typer.echo(f"{printable(row.folder):<{wide}}{row.shown:>8}{row.chosen:>16}{share:>9}{interval:>18}")
