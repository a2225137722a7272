"""Weights files: safetensors with a JSON description inside. Reading executes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from colorcli.errors import ColorizeError, WeightsError
from colorcli.media.places import whole_files

_DESCRIPTION = "colorize"  # the metadata key that holds the description
_DIGEST = "digest"  # in the description: of the tensors and what else it says
_FORMAT = 1
COUNTER = "num_batches_tracked"  # of a batch norm: no result depends on it, no file has to hold it
_KEPT_IN_FP32 = ("running_mean", "running_var")  # variances beyond 65504 would become infinite in fp16


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights and what they are of."""

    tensors: dict[str, Tensor]
    description: dict[str, Any]  # method, variant, network settings, gain, size, how they came to be


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file that `write_checkpoint` wrote. Anything else raises WeightsError by name."""
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise WeightsError(f"the weights {path} do not exist; check the name and the folder") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a whole safetensors file ({error})") from None
    try:
        description = json.loads(metadata[_DESCRIPTION])
    except (KeyError, ValueError):
        raise WeightsError(f"{path} holds tensors, but not colorize's description of them") from None
    if not isinstance(description, dict):
        raise WeightsError(f"{path} holds tensors, but not colorize's description of them")
    if description.get("format") != _FORMAT:
        raise WeightsError(f"{path} is of format {description.get('format')}; this version reads {_FORMAT}")
    digest = description.pop(_DIGEST, None)
    if digest is not None and digest != _digest(tensors, _text(description)):
        raise WeightsError(f"{path} is damaged: it is not what was written; copy or export it again")
    return Checkpoint(tensors, description)


def _text(description: Mapping[str, Any]) -> str:
    return json.dumps(description, sort_keys=True)


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """sha256 of all that the file says, hexadecimal."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_checkpoint(path: Path, network: nn.Module, description: Mapping[str, Any], *, half: bool = True) -> None:
    """Write a network's weights in fp16 (batch norm statistics in fp32) with their description; `.part` first.

    A digest of both goes with them, so that a file that was changed since is known by itself.

    half: False keeps all in fp32, twice the size.
    A value that the stored type cannot hold raises WeightsError: exported weights are always finite.
    """
    tensors = {}
    for name, value in network.state_dict().items():
        if name.endswith(COUNTER):
            continue
        stored = value.half() if half and not name.endswith(_KEPT_IN_FP32) else value.float()
        if not torch.isfinite(stored).all():
            raise WeightsError(f"{name} is not finite in {stored.dtype}: not exported")
        tensors[name] = stored.cpu().contiguous()
    # Within the one text: of several, safetensors makes the order by chance, and so the file's bytes.
    text = _text({"format": _FORMAT, **description})
    signed = _text({**json.loads(text), _DIGEST: _digest(tensors, text)})
    try:
        with whole_files(path) as (part,):
            part.write_bytes(save(tensors, metadata={_DESCRIPTION: signed}))
    except OSError as error:
        raise ColorizeError(f"cannot write the weights {path}: {error}; an earlier file is intact") from error


def fill(network: nn.Module, checkpoint: Checkpoint, name: str) -> None:
    """Put the tensors into the network, every one and no other; WeightsError names what is missing or too much."""
    own = network.state_dict()
    missing, extra, misshapen = differences(checkpoint.tensors, own)
    if missing or extra:
        raise WeightsError(f"{name} does not fit the network: missing {missing[:4]}, unexpected {extra[:4]}")
    for key in misshapen:
        found = tuple(checkpoint.tensors[key].shape)
        raise WeightsError(f"{name}: {key} is {found}, the network has {tuple(own[key].shape)}")
    own.update({key: value.to(own[key].dtype) for key, value in checkpoint.tensors.items()})
    network.load_state_dict(own)


def differences(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[list[str], list[str], list[str]]:
    """The names that a network (`own`) has and a file lacks, that the file has too much, and that differ in shape."""
    wanted = {name for name in own if not name.endswith(COUNTER)}
    misshapen = sorted(name for name in wanted & set(tensors) if tensors[name].shape != own[name].shape)
    return sorted(wanted - set(tensors)), sorted(set(tensors) - wanted), misshapen
