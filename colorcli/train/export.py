"""From a training run to a weights file and its line in the manifest."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from colorcli.checkpoints.load import read_checkpoint, write_checkpoint
from colorcli.checkpoints.manifest import Entry, read_manifest, write_manifest
from colorcli.checkpoints.store import MANIFEST
from colorcli.errors import WeightsError
from colorcli.media.places import sha256_of, whole_files

EXPORTED = "weights.safetensors"  # in a run's folder


def export_network(folder: Path, network: nn.Module, description: Mapping[str, Any]) -> Path:
    """Write a trained network into its run's folder. Returns the file."""
    path = folder / EXPORTED
    write_checkpoint(path, network, description)
    return path


def publish(run: Path, weights: Path) -> Entry:
    """Copy a run's exported weights into a weights folder as METHOD-VARIANT.safetensors and note them in its manifest.

    run: the run's folder or the file itself. Errors: WeightsError if there is nothing exported.
    """
    source = run / EXPORTED if run.is_dir() else run
    description = read_checkpoint(source).description
    try:
        name = f"{description['method']}-{description['variant']}.safetensors"
        licence, origin = description["licence"], description["source"]
    except KeyError as error:
        raise WeightsError(f"{source} does not say its {error.args[0]}") from None
    weights.mkdir(parents=True, exist_ok=True)
    target = weights / name
    with whole_files(target) as (part,):
        shutil.copyfile(source, part)
    entry = Entry(
        file=name,
        method=description["method"],
        variant=description["variant"],
        sha256=sha256_of(target),
        bytes=target.stat().st_size,
        licence=licence,
        source=origin,
    )
    manifest = weights / MANIFEST
    others = [other for other in (read_manifest(manifest) if manifest.exists() else ()) if other.file != name]
    write_manifest(manifest, [*others, entry])
    return entry
