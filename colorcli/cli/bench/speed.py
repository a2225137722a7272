"""`colorize bench speed`: the network alone, and from file to file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.bench.answers import print_setting, tell
from colorcli.cli.bench.options import load
from colorcli.cli.console import printable, reports_errors, say

if TYPE_CHECKING:
    from colorcli.loader import LoadedMethod


@reports_errors
def speed(
    method: options.Method = "smsanet",
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: Annotated[int, typer.Option("--size", help="Side of the network's input, pixels. 0: 256, 512 and 1024.")] = 0,
    transform: options.Transform = None,
    limit: Annotated[int, typer.Option("--limit", help="Photos from file to file. 0: 16 on a CPU, else 256.")] = 0,
    as_json: options.AsJson = False,
    verbose: options.Verbose = 0,
) -> None:
    """Measure seconds, photos per second and memory on the wheel's photos: the network alone, and file to file."""
    del verbose  # read by reports_errors
    loaded = load(method, weights, device, precision, transform=transform, size=size, limit=limit)
    _speed(loaded, weights or [], size, limit, as_json)


def _speed(loaded: LoadedMethod, weights: list[Path], size: int, limit: int, as_json: bool) -> None:
    from colorcli.bench.speed import SIDES, measure_speed

    table = measure_speed(loaded, weights, (size,) if size else SIDES, limit, say)
    if as_json:
        figures = asdict(table)
        tell({**figures.pop("setting"), **figures})
        return
    engine = table.engine
    print_setting(table.setting)
    typer.echo("times: median of the rounds (quartiles); the first call and loading the weights are not counted")
    typer.echo("batches grow 1, 2, 4, 8, 16 while photos/s do; the first and the best are shown (one row: the same)")
    typer.echo(f"peak memory: {table.peak}")
    typer.echo(
        f"end to end: {table.photos} gray JPEGs to colour JPEGs, the engine's start counted; network at {table.size} "
        f"px, batches of {engine.batch}, {engine.lanes} at once with {engine.threads_per_lane} thread(s) each"
    )
    typer.echo(f"left out: {printable('; '.join(table.left_out)) or 'nothing'}")
    typer.echo("\nnetwork alone")
    typer.echo(f"{'side':>6}{'batch':>7}{'rounds':>8}{'s/photo':>10}{'quartiles':>18}{'photos/s':>10}{'peak MB':>9}")
    for row in table.alone:
        seconds = row.seconds
        quartiles = f"{seconds.low:.4f}..{seconds.high:.4f}"
        held = "?" if row.peak is None else f"{row.peak / 1e6:.0f}"
        typer.echo(
            f"{row.side:>6}{row.batch:>7}{seconds.rounds:>8}{seconds.median:>10.4f}{quartiles:>18}"
            f"{row.rate:>10.2f}{held:>9}"
        )
    typer.echo("\nend to end")
    typer.echo(f"{'side':>6}{'rounds':>8}{'photos/s':>10}{'quartiles':>18}")
    for stream in table.streamed:
        rate = stream.rate
        typer.echo(f"{stream.side:>6}{rate.rounds:>8}{rate.median:>10.2f}{f'{rate.low:.2f}..{rate.high:.2f}':>18}")
