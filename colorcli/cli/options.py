"""Options that mean the same in every command, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Method = Annotated[str, typer.Option("-m", "--method", help="See `colorize methods`.")]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="A weights file instead of the shipped one.", dir_okay=False)
]
Device = Annotated[str, typer.Option("-d", "--device", help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option("--precision", help="auto, fp32, bf16 or fp16.")]
Size = Annotated[int, typer.Option("--size", help="Side of the network's input, pixels. 0: as trained.")]
Seed = Annotated[int, typer.Option("--seed", help="Start of everything random.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable results on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but failures.")]
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more; -vv shows tracebacks.")]
