"""`colorize doctor`: devices, libraries, ffmpeg and weights on one screen."""

from __future__ import annotations

import json

import typer

from colorcli.cli import options
from colorcli.cli.console import reports_errors


@reports_errors
def doctor(as_json: options.AsJson = False) -> None:
    """Look at what colorize stands on; exit 1 if something is broken."""
    from colorcli.run.doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([{"what": f.what, "found": f.found, "sound": f.sound} for f in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'ok ' if finding.sound else 'BAD'}  {finding.what:<18} {finding.found}")
    if not all(finding.sound for finding in findings):
        raise typer.Exit(1)
