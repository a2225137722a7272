"""`colorize weights`: the files that the networks need."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from colorcli.cli import options
from colorcli.cli.console import printable, reports_errors, say
from colorcli.errors import WeightsError

app = typer.Typer(help="List, find, verify and export weights.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
@reports_errors
def list_(as_json: options.AsJson = False) -> None:
    """List the shipped weights."""
    from colorcli.checkpoints import store
    from colorcli.checkpoints.manifest import read_manifest

    for entry in read_manifest(store.shipped_folder("weights") / store.MANIFEST):
        present = store.path_of(entry).is_file()
        if as_json:
            typer.echo(json.dumps({**asdict(entry), "present": present}))
        else:
            state = f"{entry.bytes / 2**20:.1f} MiB" if present else "MISSING"
            typer.echo(f"{entry.file}  {entry.method} {entry.variant}  {state}  {entry.licence}\n    {entry.source}")


@app.command("path")
@reports_errors
def path(method: Annotated[str, typer.Argument(help="See `colorize methods`; or METHOD-PART.")]) -> None:
    """Print where a method's weights lie; of a method of several parts a line for each."""
    from colorcli.checkpoints import store
    from colorcli.methods.registry import networks_of

    for entry in [store.find(network.name) for network in networks_of(method)]:
        typer.echo(printable(str(store.path_of(entry))))


@app.command("verify")
@reports_errors
def verify(quiet: options.Quiet = False) -> None:
    """Check size and sha256 of every shipped file; exit 4 if one is missing or damaged, or none is listed."""
    from colorcli.checkpoints import store

    damaged = False
    for entry in store.shipped():
        try:
            store.verify(entry)
        except WeightsError as error:
            damaged = True
            say(f"colorize: {error}")
            continue
        if not quiet:
            typer.echo(f"{entry.file}: whole")
    if damaged:
        raise typer.Exit(WeightsError.exit_code)


@app.command("export")
@reports_errors
def export(
    run: Annotated[Path, typer.Argument(help="A training run's folder, or its weights file.", exists=True)],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of weights with a manifest.toml.")],
) -> None:
    """Put a finished run's weights into a folder as METHOD[-PART]-VARIANT.safetensors, and into its manifest."""
    from colorcli.train.export import publish

    entry = publish(run, out)
    typer.echo(f"{out / entry.file}  {entry.bytes / 2**20:.1f} MiB  sha256 {entry.sha256}")


@app.command("import")
@reports_errors
def import_(
    method: Annotated[str, typer.Argument(help="See `colorize methods`.")],
    file: Annotated[Path, typer.Argument(help="The published checkpoint, a PyTorch file.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The new weights file. [default: METHOD-published.safetensors]")
    ] = None,
    licence: Annotated[str, typer.Option("--licence", help="Of the published weights.")] = "as published",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Turn a published checkpoint into a weights file for --weights. Nothing in it is executed."""
    from colorcli.loader import import_published

    target = out or Path(f"{method}-published.safetensors")
    import_published(method, file, target, licence, overwrite=overwrite)
    typer.echo(printable(str(target)))
