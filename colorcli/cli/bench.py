"""`colorize bench`: figures that anyone can reproduce."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colorcli.cli import options
from colorcli.cli.console import printable, reports_errors, say
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.bench.pairs import Likeness
    from colorcli.bench.setting import Setting
    from colorcli.loader import LoadedMethod

_QUALITY, _SPEED = "quality", "speed"


@reports_errors
def bench(
    what: Annotated[str, typer.Argument(help="quality or speed.", metavar="[quality|speed]")] = _QUALITY,
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
    method: options.Method = "smsanet",
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: Annotated[
        int,
        typer.Option("--size", help="Side of the network's input, pixels. 0: as trained; of speed 256, 512, 1024."),
    ] = 0,
    transform: options.Transform = None,
    limit: Annotated[
        int, typer.Option("--limit", help="Photos or pairs at most. 0: all; of speed 16 photos on a CPU, else 256.")
    ] = 0,
    as_json: options.AsJson = False,
    verbose: options.Verbose = 0,
) -> None:
    """Measure the quality or the speed of a method.

    Quality is measured by the papers' protocols, beside gray and flat tint; speed for the network alone and from file
    to file.
    """
    del verbose  # read by reports_errors
    from colorcli.devices import choose_device, choose_precision
    from colorcli.loader import choices_of, load_method
    from colorcli.methods.registry import METHODS

    if what not in (_QUALITY, _SPEED):
        raise UsageError(f"bench measures {_QUALITY} or {_SPEED}, not {what!r}")
    if what == _SPEED and (data is not None or pairs is not None):
        raise UsageError("bench speed takes neither --data nor --pairs: its photographs are scikit-image's")
    if data is not None and pairs is not None:
        raise UsageError("--data and --pairs are two protocols; choose one")
    spec = METHODS[method]
    if pairs is not None and not spec.needs_reference:
        able = ", ".join(other.name for other in METHODS if other.needs_reference)
        raise UsageError(f"{spec.name} takes no reference; --pairs is for -m {able}")
    if size % spec.multiple or size < 0 or limit < 0:
        raise UsageError(f"--size must be a multiple of {spec.multiple}, --limit 0 or more")
    choices = choices_of(spec, {"transform": transform})
    processor = choose_device(device)
    dtype = choose_precision(precision, processor, spec.half)
    loaded = load_method(method, weights=weights, device=processor, dtype=dtype, choices=choices)
    if what == _SPEED:
        _speed(loaded, weights or [], size, limit, as_json)
    elif pairs is not None:
        _pairs(loaded, pairs, size, limit, as_json)
    else:
        _quality(loaded, data, size, limit, as_json)


def _quality(loaded: LoadedMethod, data: Path | None, size: int, limit: int, as_json: bool) -> None:
    from colorcli.bench.quality import SIDE, measure, protocol
    from colorcli.bench.setting import setting_of

    setting = setting_of(loaded)
    rows, gray = measure(loaded, data, size=size, limit=limit)
    seen, given = size or loaded.size, protocol(loaded.spec)
    if as_json:
        figures = {"protocol": given, "side": SIDE, "size": seen, "gray at source": gray, "rows": [*map(asdict, rows)]}
        _tell({**asdict(setting), **figures})
        return
    typer.echo(f"protocol: {given}")
    _print_setting(setting)
    typer.echo(
        f"{rows[0].photos} photos at {SIDE}x{SIDE}, network at {seen} px, 8-bit sRGB; "
        f"{len(gray)} gray at source left out"
    )
    typer.echo(f"{'':<15}{'PSNR dB':>9}{'median':>9}{'pooled':>9}{'SSIM':>9}{'colourfulness':>15}")
    for row in rows:
        typer.echo(
            f"{row.name:<15}{row.psnr:>9.3f}{row.psnr_median:>9.3f}{row.psnr_pooled:>9.3f}{row.ssim:>9.4f}{row.colourfulness:>15.2f}"
        )


def _pairs(loaded: LoadedMethod, file: Path, size: int, limit: int, as_json: bool) -> None:
    from colorcli.bench.pairs import SIDE, compare, read_pairs
    from colorcli.bench.setting import setting_of
    from colorcli.metrics.histogram import BIN

    setting = setting_of(loaded)
    pairs = read_pairs(file, limit)
    compared = compare(loaded, pairs, size=size)
    given = "exemplar, given pairs (every target after every reference)"
    targets, references = ([one.name for one in files] for files in (pairs.targets, pairs.references))
    if as_json:
        _tell(
            {
                **asdict(setting),
                "protocol": given,
                "similarity": f"intersection of ab histograms, bins of {BIN} units",
                "side": SIDE,
                "size": size or loaded.size,
                "targets": targets,
                "references": references,
                "pairs": [[targets[target], references[reference]] for target, reference in pairs.own],
                "rows": [*map(asdict, compared.rows)],
                "matrix": compared.matrix.tolist(),  # pairs x references, of each pair's result
                "given": compared.given.tolist(),  # targets x references, to the reference that was given
                "ranks": compared.ranks.tolist(),  # targets x references, of that one among all
            }
        )
        return
    typer.echo(f"protocol: {given}")
    _print_setting(setting)
    typer.echo(
        f"{len(pairs.own)} pairs of {len(targets)} targets and {len(references)} references, about {SIDE}x{SIDE} px, "
        f"network at {size or loaded.size} px"
    )
    typer.echo(
        f"similarity: intersection of ab histograms, bins of {BIN} units, 0..1; rank 1 is best, "
        f"{(len(references) + 1) / 2:g} is chance"
    )
    for title, part in (
        ("each target after its own reference", [row.own for row in compared.rows]),
        ("every target after every reference", [row.every for row in compared.rows]),
    ):
        _print_likeness(title, [row.name for row in compared.rows], part)


def _print_likeness(title: str, names: list[str], rows: list[Likeness]) -> None:
    typer.echo(f"\n{title}")
    typer.echo(f"{'':<12}{'the given':>10}{'the others':>12}{'mean rank':>11}{'first':>12}")
    for name, row in zip(names, rows, strict=True):
        first = f"{row.first} of {row.results}"
        typer.echo(f"{name:<12}{row.given:>10.4f}{row.others:>12.4f}{row.rank:>11.2f}{first:>12}")


def _speed(loaded: LoadedMethod, weights: list[Path], size: int, limit: int, as_json: bool) -> None:
    from colorcli.bench.speed import SIDES, measure_speed

    table = measure_speed(loaded, weights, (size,) if size else SIDES, limit, say)
    if as_json:
        figures = asdict(table)
        _tell({**figures.pop("setting"), **figures})
        return
    engine = table.engine
    _print_setting(table.setting)
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


def _print_setting(setting: Setting) -> None:
    typer.echo(printable(setting.line()))


def _tell(answer: dict[str, Any]) -> None:
    typer.echo(json.dumps(_finite(answer), allow_nan=False))


def _finite(value: Any) -> Any:
    """JSON knows neither the truth's infinite PSNR nor its median: null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
