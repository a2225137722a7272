"""Where a run starts: its network, and trained weights that it takes over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from colorcli.checkpoints.load import COUNTER
from colorcli.errors import UsageError
from colorcli.methods.spec import MethodSpec
from colorcli.train.config import TrainConfig


def build(
    spec: MethodSpec, config: TrainConfig, processes: int, classes: Sequence[str] = ()
) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a run and its settings; UsageError for a run that cannot be.

    classes: of labelled pictures, once these are read.
    """
    for stage in config.stages:
        if stage.batch % (processes * config.accumulate):
            raise UsageError(
                f"a batch of {stage.batch} cannot be shared evenly by {processes} processes "
                f"in {config.accumulate} slices each"
            )
    for size in sorted({stage.size for stage in config.stages} | {config.used_at}):
        if size % spec.multiple:
            raise UsageError(f"{spec.name} needs sizes that are multiples of {spec.multiple}, not {size}")
    if config.variant not in spec.variants:
        raise UsageError(f"{spec.name} has no variant {config.variant!r}: {', '.join(spec.variants)}")
    settings = {**spec.variants[config.variant], **config.network}
    if len(classes) == 1:
        raise UsageError(f"every photo with a label is of one class ({classes[0]}): there is nothing to tell apart")
    if classes:
        settings["classes"] = len(classes)
    try:
        return spec.load("network")(**settings), settings
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise UsageError(f"network settings {dict(config.network)}: {error}") from error


def take_over(
    network: nn.Module, weights: Mapping[str, Tensor], name: str, learned_anew: tuple[str, ...] = ()
) -> dict[str, list[str]]:
    """Put trained weights of this network, or of a relative, into it. Returns which parts are new, which left out.

    What the file lacks keeps its start, what the network lacks is left out. A convolution's further input channels
    start at zero. learned_anew: prefixes of parameters that are left out where their shapes differ. UsageError where
    other shapes do not fit, or less than half of the network's parameters are in the file; the network is then as it
    was.
    """
    own = network.state_dict()
    anew = {
        key for key in own if key.startswith(learned_anew) and key in weights and weights[key].shape != own[key].shape
    }
    weights = {key: value for key, value in weights.items() if key not in anew}
    taken = {key: _widened(value, own[key]) for key, value in weights.items() if key in own}
    shapes = sorted(key for key, value in taken.items() if value.shape != own[key].shape)
    found = sum(p.numel() for key, p in network.named_parameters() if key in taken)
    if shapes or 2 * found < sum(p.numel() for p in network.parameters()):
        missing, extra = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
        raise UsageError(
            f"{name} does not fit: other shapes {shapes[:4]}, missing {missing[:4]}, unexpected {extra[:4]}"
        )
    own.update({key: value.to(own[key].dtype) for key, value in taken.items()})
    network.load_state_dict(own)
    return {"new parts": _parts(set(own) - set(weights)), "left out": _parts(set(weights) - set(own))}


def _widened(value: Tensor, own: Tensor) -> Tensor:
    """A convolution's weight with zeros for the input channels that it lacks; anything else as it is."""
    alike = value.dim() == own.dim() == 4 and value.shape[0] == own.shape[0] and value.shape[2:] == own.shape[2:]
    if not alike or value.shape[1] >= own.shape[1]:
        return value
    return torch.cat((value, value.new_zeros(own.shape[0], own.shape[1] - value.shape[1], *own.shape[2:])), dim=1)


def _parts(keys: Iterable[str]) -> list[str]:
    """The modules that parameters belong to."""
    return sorted({key.rpartition(".")[0] for key in keys if not key.endswith(COUNTER)})
