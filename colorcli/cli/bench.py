"""`colorize bench`: figures that anyone can reproduce."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from colorcli.cli import options
from colorcli.cli.console import reports_errors


@reports_errors
def bench(
    what: Annotated[str, typer.Argument(help="quality", metavar="[quality]")] = "quality",
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of colour photos. Without: those of scikit-image's wheel.", exists=True),
    ] = None,
    method: options.Method = "smsanet",
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: options.Size = 0,
    limit: Annotated[int, typer.Option("--limit", help="Photos at most. 0: all.")] = 0,
    as_json: options.AsJson = False,
    verbose: options.Verbose = 0,
) -> None:
    """Measure the quality of a method by the papers' protocol, beside gray and flat tint."""
    del verbose  # read by reports_errors
    from colorcli.bench.quality import SIDE, measure
    from colorcli.devices import choose_device, choose_precision
    from colorcli.errors import UsageError
    from colorcli.loader import load_method
    from colorcli.methods.registry import METHODS

    if what != "quality":
        raise UsageError(f"bench measures quality, not {what!r}")
    if size % 8 or size < 0 or limit < 0:
        raise UsageError("--size must be a multiple of 8, --limit 0 or more")
    spec = METHODS[method]
    if spec.needs_reference:
        raise UsageError(f"bench quality measures methods that need no reference; {spec.name} needs one")
    processor = choose_device(device)
    dtype = choose_precision(precision, processor, spec.half)
    loaded = load_method(method, weights=weights, device=processor, dtype=dtype)
    rows, gray = measure(loaded, data, size=size, limit=limit)
    if as_json:
        finite = [
            {
                key: None if isinstance(value, float) and not math.isfinite(value) else value
                for key, value in row.items()
            }
            for row in map(asdict, rows)
        ]  # JSON knows neither the truth's infinite PSNR nor its median
        answer = {"side": SIDE, "size": size or loaded.size, "gray at source": gray, "rows": finite}
        typer.echo(json.dumps(answer, allow_nan=False))
        return
    typer.echo(
        f"{rows[0].photos} photos at {SIDE}x{SIDE}, network at {size or loaded.size} px, 8-bit sRGB; "
        f"{len(gray)} gray at source left out"
    )
    typer.echo(f"{'':<12}{'PSNR dB':>9}{'median':>9}{'pooled':>9}{'SSIM':>9}{'colourfulness':>15}")
    for row in rows:
        typer.echo(
            f"{row.name:<12}{row.psnr:>9.3f}{row.psnr_median:>9.3f}{row.psnr_pooled:>9.3f}{row.ssim:>9.4f}{row.colourfulness:>15.2f}"
        )
