"""Options that mean the same in several tables, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.bench.contestants import Asked, Contestants

Methods = Annotated[
    str,
    typer.Option("-m", "--method", "--methods", help="One, several with commas between, or all.", metavar="A,B,..."),
]
Weights = Annotated[
    list[Path] | None,
    typer.Option(
        "--weights", help="A weights file instead of a shipped one; repeatable, for methods and parts.", dir_okay=False
    ),
]
Csv = Annotated[
    Path | None, typer.Option("--csv", help="Also write the rows into this file, with every digit.", dir_okay=False)
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Also write a page for a browser: tables and plots.", metavar="FILE.html"),
]
Baseline = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        help="An earlier --json output: what became better or worse; exit 5 where something did become worse.",
        exists=True,
        dir_okay=False,
    ),
]
Tolerance = Annotated[
    list[str] | None,
    typer.Option(
        "--tolerance",
        help="NAME=NUMBER, a loss that --baseline forgives; repeatable. "
        "[default: psnr=0.05 psnr_pooled=0.05 ssim=0.001 delta_e=0.1 colourfulness_difference=0.5; "
        "seconds=0.25 photos_per_second=0.25, as shares]",
        metavar="NAME=NUMBER",
    ),
]


def asked(
    methods: str,
    weights: Sequence[Path] | None,
    device: str,
    precision: str,
    *,
    transform: str | None = None,
    size: int = 0,
    limit: int = 0,
) -> Asked:
    """What is to be measured. Errors: UsageError for a method that there is not and a limit below 0."""
    from colorcli.bench.contestants import Asked, named

    if limit < 0:
        raise UsageError(f"--limit must be 0 or more, not {limit}")
    return Asked(named(methods), weights or (), device, precision, size, {"transform": transform})


def entered(request: Asked) -> Contestants:
    """The methods, loaded. Of one alone the error is the weights' own; of several each missing one is said."""
    from colorcli.bench.contestants import enter
    from colorcli.cli.console import say

    contestants = enter(request)
    for name, reason in contestants.missing.items():
        say(f"{name} is left out: {reason}")
    return contestants
