"""What lasts of a training run: its state for a resume, and the exported weights."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from colorcli.checkpoints.convert import refusal
from colorcli.errors import ColorizeError
from colorcli.media.places import whole_files


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write the run's state whole or not at all: `.part` in the same folder, flushed, renamed.

    Raises ColorizeError if it cannot be written (disk full); the file that was there stays.
    """
    try:
        with whole_files(path) as (part,), part.open("wb") as file:
            torch.save(dict(state), file)
    except (OSError, RuntimeError) as error:
        why = error.__context__ if isinstance(error.__context__, OSError) else error  # torch hides what the file said
        kept = "; the earlier one is intact" if path.exists() else ""
        raise ColorizeError(f"cannot write the checkpoint {path}: {why}{kept}") from error


def load_state(path: Path, identity: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read a run's state for a resume.

    identity: setting -> value as JSON; a checkpoint that differs in one is refused by its name, and so is one with a
    setting that is neither here nor in `defaults`. defaults: what a checkpoint had of a setting that is younger than
    it; those that are not in `identity` may differ.
    """
    defaults = defaults or {}
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ColorizeError(f"nothing to resume: {path} does not exist") from None
    except pickle.UnpicklingError as error:
        raise ColorizeError(f"the checkpoint {path} is damaged, or is none: {refusal(error)}") from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ColorizeError(f"the checkpoint {path} is damaged: {error}") from error
    found = state.get("identity") if isinstance(state, dict) else None
    if not isinstance(found, dict):
        raise ColorizeError(f"{path} is not a checkpoint of `colorize train`; weights are started from with --init")
    if unknown := sorted(found.keys() - identity.keys() - defaults.keys()):
        raise ColorizeError(
            f"{path} is of {unknown[0]} = {found[unknown[0]]}, which this version of colorize does not know; go on "
            "with the one that wrote it, or start anew with --init"
        )
    found = {**defaults, **found}
    for key, wanted in identity.items():
        if found.get(key) != wanted:
            raise ColorizeError(f"{path} is of {key} = {found.get(key)}; this run has {wanted}")
    return state


@torch.no_grad()
def recalibrate_norm(network: nn.Module, batches: Iterable[Any], forward: Callable[[Any], Any] | None = None) -> None:
    """Set the batch norms' running statistics to the mean over these batches.

    forward: what puts a batch through the network; None: the network itself.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    training = network.training
    network.train()
    for batch in batches:
        (forward or network)(batch)
    network.train(training)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def norm_statistics_are_finite(network: nn.Module) -> bool:
    """False where a running mean or variance is infinite or NaN, as after a variance above 65504 was kept in fp16."""
    return all(bool(torch.isfinite(buffer).all()) for name, buffer in network.named_buffers() if "running_" in name)
