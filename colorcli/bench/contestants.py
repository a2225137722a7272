"""Which methods are measured: those asked for whose weights are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from colorcli.checkpoints.load import read_checkpoint
from colorcli.devices import choose_device, choose_precision
from colorcli.errors import UsageError, WeightsError
from colorcli.loader import LoadedMethod, choices_of, load_method
from colorcli.methods.registry import METHODS, networks_of
from colorcli.methods.spec import MethodSpec

ALL = "all"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked to be measured, and how."""

    methods: Sequence[str]  # names, or `ALL`
    weights: Sequence[Path] = ()  # instead of the shipped ones, each of one of the methods
    device: str = "auto"
    precision: str = "auto"
    size: int = 0  # side of the networks' input, pixels; 0: as each was trained
    choices: Mapping[str, str | None] = field(default_factory=dict)  # for the methods that have them


@dataclass(frozen=True, slots=True)
class Contestants:
    """Methods that are loaded, by name, and why others are not."""

    loaded: dict[str, LoadedMethod]
    files: dict[str, tuple[Path, ...]]  # method -> the weights that were given for it
    missing: dict[str, str]  # method -> why it has no weights


def listed(text: str) -> tuple[str, ...]:
    """The names of a list with commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def named(text: str) -> tuple[str, ...]:
    """The methods of a list with commas, each once; `all`: every one. Errors: UsageError for one that is unknown."""
    names = listed(text)
    if ALL in names:
        return tuple(spec.name for spec in METHODS)
    if not names:
        raise UsageError("name a method, several with commas between, or `all`")
    return tuple(dict.fromkeys(METHODS[name].name for name in names))


def enter(asked: Asked) -> Contestants:
    """Load the methods, those without weights excepted.

    Errors: UsageError for a method, a size or a choice that cannot be; WeightsError for a file that is of no method
    asked for, and where no method can be loaded.
    """
    specs = [METHODS[name] for name in asked.methods]
    _check_sizes(specs, asked.size)
    choices = {spec.name: _choices(spec, specs, asked.choices) for spec in specs}
    files = _by_method(specs, asked.weights)
    processor = choose_device(asked.device)
    loaded: dict[str, LoadedMethod] = {}
    missing: dict[str, str] = {}
    for spec in specs:
        dtype: torch.dtype = choose_precision(asked.precision, processor, spec.half)
        given = files.get(spec.name, ())
        try:
            loaded[spec.name] = load_method(
                spec.name, weights=given, device=processor, dtype=dtype, choices=choices[spec.name]
            )
        except WeightsError as error:
            missing[spec.name] = str(error)
    if not loaded:
        raise WeightsError("; ".join(missing.values()))
    return Contestants(loaded, files, missing)


def _check_sizes(specs: Sequence[MethodSpec], size: int) -> None:
    for spec in specs:
        if size < 0 or size % spec.multiple:
            raise UsageError(f"--size must be a multiple of {spec.multiple} for {spec.name}, not {size}")


def _choices(spec: MethodSpec, specs: Sequence[MethodSpec], asked: Mapping[str, str | None]) -> dict[str, str]:
    """Those that the method has; of one alone, and where none has them, all, which `choices_of` refuses by name."""
    taken = {name for other in specs for name in other.choices}
    return choices_of(spec, {name: value for name, value in asked.items() if name in spec.choices or name not in taken})


def _by_method(specs: Sequence[MethodSpec], files: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """Each file under the method that one of its networks is of."""
    owners = {network.name: spec.name for spec in specs for network in networks_of(spec.name)}
    found: dict[str, tuple[Path, ...]] = {}
    for path in files:
        name = read_checkpoint(path).description.get("method")
        if name not in owners:
            raise WeightsError(f"{path} holds weights of {name}, not of {' or '.join(owners)}")
        owner = owners[name]
        found[owner] = (*found.get(owner, ()), path)
    return found
