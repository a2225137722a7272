"""From what a person asked for to a finished training run."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from colorcli.checkpoints.load import read_checkpoint
from colorcli.checkpoints.store import shipped_folder
from colorcli.devices import choose_device
from colorcli.errors import UsageError, WeightsError
from colorcli.media.samples import PHOTOGRAPHS, photograph
from colorcli.methods.registry import METHODS
from colorcli.train.config import build_config, read_recipe
from colorcli.train.data import read_photos
from colorcli.train.export import export_network
from colorcli.train.loop import Report, Run

_DEMONSTRATION = {"minutes": 2.0, "stages": "64:1:8", "warmup": 20, "validate_minutes": 1.0, "validation_size": 64}


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What a person asked for."""

    method: str
    data: tuple[Path, ...]  # folders and shards; empty: the demonstration photographs
    out: Path  # the run's folder
    recipe: str | None  # a file, or the name of a recipe shipped under training/METHOD/
    init: Path | None  # weights to start from
    resume: bool
    device: str
    overrides: Mapping[str, Any]  # settings from the command line


def run_training(request: TrainRequest, report: Report) -> Path:
    """Train from start, from weights or from a checkpoint; export. Returns the weights file.

    Errors: UsageError for a request that cannot be carried out, ColorizeError where the run cannot go on.
    """
    spec = METHODS[request.method]
    spec.load("objective")
    demonstration = not request.data
    layers: list[Mapping[str, Any]] = [{"variant": "compact", **_DEMONSTRATION}] if demonstration else []
    if request.recipe:
        layers.append(read_recipe(_find_recipe(request.method, request.recipe)))
    elif not demonstration:
        layers.append(read_recipe(_find_recipe(request.method, "default")))
    config = build_config(request.method, *layers, request.overrides)
    request.out.mkdir(parents=True, exist_ok=True)
    state = request.out / "state.pt"
    if state.exists() and not request.resume:
        raise UsageError(f"{request.out} holds a run already: --resume goes on with it, -o OTHER starts another")
    side = max(stage.size for stage in config.stages)
    with tempfile.TemporaryDirectory() as scratch:
        sources = request.data or (_demonstration_photos(Path(scratch)),)
        if demonstration:
            report(_note("no DATA was given: a short demonstration on photographs of scikit-image's wheel"))
        report(_note("reading the photos"))
        photos = read_photos(sources, side, workers=os.cpu_count() or 1)
    for damaged in photos.damaged:
        report(_note(f"damaged and left out: {damaged}"))
    run = Run(config, photos, request.out, choose_device(request.device), report)
    report(_note(f"{len(photos.train)} photos to train on, {len(photos.validation)} held out"))
    if request.resume:
        run.resume()
    elif request.init:
        run.start_from(_read_init(request.init), request.init.name)
    run.train()
    final = run.validate(limit=len(photos.validation)) if photos.validation else {}
    if final:
        run.log({"event": "final", **final})
    description = {
        "method": spec.name,
        "variant": config.variant,
        "network": {key: list(value) if isinstance(value, tuple) else value for key, value in run.settings.items()},
        "size": config.validation_size,
        "gain": final.get("gain", 1.0),
        "licence": spec.licence,
        "source": f"colorize train {spec.name}: {run.images} crops, {run.minutes:.0f} minutes on "
        f"{_hardware(run.device)}, from {run.started_from}",
        "validation": final,
        "config": {key: str(value) for key, value in config.as_dict().items()},
    }
    return export_network(request.out, run.final_network(), description)


def _note(text: str) -> dict[str, Any]:
    return {"step": 0, "images": 0, "minutes": 0.0, "event": "note", "text": text}


def _find_recipe(method: str, name: str) -> Path:
    path = Path(name)
    if path.suffix == ".toml":
        return path
    folder = shipped_folder("training") / method
    shipped = folder / f"{name}.toml"
    if not shipped.is_file():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
        raise UsageError(f"no recipe {name!r} is shipped for {method}; there are: {there}; a file ends in .toml")
    return shipped


def _read_init(path: Path) -> dict[str, Tensor]:
    """Tensors of our own weights file, or of any other safetensors file with the network's names."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return read_checkpoint(path).tensors
    except WeightsError:
        try:
            return {name: value.float() for name, value in load_file(path).items()}
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"cannot start from {path}: {error}") from None


def _demonstration_photos(folder: Path) -> Path:
    """The wheel's colour photographs as PNG files in `folder`."""
    for name in PHOTOGRAPHS:
        Image.fromarray(photograph(name)).save(folder / f"{name}.png")
    return folder


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} cores ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"
