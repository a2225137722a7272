"""`colorize compare`: two folders of pictures, file by file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.bench.answers import Asks
from colorcli.cli.bench.options import Csv
from colorcli.cli.console import FAILED_FILES, printable, reports_errors, say

if TYPE_CHECKING:
    from colorcli.bench.figures import PhotoFigures, Row

_NAME = 36  # columns of a file's name


@reports_errors
def compare(
    first: Annotated[Path, typer.Argument(help="A folder or a photo: the originals.", metavar="A", exists=True)],
    second: Annotated[Path, typer.Argument(help="Another: their results.", metavar="B", exists=True)],
    as_json: options.AsJson = False,
    csv: Csv = None,
    verbose: options.Verbose = 0,
) -> None:
    """Compare two folders of pictures, or two pictures: PSNR, SSIM, delta E 2000, file by file and in all.

    Files go together by path, else by path without extension. Those that are missing or of another size are named, and
    the exit code is 3.
    """
    del verbose  # read by reports_errors
    from colorcli.bench.compare import compare as compare_files
    from colorcli.bench.compare import compare_record
    from colorcli.bench.figures import DEFINITIONS

    asks = Asks(as_json, csv)
    asks.check()
    if not as_json:
        typer.echo(f"{DEFINITIONS}\n")
        typer.echo(f"{'':<{_NAME}}{'PSNR dB':>9}{'SSIM':>9}{'delta E':>9}{'colour':>9}{'off by':>9}")
    found = compare_files(first, second, (lambda _: None) if as_json else _print)
    if found.all is not None and not as_json:
        _print_all(found.all)
    asks.answer(compare_record(first, second, found), [*map(asdict, found.photos)])
    for problem in found.problems:
        say(f"colorize: {problem}")
    if found.problems:
        raise typer.Exit(FAILED_FILES)


def _print(one: PhotoFigures) -> None:
    typer.echo(_line(one.photo, one.psnr, one))


def _line(name: str, decibels: float, one: PhotoFigures | Row) -> str:
    return (
        f"{printable(name):<{_NAME}}{decibels:>9.3f}{one.ssim:>9.4f}{one.delta_e:>9.2f}"
        f"{one.colourfulness:>9.2f}{one.colourfulness_difference:>9.2f}"
    )


def _print_all(row: Row) -> None:
    typer.echo("")
    typer.echo(_line(f"mean of {row.photos}", row.psnr, row))
    typer.echo(f"{'PSNR of the pooled error':<{_NAME}}{row.psnr_pooled:>9.3f}")
    if row.psnr_interval is not None:
        typer.echo(f"{'95 % of the mean PSNR':<{_NAME}}{'{:.3f}..{:.3f}'.format(*row.psnr_interval):>18}")
