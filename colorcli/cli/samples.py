"""`colorize samples`: photographs to try the tool on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from colorcli.cli.console import printable, reports_errors


@reports_errors
def samples(folder: Annotated[Path, typer.Argument(help="Where to put them.", metavar="DIR")]) -> None:
    """Write a few grayed photographs (from scikit-image's wheel) to try the tool on."""
    from colorcli.media.samples import write_samples

    for path in write_samples(folder):
        typer.echo(printable(str(path)))
