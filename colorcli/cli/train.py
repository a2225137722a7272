"""`colorize train`: a method's network from photographs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from colorcli.cli import options
from colorcli.cli.console import resumes
from colorcli.cli.training_view import TrainingView


@resumes("with --resume the same command goes on where it stopped")
def train(
    method: Annotated[str, typer.Argument(help="See `colorize methods`; also backbone and pfanet.", metavar="METHOD")],
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders, tar shards or URLs (fsspec). Without: $COLORIZE_DATA, else a demonstration.",
            metavar="DATA",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", help="Which of a method's networks, where it has several; each is trained alone."),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The run's folder.")] = Path("runs/latest"),
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="A TOML file, or the name of a shipped recipe (`published`).")
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", help="paper or compact; backbone has more, such as resnet34.")
    ] = None,
    init: Annotated[Path | None, typer.Option("--init", help="Weights to start from (safetensors).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    steps: Annotated[int | None, typer.Option("--steps", help="Optimiser steps in all.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Wall time in all, over every sitting.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, network.key=value, objective.key=value.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option("--backbone", help="Perceptual network: weights file, torchvision or none.")
    ] = None,
    device: options.Device = "auto",
    seed: Annotated[int | None, typer.Option("--seed", help="Start of everything random.")] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """Train a method. The run's folder keeps checkpoints, a log of JSON lines and the exported weights."""
    del verbose  # read by resumes
    from colorcli.methods.registry import part_of
    from colorcli.train.config import parse_assignments
    from colorcli.train.heap import keep_freed_memory
    from colorcli.train.session import TrainRequest, run_training

    given: dict[str, Any] = {"variant": variant, "steps": steps, "minutes": minutes, "seed": seed, "backbone": backbone}
    overrides = {key: value for key, value in given.items() if value is not None}
    if steps is not None and minutes is None:
        overrides["minutes"] = 0.0  # the recipe's would end the run as well
    overrides |= parse_assignments(assignments or [])
    sources = data or _split(os.environ.get("COLORIZE_DATA", ""))
    leads = os.environ.get("RANK", "0") == "0"  # under torchrun the first process alone speaks
    name = method if part is None else part_of(method, part).name
    request = TrainRequest(name, tuple(sources), out, recipe, init, resume, device, overrides)

    keep_freed_memory()
    view = None if quiet or as_json or not leads else TrainingView()

    def report(entry: dict[str, Any]) -> None:
        if as_json:
            typer.echo(json.dumps(entry))
        elif view is not None:
            view.show(entry)

    try:
        weights = run_training(request, report)
    finally:
        if view is not None:
            view.close()
    if leads:
        typer.echo(json.dumps({"event": "weights", "path": str(weights)}) if as_json else weights)


def _split(paths: str) -> list[str]:
    """A list of paths and URLs as $PATH has them; the colon of a URL is none of its colons."""
    return [path for path in re.split(f"{os.pathsep}(?!//)", paths) if path]
