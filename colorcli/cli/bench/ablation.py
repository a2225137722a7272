"""`colorize bench ablation`: finished training runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.bench.answers import Asks, end_with, print_missing
from colorcli.cli.bench.options import Baseline, Csv, Report, Tolerance
from colorcli.cli.console import printable, reports_errors, say
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.bench.ablation import TrainedRun


@reports_errors
def ablation(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders of `colorize train`, or their weights files; with --recipes folders and shards to train on.",
            exists=True,
            metavar="RUN",
        ),
    ] = None,
    recipes: Annotated[
        str | None,
        typer.Option("--recipes", help="Train these recipes first, the same minutes each.", metavar="A,B,..."),
    ] = None,
    method: Annotated[str, typer.Option("-m", "--method", help="Of the recipes.")] = "smsanet",
    minutes: Annotated[float, typer.Option("--minutes", help="Of each recipe's training.")] = 2.0,
    init: Annotated[Path | None, typer.Option("--init", help="Weights that each training starts from.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the trained runs lie.")] = Path("runs/ablation"),
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
    report: Report = None,
    baseline: Baseline = None,
    tolerance: Tolerance = None,
    verbose: options.Verbose = 0,
) -> None:
    """Measure training runs on the same photos, with the settings in which they differ.

    The runs are finished ones or, with --recipes, small ones that are trained now.
    """
    del verbose  # read by reports_errors
    from colorcli.bench.ablation import ablation_lines, ablation_record, read_runs
    from colorcli.bench.quality import measure
    from colorcli.methods.registry import METHODS

    asks = Asks(as_json, csv, baseline, tolerance or (), report)
    asks.check()
    places = runs or []
    if recipes is not None:
        from colorcli.bench.contestants import listed
        from colorcli.bench.small_runs import Plan, train_each
        from colorcli.train.heap import keep_freed_memory

        plan = Plan(METHODS[method].name, listed(recipes), tuple(map(str, places)), minutes, out, init, device)
        keep_freed_memory()
        places = train_each(plan, say)
    elif not places:
        raise UsageError("name finished runs, or --recipes to train")
    trained = read_runs(places, device, precision)
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
    end_with(found.failed)


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
