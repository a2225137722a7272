"""The published checkpoints' names, and ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from colorcli.errors import WeightsError

_PARTS = ("colorEncoder", "colorUNet")  # whatever else there is (`g_optim`, `args`) belongs to their training
_PARALLEL = "module."  # the prefix that DataParallel leaves
_COUNTER = "num_batches_tracked"  # of a batch norm; no result depends on it
# VGG19 is there under up to three names of the same tensors, the second and third being aliases.
_VGG = re.compile(r"vgg\.(?:vgg_model\.features\.(?P<a>\d+)|vgg_feature\.(?P<b>\d+)|seq_list\.(?P<c>\d+)\.0)\.(\w+)")
_UNUSED = re.compile(r"vgg\.vgg_model\.(classifier|avgpool)\.")  # VGG19's head
_LAYERS = 32  # of VGG19 up to relu5_2: what lies deeper is in the file, too, but unused
_MODULATED = ".SDFT.weight"


def from_published(content: Any, file: str) -> dict[str, Tensor]:
    """The tensors of a published checkpoint under the names of `Color2Embed` at its published widths.

    content: the unpickled file, called `file` in messages; a dict that holds the state dicts `colorEncoder` and
    `colorUNet`. Other entries are left out, and so are VGG19's head and deepest layers and the batch norms' counters.
    Names that are not known are kept, so that a comparison with the network shows them.
    WeightsError where it is no dict, where a state dict is missing or is none, and where aliases differ.
    """
    if not isinstance(content, Mapping):
        raise WeightsError(f"{file} is no checkpoint of Color2Embed: it holds a {type(content).__name__}")
    tensors: dict[str, Tensor] = {}
    for part in _PARTS:
        state = content.get(part)
        if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
            raise WeightsError(
                f"{file} is no checkpoint of Color2Embed: it holds no state dict {part!r} "
                f"(there are: {_names(content)})"
            )
        for name, value in state.items():
            ours = _own_name(str(name).removeprefix(_PARALLEL))
            if ours is None:
                continue
            key = f"{part}.{ours}"
            value = value.squeeze(0) if key.endswith(_MODULATED) and value.dim() == 5 else value  # (1, C, C, k, k)
            if key in tensors and not torch.equal(tensors[key], value):
                raise WeightsError(f"{file} holds {key} under two names, with different values")
            tensors[key] = value
    return tensors


def _own_name(name: str) -> str | None:
    """The network's name of a published one; None for what it has no use for."""
    if name.endswith(_COUNTER) or _UNUSED.match(name):
        return None
    if not (found := _VGG.fullmatch(name)):
        return name
    layer = int(found["a"] or found["b"] or found["c"])
    return f"vgg.vgg_model.features.{layer}.{found[4]}" if layer < _LAYERS else None


def _names(content: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, content))[:8]) or "nothing"
