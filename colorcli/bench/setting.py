"""What measured: the method, its weights, and what they ran on. Every table and every JSON answer says it."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import torch

from colorcli import __version__
from colorcli.devices import PRECISIONS, describe
from colorcli.loader import LoadedMethod
from colorcli.methods.registry import find

_NAMES = {dtype: name for name, dtype in PRECISIONS.items()}
_DIGITS = 12  # of the sha256 that a person is shown


@dataclass(frozen=True, slots=True)
class Setting:
    """The keys that the JSON of every table has."""

    method: str
    variant: str | None  # None: the weights do not say
    weights: str  # sha256; of several parts, with commas between
    device: str
    precision: str  # "fp32", "bf16" or "fp16"
    chosen: dict[str, str]  # of what the method lets a person choose
    versions: dict[str, str]  # of colorize, torch and python

    def line(self) -> str:
        """The same for the head of a table."""
        title = " ".join(filter(None, (find(self.method).title, self.variant)))
        weights = ", ".join(digest[:_DIGITS] for digest in self.weights.split(", "))
        chosen = "".join(f"{name} {value}, " for name, value in self.chosen.items())
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{title}, {chosen}weights {weights}, on {self.device}, {self.precision}; {versions}"


def setting_of(loaded: LoadedMethod) -> Setting:
    """What a method measures with. A CPU is described with the threads that torch has at the time of the call."""
    return Setting(
        method=loaded.spec.name,
        variant=loaded.description.get("variant"),
        weights=loaded.sha256,
        device=describe(loaded.device),
        precision=_NAMES[loaded.dtype],
        chosen=dict(loaded.chosen),
        versions={"colorize": __version__, "torch": torch.__version__, "python": platform.python_version()},
    )
