"""Published checkpoints: pickles of PyTorch, read without executing anything, under the names of our networks."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorcli.checkpoints.load import COUNTER, differences
from colorcli.errors import WeightsError

_WRAPPERS = ("state_dict", "model", "net")  # what published training scripts put around the tensors
_PARALLEL = "module."  # the prefix that DataParallel leaves


def read_published(path: Path) -> Any:
    """The content of a published PyTorch file.

    Only tensors, plain containers and argparse.Namespace are unpickled (`weights_only`): published training scripts
    store their options as the latter. Anything else and a damaged file raise WeightsError by name.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path} does not exist") from None
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} holds more than tensors and is not opened: {refusal(error)}") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        raise WeightsError(f"{path} is not a whole PyTorch file: {type(error).__name__}: {error}") from None


def refusal(error: pickle.UnpicklingError) -> str:
    """What torch's safe unpickler met. Its own message begins with the advice to read the file unsafely."""
    met = error.__context__
    return str(met) if isinstance(met, pickle.UnpicklingError) and str(met) else "it is no pickle of tensors"


def named_tensors(content: Any, name: str) -> dict[str, Tensor]:
    """Name -> tensor of a published file's content; what training scripts put around them is left out.

    Errors: WeightsError, with the file's `name`, where there are no named tensors.
    """
    while isinstance(content, dict) and (inside := next((w for w in _WRAPPERS if w in content), None)):
        content = content[inside]
    if not isinstance(content, dict):
        raise WeightsError(f"{name} holds a {type(content).__name__}, not named tensors")
    tensors = {str(key).removeprefix(_PARALLEL): v for key, v in content.items() if isinstance(v, Tensor)}
    tensors = {key: value for key, value in tensors.items() if not key.endswith(COUNTER)}
    if not tensors:
        raise WeightsError(f"{name} holds no tensors")
    return tensors


def check_layout(tensors: dict[str, Tensor], expected: dict[str, Tensor], name: str) -> None:
    """Compare a file's tensors with a network's; WeightsError names every key that is missing, extra or misshapen."""
    missing, extra, misshapen = differences(tensors, expected)
    shapes = [f"{key} is {tuple(tensors[key].shape)}, not {tuple(expected[key].shape)}" for key in misshapen]
    faults = [_fault("missing", missing), _fault("unexpected", extra), _fault("of another shape", shapes)]
    if any(faults):
        raise WeightsError(f"{name} is not of the published layout: {'; '.join(filter(None, faults))}")


def _fault(kind: str, keys: Iterable[str]) -> str:
    listed = ", ".join(keys)
    return f"{kind}: {listed}" if listed else ""
