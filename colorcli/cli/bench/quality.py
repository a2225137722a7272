"""`colorize bench quality`: photos by the papers' protocol, or pairs with a reference."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.cli import options
from colorcli.cli.bench.answers import print_setting, tell
from colorcli.cli.bench.options import load
from colorcli.cli.console import reports_errors
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.bench.pairs import Likeness
    from colorcli.loader import LoadedMethod


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
    method: options.Method = "smsanet",
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: options.Size = 0,
    transform: options.Transform = None,
    limit: Annotated[int, typer.Option("--limit", help="Photos or pairs at most. 0: all.")] = 0,
    as_json: options.AsJson = False,
    verbose: options.Verbose = 0,
) -> None:
    """Measure quality by the papers' protocols, beside gray and flat tint."""
    del verbose  # read by reports_errors
    from colorcli.methods.registry import METHODS

    if data is not None and pairs is not None:
        raise UsageError("--data and --pairs are two protocols; choose one")
    spec = METHODS[method]
    if pairs is not None and not spec.needs_reference:
        able = ", ".join(other.name for other in METHODS if other.needs_reference)
        raise UsageError(f"{spec.name} takes no reference; --pairs is for -m {able}")
    loaded = load(method, weights, device, precision, transform=transform, size=size, limit=limit)
    if pairs is not None:
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
        tell({**asdict(setting), **figures})
        return
    typer.echo(f"protocol: {given}")
    print_setting(setting)
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
        tell(
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
    print_setting(setting)
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
