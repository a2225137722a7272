"""`colorize bench film`: what a film's stages cost, how well a run uses the machine, and what its colour is worth."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.console import printable, reports_errors, say

if TYPE_CHECKING:
    from colorcli.bench.film import FilmTable


@reports_errors
def film(
    file: Annotated[Path, typer.Argument(help="A film; its colour, if it has any, is the truth.", exists=True)],
    method: options.Method = "smsanet",
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: Annotated[int, typer.Option("--size", help="Side of the network's input, pixels. 0: as trained.")] = 0,
    as_json: options.AsJson = False,
    verbose: options.Verbose = 0,
) -> None:
    """Measure a film: CPU time of each stage, a whole run beside its ideal, memory; of one in colour its flicker."""
    del verbose  # read by reports_errors
    from colorcli.bench.contestants import Asked, enter
    from colorcli.bench.film import measure_film
    from colorcli.report.template import finite

    loaded = enter(Asked((method,), weights or (), device, precision, size)).loaded[method]
    table = measure_film(loaded, weights or [], file, device=device, precision=precision, size=size, say=say)
    if as_json:
        figures = asdict(table)
        typer.echo(json.dumps(finite({**figures.pop("setting"), **figures}), allow_nan=False))
        return
    _print(table)


def _print(table: FilmTable) -> None:
    engine, run = table.engine, table.run
    typer.echo(printable(table.setting.line()))
    typer.echo(
        printable(
            f"{table.film}: {table.codec} {table.width}x{table.height}, {table.frames} frames, {table.shots} shot(s); "
            f"network at {table.size} px, batches of {engine.batch}, {engine.lanes} at once with "
            f"{engine.threads_per_lane} thread(s) each, {table.cores} core(s)"
        )
    )
    typer.echo(f"\n{'stage alone':<14}{'CPU ms/frame':>14}{'frames':>9}")
    for one in table.stages:
        typer.echo(f"{one.stage:<14}{1000 * one.seconds:>14.2f}{one.measured:>9}")
    typer.echo(f"{'sum':<14}{1000 * sum(one.seconds for one in table.stages):>14.2f}")
    typer.echo(
        f"\nwhole run: {run.seconds:.2f} s ({table.frames / run.seconds:.1f} frames/s), ideal {table.ideal:.2f} s, "
        f"efficiency {table.efficiency:.3f}; start, not counted: {run.start:.2f} s; peak memory {run.peak / 1e6:.0f} MB"
    )
    if table.truth is None:
        return
    typer.echo("\nwritten films beside the true one; flicker is chroma warp error, units of ab, CDC in 1e-4")
    typer.echo(f"{'':<16}{'PSNR dB':>9}{'warp error':>12}{'excess':>9}{'CDC':>9}")
    for row in table.truth:
        psnr = "" if row.psnr is None else f"{row.psnr:.3f}"
        typer.echo(f"{row.name:<16}{psnr:>9}{row.warp:>12.3f}{row.excess:>9.3f}{1e4 * row.consistency:>9.2f}")
    if table.excess_ratio is not None and table.psnr_change is not None:
        typer.echo(f"steadied over frame by frame: excess {table.excess_ratio:.3f}, PSNR {table.psnr_change:+.3f} dB")
