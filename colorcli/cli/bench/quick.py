"""`colorize bench`: every method's quality and speed at a glance."""

from __future__ import annotations

from typing import Any

import typer

from colorcli.cli import options
from colorcli.cli.bench.answers import Asks, end_with
from colorcli.cli.bench.options import Baseline, Csv, Report, Tolerance, asked, entered
from colorcli.cli.console import reports_errors, say


@reports_errors
def quick(
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    as_json: options.AsJson = False,
    csv: Csv = None,
    report: Report = None,
    baseline: Baseline = None,
    tolerance: Tolerance = None,
    verbose: options.Verbose = 0,
) -> None:
    """Measure every method whose weights are there, in the quick setting: the wheel's photos, few rounds."""
    del verbose  # read by reports_errors
    from colorcli.bench.contestants import ALL
    from colorcli.bench.quality import measure
    from colorcli.bench.quick import ROUNDS, SIDES, quick_record, quick_speeds
    from colorcli.bench.record import alone_line, quality_lines
    from colorcli.cli.bench.quality import print_quality
    from colorcli.cli.bench.speed import print_alone, print_times

    asks = Asks(as_json, csv, baseline, tolerance or (), report)
    asks.check()
    contestants = entered(asked(ALL, None, device, precision))
    loaded, missing = contestants.loaded, contestants.missing
    found = measure(loaded, None, say=say)
    speeds = quick_speeds(loaded, say)
    if not as_json:
        sides = " and ".join(map(str, SIDES))
        typer.echo(
            f"quick setting: {found.rows[0].photos} photos of scikit-image's wheel, too few to rank methods by; speed "
            f"at {sides} px, at most {ROUNDS} rounds; `bench quality --data PHOTOS` and `bench speed` measure at length"
        )
        print_quality(found, contestants, 0)
        print_alone(speeds, missing)
        print_times(speeds, SIDES)
    lines: list[dict[str, Any]] = [{"what": "quality", **line} for line in quality_lines(found)]
    lines += [alone_line(name, row) for name, rows in speeds.items() for row in rows]
    asks.answer(quick_record(found, speeds, loaded, missing), lines)
    end_with(found.failed)
