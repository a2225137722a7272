"""`colorize bench quality --pairs`, and with `--references`: does a reference's colour arrive?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from colorcli.cli.bench.answers import Asks, print_setting
from colorcli.cli.bench.options import entered
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.bench.contestants import Asked
    from colorcli.bench.pairs import Comparison, Likeness, Pairs
    from colorcli.loader import LoadedMethod

_GIVEN = "exemplar, given pairs (every target after every reference)"


def measure_pairs(
    request: Asked, table: Path | None, data: Path | None, references: Path | None, limit: int, asks: Asks
) -> None:
    """Measure one method on the pairs of a CSV table, or on those of two folders; print and answer.

    Errors: UsageError for several methods, for one that takes no reference and for a baseline, and those of the pairs.
    """
    from colorcli.bench.pairs import compare, matched_pairs, read_pairs
    from colorcli.methods.registry import METHODS

    (name, *others) = request.methods
    if others:
        raise UsageError("pairs are measured with one method at a time; name one with -m")
    if not METHODS[name].needs_reference:
        able = ", ".join(other.name for other in METHODS if other.needs_reference)
        raise UsageError(f"{name} takes no reference; --pairs and --references are for -m {able}")
    if asks.baseline is not None:
        raise UsageError("--baseline is for photos and for speed: the similarities of pairs have no limit of a loss")
    asks.check()
    pairs = read_pairs(table, limit) if table is not None else matched_pairs(str(data), str(references), limit)
    loaded = entered(request).loaded[name]
    compared = compare(loaded, pairs, size=request.size)
    if not asks.as_json:
        _print(loaded, pairs, compared, request.size or loaded.size)
    lines = [
        {"name": row.name, **{f"{part}_{key}": value for key, value in asdict(likeness).items()}}
        for row in compared.rows
        for part, likeness in (("own", row.own), ("every", row.every))
    ]
    asks.answer(_record(loaded, pairs, compared, request.size or loaded.size), lines)


def _record(loaded: LoadedMethod, pairs: Pairs, compared: Comparison, size: int) -> dict[str, object]:
    from colorcli.bench.pairs import SIDE
    from colorcli.bench.setting import setting_of
    from colorcli.metrics.histogram import BIN

    targets, references = ([one.name for one in files] for files in (pairs.targets, pairs.references))
    return {
        "bench": "pairs",
        **asdict(setting_of(loaded)),
        "protocol": _GIVEN,
        "similarity": f"intersection of ab histograms, bins of {BIN} units",
        "side": SIDE,
        "size": size,
        "targets": targets,
        "references": references,
        "pairs": [[targets[target], references[reference]] for target, reference in pairs.own],
        "rows": [*map(asdict, compared.rows)],
        "matrix": compared.matrix.tolist(),  # pairs x references, of each pair's result
        "given": compared.given.tolist(),  # targets x references, to the reference that was given
        "ranks": compared.ranks.tolist(),  # targets x references, of that one among all
    }


def _print(loaded: LoadedMethod, pairs: Pairs, compared: Comparison, size: int) -> None:
    from colorcli.bench.pairs import SIDE
    from colorcli.bench.setting import setting_of
    from colorcli.metrics.histogram import BIN

    typer.echo(f"protocol: {_GIVEN}")
    print_setting(setting_of(loaded))
    references = len(pairs.references)
    typer.echo(
        f"{len(pairs.own)} pairs of {len(pairs.targets)} targets and {references} references, about {SIDE}x{SIDE} px, "
        f"network at {size} px"
    )
    typer.echo(
        f"similarity: intersection of ab histograms, bins of {BIN} units, 0..1; rank 1 is best, "
        f"{(references + 1) / 2:g} is chance"
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
