"""`colorize bench quality`: photos by the papers' protocol, or pairs with a reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.bench.answers import Asks, end_with, print_missing, print_setting
from colorcli.cli.bench.options import Baseline, Csv, Methods, Report, Tolerance, Weights, asked, entered
from colorcli.cli.console import printable, reports_errors, say
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.bench.contestants import Contestants
    from colorcli.bench.published import PublishedQuality
    from colorcli.bench.quality import Quality


@reports_errors
def quality(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of colour photos. Without: those of scikit-image's wheel.", exists=True),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            help="Of methods with a reference: CSV of target,reference. Does swapping references swap colours?",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(
            "--references",
            help="The same with two folders: each photo of --data and the reference of its path or stem.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    methods: Methods = "smsanet",
    weights: Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: options.Size = 0,
    transform: options.Transform = None,
    limit: Annotated[int, typer.Option("--limit", help="Photos or pairs at most. 0: all.")] = 0,
    as_json: options.AsJson = False,
    csv: Csv = None,
    report: Report = None,
    baseline: Baseline = None,
    tolerance: Tolerance = None,
    verbose: options.Verbose = 0,
) -> None:
    """Measure quality by the papers' protocols, beside gray and flat tint."""
    del verbose  # read by reports_errors
    from colorcli.cli.bench.pairs import measure_pairs

    asks = Asks(as_json, csv, baseline, tolerance or (), report)
    request = asked(methods, weights, device, precision, transform=transform, size=size, limit=limit)
    if pairs is not None and (data is not None or references is not None):
        raise UsageError("--pairs and --data are two protocols; choose one")
    if references is not None and data is None:
        raise UsageError("--references needs --data: the folder of the photos that take after them")
    if pairs is not None or references is not None:
        measure_pairs(request, pairs, data, references, limit, asks)
        return
    asks.check()
    measure_photos(entered(request), data, size, limit, asks)


def measure_photos(contestants: Contestants, data: Path | None, size: int, limit: int, asks: Asks) -> None:
    """Measure, print and answer; exit 1 where a method failed."""
    from colorcli.bench.quality import measure
    from colorcli.bench.record import quality_lines, quality_record

    found = measure(contestants.loaded, data, size=size, limit=limit, say=say)
    if not asks.as_json:
        print_quality(found, contestants, size)
    asks.answer(quality_record(found, contestants.loaded, contestants.missing, size), quality_lines(found))
    end_with(found.failed)


def print_quality(found: Quality, contestants: Contestants, size: int) -> None:
    """The table of photos."""
    from colorcli.bench.figures import DEFINITIONS, INTERVAL, NOT_MEASURED
    from colorcli.bench.published import qualities_of
    from colorcli.bench.quality import SIDE, protocol
    from colorcli.bench.setting import setting_of

    loaded = contestants.loaded
    protocols: dict[str, list[str]] = {}
    for name, method in loaded.items():
        protocols.setdefault(protocol(method.spec), []).append(name)
    for text, names in protocols.items():
        typer.echo(f"protocol{' of ' + ', '.join(names) if len(loaded) > 1 else ''}: {text}")
    for method in loaded.values():
        print_setting(setting_of(method))
    sizes = {name: size or method.size for name, method in loaded.items()}
    alike = len(set(sizes.values())) == 1
    seen = f"{next(iter(sizes.values()))} px" if alike else ", ".join(f"{n} px ({name})" for name, n in sizes.items())
    typer.echo(
        f"{found.rows[0].photos} photos at {SIDE}x{SIDE}, network at {seen}, 8-bit sRGB; "
        f"{len(found.gray)} gray at source left out"
    )
    for line in (DEFINITIONS, *([INTERVAL] if found.rows[0].psnr_interval else []), NOT_MEASURED):
        typer.echo(line)
    typer.echo("")
    print_rows(found)
    width = _width(found)
    print_missing({**contestants.missing, **found.failed}, width)
    _print_published(qualities_of([*loaded, *contestants.missing]))


def _width(found: Quality) -> int:
    return max(15, *(len(name) + 2 for name in (*(row.name for row in found.rows), *found.failed)))


def print_rows(found: Quality) -> None:
    """The rows under their headings."""
    width = _width(found)
    typer.echo(
        f"{'':<{width}}{'PSNR dB':>9}{'95 %':>16}{'median':>9}{'pooled':>9}"
        f"{'SSIM':>9}{'delta E':>9}{'colour':>9}{'off by':>9}"
    )
    for row in found.rows:
        interval = "" if row.psnr_interval is None else "{:.2f}..{:.2f}".format(*row.psnr_interval)
        typer.echo(
            f"{printable(row.name):<{width}}{row.psnr:>9.3f}{interval:>16}{row.psnr_median:>9.3f}{row.psnr_pooled:>9.3f}"
            f"{row.ssim:>9.4f}{row.delta_e:>9.2f}{row.colourfulness:>9.2f}{row.colourfulness_difference:>9.2f}"
        )


def _print_published(lines: list[PublishedQuality]) -> None:
    from colorcli.bench.published import MARK

    if not lines:
        return
    typer.echo(f"\n{MARK}")
    width = max(len(line.name) for line in lines) + 2
    for line in lines:
        ssim = "-" if line.ssim is None else f"{line.ssim:.4f}"
        typer.echo(f"{line.name:<{width}}{line.psnr:>9.3f}{ssim:>9}  {line.images}; {line.source}")
