"""`--shots`: what the films of a run fall into."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

import typer

from colorcli.cli.console import FAILED_FILES, printable, say
from colorcli.errors import PhotoError

if TYPE_CHECKING:
    from colorcli.media.discover import Discovery


def list_shots(found: Discovery, as_json: bool) -> NoReturn:
    """A line for each shot of each film, on stdout; photos are passed over. Ends with the exit code."""
    from colorcli.media.films.kinds import is_film
    from colorcli.media.films.reading import header_of
    from colorcli.media.films.scan import scan

    failed = 0
    for failure in found.failures:
        failed += 1
        say(f"{failure.name}: FAILED ({failure.stage}): {failure.reason}")
    for job in found.jobs:
        if not is_film(job.source, job.target):
            continue
        try:
            header = header_of(job.source)
            seen = scan(header)
        except PhotoError as error:
            failed += 1
            say(f"{job.name}: FAILED (film): {error}")
            continue
        for number, shot in enumerate(seen.shots, 1):
            start = float((seen.times[shot.first] - seen.times[0]) * header.unit)
            if as_json:
                entry = {"file": job.name, "shot": number, "first": shot.first, "frames": len(shot), "start": start}
                typer.echo(json.dumps(entry))
            else:
                frames = f"frames {shot.first}..{shot.end - 1}"
                typer.echo(printable(f"{job.name}  shot {number:>4}  {start:>9.3f} s  {frames}"))
    raise typer.Exit(FAILED_FILES if failed else 0)
