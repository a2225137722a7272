"""What a training run is: a frozen dataclass, read from a recipe of differences, overridden from the command line."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorcli.errors import UsageError

_SEEDS = 2**32  # a run adds its steps to the seed, and the sum must fit into 64 bits


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the run at one picture size."""

    size: int  # side of the square crops, pixels, a multiple of 8
    share: float  # of the whole run, 0..1; the shares of a run add up to 1
    batch: int  # photos in a step, over all processes


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One run. The defaults train from scratch; a recipe holds only what differs."""

    method: str
    variant: str = "paper"
    steps: int = 0  # optimiser steps; 0: until `minutes` are over
    minutes: float = 0.0  # wall time of the run, over all its sittings; 0: until `steps` are done
    stages: tuple[Stage, ...] = (Stage(64, 0.55, 64), Stage(128, 0.35, 32), Stage(256, 0.10, 16))
    rate: float = 6e-4  # peak learning rate
    warmup: int = 200  # steps of linear warm-up
    schedule: str = "linear"  # after the warm-up: "linear" or "cosine" to zero, or "constant"
    optimizer: str = "adamw"  # "adamw", "adam" or "muon"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4  # of all but "adam", which has none, whatever stands here
    enlarge: float = 1.0  # how many times a photo may be enlarged where it is smaller than a stage's crops
    smallest_crop: float = 0.75  # share of a photo's side that a crop covers at least
    turn: float = 0.0  # degrees; crops are turned by up to this either way, what comes from outside is mirrored
    shear: float = 0.0  # degrees; rows and columns of crops are slanted by up to this either way
    clip: float = 1.0  # largest norm of the gradient; 0: not clipped
    ema: float = 0.999  # decay of the averaged weights that are validated and exported; 0: none
    freeze_norm: bool = False  # keep the batch norm statistics of `init`
    train_only: tuple[str, ...] = ()  # prefixes of the parameters to train; empty: all
    accumulate: int = 1  # slices of a process' part of a batch, in turn: less memory; batch norm sees each slice alone
    hold: str = "auto"  # decoded photos: in "memory", in a "file" in the run's folder, "auto": what memory is short of
    precision: str = "auto"  # "auto", "fp32" or "bf16" (autocast)
    backbone: str = "none"  # perceptual network of the losses that have one: a weights file, "torchvision" or "none"
    similarity: str = "none"  # network that finds like places, of methods with matches: a weights file or "none"
    saliency: str = "classical"  # detector of the salient loss: PFANet's weights file, or opencv's "classical"
    validate_minutes: float = 10.0
    checkpoint_minutes: float = 4.0
    validation_size: int = 0  # side at which validation photos are seen and the weights are used; 0: the last stage's
    validation_limit: int = 200  # photos; 0: all
    seed: int = 0
    network: Mapping[str, Any] = field(default_factory=dict)  # settings of the network, e.g. attention = "cbam"
    objective: Mapping[str, Any] = field(default_factory=dict)  # settings of the losses, e.g. delta = 1.0

    def __post_init__(self) -> None:
        if self.steps <= 0 and self.minutes <= 0:
            raise UsageError("a training run needs an end: set steps or minutes")
        if not self.stages or abs(sum(stage.share for stage in self.stages) - 1) > 1e-6:
            raise UsageError("the shares of the stages must add up to 1")
        for stage in self.stages:
            if stage.size < 16 or stage.size % 8 or stage.batch < 1 or not stage.share > 0:
                raise UsageError(
                    f"a stage needs a size that is a multiple of 8, a batch of at least 1, a share above 0: {stage}"
                )
        for name, choices in (
            ("schedule", ("linear", "cosine", "constant")),
            ("optimizer", ("adam", "adamw", "muon")),
            ("precision", ("auto", "fp32", "bf16")),
            ("hold", ("auto", "memory", "file")),
        ):
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        if self.accumulate < 1:
            raise UsageError(f"accumulate must be at least 1, not {self.accumulate}")
        if not 1 <= self.enlarge < math.inf:
            raise UsageError(f"enlarge must be 1 or more, not {self.enlarge}")
        if not 0 < self.smallest_crop <= 1:
            raise UsageError(f"smallest_crop must be above 0 and at most 1, not {self.smallest_crop}")
        for name, largest in (("turn", 180), ("shear", 30)):
            if not 0 <= getattr(self, name) <= largest:
                raise UsageError(f"{name} must be from 0 to {largest} degrees, not {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise UsageError(f"ema must be in [0, 1), not {self.ema}")
        if not 0 < self.rate < math.inf:
            raise UsageError(f"rate must be above 0, not {self.rate}")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UsageError(f"betas must be two numbers in [0, 1), not {self.betas}")
        if self.validation_size and (self.validation_size < 16 or self.validation_size % 8):
            raise UsageError(f"validation_size must be a multiple of 8, or 0, not {self.validation_size}")
        if not 0 <= self.seed < _SEEDS:
            raise UsageError(f"seed must be 0 or more and less than {_SEEDS}, not {self.seed}")
        not_negative = ("steps", "minutes", "clip", "warmup", "weight_decay", "validate_minutes", "checkpoint_minutes")
        for name in (*not_negative, "validation_limit"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be 0 or more, not {getattr(self, name)}")

    @property
    def used_at(self) -> int:
        """Side at which the trained weights are validated, and later used, pixels."""
        return self.validation_size or self.stages[-1].size

    def stage_at(self, progress: float) -> Stage:
        """The stage at this part of the run, 0..1."""
        reached = 0.0
        for stage in self.stages:
            reached += stage.share
            if progress < reached:
                return stage
        return self.stages[-1]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for logs and checkpoints."""
        return dataclasses.asdict(self)


def defaults() -> dict[str, str]:
    """Setting -> its default as JSON, of those that have one.

    What a setting does by default is what runs did before there was the setting; a resume relies on that.
    """
    found: dict[str, Any] = {}
    for item in dataclasses.fields(TrainConfig):
        if item.default is not dataclasses.MISSING:
            found[item.name] = item.default
        elif item.default_factory is not dataclasses.MISSING:
            found[item.name] = item.default_factory()
    return {name: json.dumps(value, default=dataclasses.asdict) for name, value in found.items()}


def _coerce(name: str, value: Any, kind: Any) -> Any:
    """A TOML or command-line value as the field's type, or UsageError."""
    origin = typing.get_origin(kind)
    try:
        if kind is bool:
            if isinstance(value, bool):
                return value
            return {"true": True, "false": False}[str(value).lower()]
        if kind in (int, float, str):
            if isinstance(value, bool) or (kind is int and isinstance(value, float) and not value.is_integer()):
                raise ValueError
            return kind(value)
        if origin is tuple:
            inner = typing.get_args(kind)[0]
            values = value.split(",") if isinstance(value, str) else value
            if inner is Stage:
                return tuple(_stage(entry) for entry in values)
            return tuple(inner(entry) for entry in values)
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{name} = {value!r} is not a {getattr(kind, '__name__', kind)}") from None
    return value


def _stage(entry: Any) -> Stage:
    if isinstance(entry, str):  # "128:0.5:32" on the command line
        size, share, batch = entry.split(":")
        return Stage(int(size), float(share), int(batch))
    unknown = set(entry) - {item.name for item in dataclasses.fields(Stage)}
    if unknown:
        raise UsageError(f"unknown key in a stage: {', '.join(sorted(unknown))}")
    return Stage(int(entry["size"]), float(entry["share"]), int(entry["batch"]))


def read_recipe(path: Path) -> dict[str, Any]:
    """A recipe's differences from the defaults. Unknown keys are refused when the config is built."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """`key=value` and `network.key=value` from the command line."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set takes key=value, not {assignment!r}")
        table, dot, inner = key.partition(".")
        if dot:
            settings = values.setdefault(table, {})
            if not isinstance(settings, dict):
                raise UsageError(f"--set {assignment}: {table} has the value {settings!r} already")
            settings[inner] = _number_or_text(value)
        else:
            values[key] = value
    return values


def _number_or_text(value: str) -> Any:
    if "," in value:
        return tuple(_number_or_text(part) for part in value.split(","))
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def build_config(method: str, *layers: Mapping[str, Any]) -> TrainConfig:
    """Defaults, then each layer over the one before (recipe, then command line). Unknown keys raise UsageError."""
    kinds = typing.get_type_hints(TrainConfig)
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if key not in kinds or key == "method":
                raise UsageError(f"unknown training setting {key!r}; there are: {', '.join(sorted(kinds))}")
            if key in ("network", "objective"):
                if not isinstance(value, Mapping):
                    raise UsageError(f"{key} is a table of settings, {key}.NAME = ..., not {value!r}")
                merged[key] = {**merged.get(key, {}), **value}
            else:
                merged[key] = _coerce(key, value, kinds[key])
    return TrainConfig(method=method, **merged)
