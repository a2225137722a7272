"""`colorize doctor`: devices, libraries, ffmpeg and weights on one screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from colorcli.cli import options
from colorcli.cli.console import reports_errors, say


@reports_errors
def doctor(
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Also write what a bug report needs, .txt or .json, without your name, home or machine's name.",
            metavar="FILE",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Of --report: replace a file not made by this tool.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Look at what colorize stands on; exit 1 if something is broken."""
    if report is not None:
        from colorcli.report.diagnosis import ENDINGS, is_ours
        from colorcli.report.place import check_place

        check_place(report, overwrite=overwrite, endings=ENDINGS, what="text or JSON", ours=is_ours)

    from colorcli.run.doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([{"what": f.what, "found": f.found, "sound": f.sound} for f in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'ok ' if finding.sound else 'BAD'}  {finding.what:<18} {finding.found}")
    if report is not None:
        from colorcli.report.diagnosis import write_diagnosis
        from colorcli.run.machine import machine

        write_diagnosis(report, findings, machine())
        say(f"report: {report}")
    if not all(finding.sound for finding in findings):
        raise typer.Exit(1)
