"""`colorize bench speed`: the network alone, and from file to file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.bench.answers import Asks, print_missing, print_setting
from colorcli.cli.bench.options import Baseline, Csv, Methods, Report, Tolerance, Weights, asked, entered
from colorcli.cli.console import printable, reports_errors, say

if TYPE_CHECKING:
    from colorcli.bench.network import NetworkSpeed
    from colorcli.bench.speed import SpeedTable

_NAME = 14  # columns of a method's name


@reports_errors
def speed(
    methods: Methods = "smsanet",
    weights: Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: Annotated[int, typer.Option("--size", help="Side of the network's input, pixels. 0: 256, 512 and 1024.")] = 0,
    transform: options.Transform = None,
    limit: Annotated[int, typer.Option("--limit", help="Photos from file to file. 0: 16 on a CPU, else 256.")] = 0,
    as_json: options.AsJson = False,
    csv: Csv = None,
    report: Report = None,
    baseline: Baseline = None,
    tolerance: Tolerance = None,
    verbose: options.Verbose = 0,
) -> None:
    """Measure seconds, photos per second and memory on the wheel's photos: the network alone, and file to file."""
    del verbose  # read by reports_errors
    from colorcli.bench.record import speed_lines, speed_record
    from colorcli.bench.speed import SIDES, measure_speed

    asks = Asks(as_json, csv, baseline, tolerance or (), report)
    request = asked(methods, weights, device, precision, transform=transform, size=size, limit=limit)
    asks.check()
    contestants = entered(request)
    tables = [
        measure_speed(method, contestants.files.get(name, ()), (size,) if size else SIDES, limit, say)
        for name, method in contestants.loaded.items()
    ]
    if not as_json:
        _print(tables, contestants.missing)
    asks.answer(speed_record(tables, contestants.missing), speed_lines(tables))


def _print(tables: Sequence[SpeedTable], missing: Mapping[str, str]) -> None:
    for table in tables:
        print_setting(table.setting)
    first = tables[0]
    typer.echo("times: median of the rounds (quartiles); the first call and loading the weights are not counted")
    typer.echo("batches grow 1, 2, 4, 8, 16 while photos/s do; the first and the best are shown (one row: the same)")
    typer.echo(f"peak memory: {first.peak}")
    sizes = ", ".join(dict.fromkeys(f"{table.size}" for table in tables))
    typer.echo(
        f"end to end: {first.photos} gray JPEGs to colour JPEGs, the engine's start counted; network at {sizes} "
        f"px, batches of {first.engine.batch}, {first.engine.lanes} at once with {first.engine.threads_per_lane} "
        "thread(s) each"
    )
    left_out = [
        f"{table.setting.method}, {reason}" if len(tables) > 1 else reason
        for table in tables
        for reason in table.left_out
    ]
    typer.echo(f"left out: {printable('; '.join(left_out)) or 'nothing'}")
    print_alone({table.setting.method: table.alone for table in tables}, missing)
    typer.echo("\nend to end; ideal: every stage's CPU time alone, spread over all cores")
    typer.echo(
        f"{'':<{_NAME}}{'side':>6}{'rounds':>8}{'photos/s':>10}{'quartiles':>18}{'ideal':>9}{'efficiency':>12}"
        "  CPU ms/photo alone"
    )
    for table in tables:
        for stream in table.streamed:
            rate = stream.rate
            quartiles = f"{rate.low:.2f}..{rate.high:.2f}"
            alone = ", ".join(f"{cost.stage} {1000 * cost.seconds:.1f}" for cost in stream.stages)
            typer.echo(
                f"{table.setting.method:<{_NAME}}{stream.side:>6}{rate.rounds:>8}{rate.median:>10.2f}{quartiles:>18}"
                f"{stream.ideal:>9.2f}{stream.efficiency:>12.3f}  {alone}"
            )
    sides = {row.side for table in tables for row in table.alone}
    print_times([table.setting.method for table in tables], sides)


def print_alone(rows: Mapping[str, Sequence[NetworkSpeed]], missing: Mapping[str, str]) -> None:
    """The table of networks alone, by method, and the methods that are not in it."""
    typer.echo("\nnetwork alone")
    typer.echo(
        f"{'':<{_NAME}}{'side':>6}{'batch':>7}{'rounds':>8}{'s/photo':>10}{'quartiles':>18}"
        f"{'photos/s':>10}{'peak MB':>9}"
    )
    for method, of_method in rows.items():
        for row in of_method:
            seconds = row.seconds
            quartiles = f"{seconds.low:.4f}..{seconds.high:.4f}"
            held = "?" if row.peak is None else f"{row.peak / 1e6:.0f}"
            typer.echo(
                f"{method:<{_NAME}}{row.side:>6}{row.batch:>7}{seconds.rounds:>8}{seconds.median:>10.4f}{quartiles:>18}"
                f"{row.rate:>10.2f}{held:>9}"
            )
    print_missing(missing, _NAME)


def print_times(methods: Collection[str], sides: Collection[int]) -> None:
    """The papers' own times of these methods, where they give some."""
    from colorcli.bench.published import MARK_TIMES, times_of

    lines = times_of(methods, sides)
    if lines:
        typer.echo(f"\n{MARK_TIMES}")
    for line in lines:
        typer.echo(f"{line.name:<{_NAME}}{line.side:>6}{line.given:>14} s  {line.hardware}; {line.source}")
