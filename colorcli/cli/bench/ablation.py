"""`colorize bench ablation`: finished training runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.bench.answers import INCOMPLETE, Asks, print_missing
from colorcli.cli.bench.options import Baseline, Csv, Tolerance
from colorcli.cli.console import printable, reports_errors, say
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.bench.ablation import TrainedRun


@reports_errors
def ablation(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of `colorize train`, or their weights files.", exists=True)
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of colour photos. Without: those of scikit-image's wheel.", exists=True),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: options.Size = 0,
    limit: Annotated[int, typer.Option("--limit", help="Photos at most. 0: all.", min=0)] = 0,
    as_json: options.AsJson = False,
    csv: Csv = None,
    baseline: Baseline = None,
    tolerance: Tolerance = None,
    verbose: options.Verbose = 0,
) -> None:
    """Measure finished training runs on the same photos, with the settings in which they differ."""
    del verbose  # read by reports_errors
    from colorcli.bench.ablation import ablation_lines, ablation_record, read_runs
    from colorcli.bench.quality import measure

    asks = Asks(as_json, csv, baseline, tolerance or ())
    asks.check()
    trained = read_runs(runs, device, precision)
    for run in trained:
        if size < 0 or size % run.loaded.spec.multiple:
            raise UsageError(f"--size must be a multiple of {run.loaded.spec.multiple} for {run.name}, not {size}")
    found = measure({run.name: run.loaded for run in trained}, data, size=size, limit=limit, say=say)
    if not as_json:
        from colorcli.cli.bench.quality import print_rows

        typer.echo(f"{found.rows[0].photos} photos, {len(found.gray)} gray at source left out\n")
        print_rows(found)
        print_missing(found.failed, 15)
        _print_runs(trained)
    asks.answer(ablation_record(found, trained, size), ablation_lines(found, trained))
    if found.failed:
        for reason in found.failed.values():
            say(f"colorize: {reason}")
        raise typer.Exit(INCOMPLETE)


def _print_runs(runs: Sequence[TrainedRun]) -> None:
    from colorcli.bench.ablation import differing

    apart = differing(runs)
    width = max(15, *(len(run.name) + 2 for run in runs))
    typer.echo(f"\n{'':<{width}}{'method':<26}{'minutes':>9}{'images':>11}  what differs")
    for run in runs:
        minutes = "?" if run.minutes is None else f"{run.minutes:.1f}"
        images = "?" if run.images is None else f"{run.images}"
        differs = ", ".join(f"{key} {value}" for key, value in apart[run.name].items()) or "nothing"
        told = f"{run.name:<{width}}{run.loaded.spec.name:<26}{minutes:>9}{images:>11}  {differs}"
        typer.echo(printable(told))
