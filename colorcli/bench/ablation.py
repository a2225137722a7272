"""Finished training runs side by side: what each was, and what it came to on the same photos."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from colorcli.bench.quality import Quality
from colorcli.bench.record import Values, quality_lines, quality_record
from colorcli.checkpoints.load import read_checkpoint
from colorcli.devices import choose_device, choose_precision
from colorcli.errors import UsageError, WeightsError
from colorcli.loader import LoadedMethod, load_method
from colorcli.methods.registry import METHODS, PARTS
from colorcli.train.config import TrainConfig
from colorcli.train.export import EXPORTED
from colorcli.train.log import read_log

_TOLD = ("method", "minutes")  # settings that have columns of their own
_TABLES = ("network", "objective")  # settings that are tables of settings
_DEFAULTS = {item.name: str(item.default) for item in fields(TrainConfig) if item.default is not MISSING}
_START = ", from "  # before what a run started from, in its weights' `source`


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A finished run and what is recorded of it."""

    name: str  # of its folder; the path where two are called alike
    loaded: LoadedMethod
    settings: dict[str, str]  # of the network, the losses and the training, and what it started from
    minutes: float | None  # of training, by its log; None: there is none
    images: int | None  # seen, by its log


def read_runs(places: Sequence[Path], device: str = "auto", precision: str = "auto") -> list[TrainedRun]:
    """Load the exported weights of runs: folders of `colorize train`, or weights files alone.

    Errors: UsageError for a place named twice and for a network that colours nothing; WeightsError where a run has
    exported nothing, or what is no weights file.
    """
    if len({place.resolve() for place in places}) < len(places):
        raise UsageError("a run is named twice; name each once")
    names = [place.name for place in places]
    processor = choose_device(device)
    runs = []
    for place, name in zip(places, names, strict=True):
        file = place / EXPORTED if place.is_dir() else place
        if not file.is_file():
            raise WeightsError(f"{place} has no {EXPORTED}: it is no finished run; end it, or leave it out")
        description = read_checkpoint(file).description
        method = str(description.get("method"))
        spec = next((registry[method] for registry in (METHODS, PARTS) if method in registry), None)
        if spec is None or spec.sees_color:
            raise UsageError(f"{place} is a run of {method}, which colours no gray photo; leave it out")
        dtype = choose_precision(precision, processor, spec.half)
        loaded = load_method(method, weights=file, device=processor, dtype=dtype)
        log = read_log(place) if place.is_dir() else []
        minutes, images = (log[-1]["minutes"], log[-1]["images"]) if log else (None, None)
        told = name if names.count(name) == 1 else str(place)
        runs.append(TrainedRun(told, loaded, _settings(description), minutes, images))
    return runs


def _settings(description: Mapping[str, Any]) -> dict[str, str]:
    """Flat: `objective.delta`, `network.attention`, `rate`, ..."""
    config = dict(description.get("config", {}))
    tables = {"objective": _table(config.get("objective", "{}")), "network": description.get("network", {})}
    flat = {key: str(value) for key, value in config.items() if key not in (*_TOLD, *_TABLES)}
    for name, table in tables.items():
        flat |= {f"{name}.{key}": str(value) for key, value in table.items()}
    _, given, start = str(description.get("source", "")).rpartition(_START)
    return {**flat, "from": start} if given else flat


def _table(text: str) -> dict[str, Any]:
    """A table as the description has it, which keeps every setting as text."""
    try:
        table = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return {"all": text}
    return table if isinstance(table, dict) else {"all": text}


def differing(runs: Sequence[TrainedRun]) -> dict[str, dict[str, str]]:
    """Run -> the settings that not all runs share, with its own values.

    A setting of training that is younger than a run did then what it does now by default; any other that a run has not
    is `default`.
    """
    keys = sorted({key for run in runs for key in run.settings})
    values = {key: [run.settings.get(key, _DEFAULTS.get(key, "default")) for run in runs] for key in keys}
    apart = [key for key in keys if len(set(values[key])) > 1]
    return {run.name: {key: values[key][place] for key in apart} for place, run in enumerate(runs)}


def ablation_record(found: Quality, runs: Sequence[TrainedRun], size: int) -> Values:
    """The record of the photos' table, and under `runs` what each run was."""
    apart = differing(runs)
    record = quality_record(found, {run.name: run.loaded for run in runs}, {}, size)
    record["runs"] = {
        run.name: {
            "method": run.loaded.spec.name,
            "minutes": run.minutes,
            "images": run.images,
            "differs": apart[run.name],
            "settings": run.settings,
        }
        for run in runs
    }
    return record


def ablation_lines(found: Quality, runs: Sequence[TrainedRun]) -> list[Values]:
    """A line for each row, with a run's minutes, images and what differs."""
    apart, by_name = differing(runs), {run.name: run for run in runs}
    lines = []
    for line in quality_lines(found):
        run = by_name.get(line["name"])
        told = {} if run is None else {"method": run.loaded.spec.name, "minutes": run.minutes, "images": run.images}
        lines.append({**line, **told, **apart.get(line["name"], {})})
    return lines
