"""`colorize methods`: what there is."""

from __future__ import annotations

import json
from typing import Any

import typer

from colorcli.cli import options
from colorcli.cli.console import reports_errors


@reports_errors
def methods(as_json: options.AsJson = False) -> None:
    """List the methods: task, paper, licence, and whether trained weights are here."""
    from colorcli.checkpoints import store
    from colorcli.checkpoints.manifest import read_manifest
    from colorcli.methods.registry import METHODS, networks_of

    shipped = read_manifest(store.shipped_folder("weights") / store.MANIFEST)
    rows: list[dict[str, Any]] = []
    for spec in METHODS:
        networks = networks_of(spec.name)
        names = {network.name for network in networks}
        files = [entry for entry in shipped if entry.method in names and store.path_of(entry).is_file()]
        rows.append(
            {
                "name": spec.name,
                "title": spec.title,
                "task": spec.task,
                "paper": spec.paper,
                "year": spec.year,
                "licence": spec.licence,
                "variants": list(spec.variants),
                "size": spec.size,
                "trainable": all(network.objective for network in networks),
                "takes_hints": spec.takes_hints,
                "takes_segments": spec.takes_segments,
                "parts": list(spec.parts),
                "weights": [{"file": entry.file, "variant": entry.variant, "bytes": entry.bytes} for entry in files],
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("method", "task", "paper", "licence", "weights"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        held = ", ".join(
            f"{f['file'] if row['parts'] else f['variant']} {f['bytes'] / 2**20:.1f} MiB" for f in row["weights"]
        )
        table.add_row(row["name"], row["task"], f"{row['paper']} {row['year']}", row["licence"], held or "none")
    Console().print(table)
