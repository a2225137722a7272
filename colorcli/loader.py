"""From a method's name to a predictor on a device: spec -> weights -> network."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colorcli.checkpoints import store
from colorcli.checkpoints.convert import check_layout, named_tensors, read_published
from colorcli.checkpoints.load import Checkpoint, fill, read_checkpoint, write_checkpoint
from colorcli.errors import UsageError, WeightsError
from colorcli.media.places import sha256_of
from colorcli.methods.registry import METHODS, find, networks_of
from colorcli.methods.spec import MethodSpec, Predict

_LARGEST_GAIN = 100.0  # of a network's chroma; training finds 0.2 to 1.2
_LARGEST_SIZE = 4096  # pixels, of the side of a network's input; its memory grows with the square

Look = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class LoadedMethod:
    """A method ready to predict."""

    spec: MethodSpec
    predict: Predict  # (B, 1, H, W) CIE L 0..100, and what else it is given -> (B, 2, H, W) CIE ab, float32
    device: torch.device
    dtype: torch.dtype  # that the network computes in
    sha256: str  # of the weights file; of several, as in a blend or of parts, with commas between
    size: int  # side of the network's input that the weights were trained at, pixels
    description: dict[str, Any]  # of the weights; of several parts, of the last
    show: Predict | None = None  # the same with further planes: attention, matches or stages; None: it shows nothing
    # (B, 3, h, w) sRGB 0..1 -> (B, E) on the CPU, in fp32; of a method that takes segments also (B, 3, h, w), regions
    # (B, h', w'), their number R -> (B, R E). None: it needs no reference.
    embed: Look | None = None
    content: Look | None = None  # (B, 1, H, W) CIE L -> (B, F), as `embed`: near for photos that show like things
    there_and_back: Callable[..., Tensor | None] | None = None  # as of `MethodSpec.matches`, in fp32 on the CPU
    chosen: Mapping[str, str] = field(default_factory=dict)  # of `MethodSpec.choices`, each with its value


def build_network(spec: MethodSpec, checkpoint: Checkpoint, name: str) -> nn.Module:
    """The network that a checkpoint describes, filled and in evaluation mode."""
    if checkpoint.description.get("method") != spec.name:
        raise WeightsError(f"{name} holds weights of {checkpoint.description.get('method')}, not of {spec.name}")
    try:
        network: nn.Module = spec.load("network")(**checkpoint.description["network"])
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise WeightsError(f"{name} describes a network that {spec.name} cannot build: {error}") from error
    fill(network, checkpoint, name)
    return network.eval()


def _number(checkpoint: Checkpoint, key: str, default: float, largest: float, name: str) -> float:
    """A number of the description, above 0 and at most `largest`. Errors: WeightsError."""
    value = checkpoint.description.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= largest:
        raise WeightsError(
            f"{name} says that its {key} is {value!r}; expected a number up to {largest}, train it again"
        )
    return value


@dataclass(frozen=True, slots=True)
class _Stored:
    """A weights file that was read."""

    path: Path
    checkpoint: Checkpoint
    sha256: str


def _read(networks: Sequence[MethodSpec], given: Sequence[Path]) -> list[_Stored]:
    """The weights of each network: of the given files the one that says so, else the shipped ones.

    Errors: WeightsError for a file that is of none of them, for two of one, and for all that are missing together.
    """
    found: dict[str, _Stored] = {}
    names = [network.name for network in networks]
    for path in given:
        store.verify_named(path)
        checkpoint = read_checkpoint(path)
        name = checkpoint.description.get("method")
        if name not in names:
            raise WeightsError(f"{path} holds weights of {name}, not of {' or '.join(names)}")
        if name in found:
            raise WeightsError(f"{found[name].path} and {path} both hold weights of {name}; name one of them")
        found[name] = _Stored(path, checkpoint, store.digest(path))
    missing = []
    for name in names:
        if name in found:
            continue
        try:
            entry = store.find(name)
        except WeightsError as error:
            missing.append(str(error))
            continue
        path = store.verify(entry)
        found[name] = _Stored(path, read_checkpoint(path), entry.sha256)
    if missing:
        raise WeightsError("; ".join(missing))
    return [found[name] for name in names]


def choices_of(spec: MethodSpec, asked: Mapping[str, str | None]) -> dict[str, str]:
    """What the method lets a person choose, with the values asked for; None asks for the default.

    Errors: UsageError for what it does not let choose, and for another value.
    """
    chosen = {name: values[0] for name, values in spec.choices.items()}
    for name, value in asked.items():
        if value is None:
            continue
        if name not in chosen:
            able = ", ".join(other.name for other in METHODS if name in other.choices)
            raise UsageError(f"{spec.name} has no --{name}; choose -m {able}, or leave it out")
        if value not in spec.choices[name]:
            raise UsageError(f"--{name} must be {' or '.join(spec.choices[name])}, not {value!r}")
        chosen[name] = value
    return chosen


def load_method(
    method: str,
    *,
    weights: Path | Sequence[Path] | None,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    choices: Mapping[str, str] | None = None,
) -> LoadedMethod:
    """Load a method, or a part of one, with its shipped weights or with given files: of several parts some of theirs.

    choices: as of `choices_of`; those that are left out are the defaults. Errors: UsageError for an unknown method or
    choice, WeightsError for weights that are missing, damaged or of another method.
    """
    spec, networks = find(method), networks_of(method)
    files = _read(networks, (weights,) if isinstance(weights, Path) else weights or ())
    built = []
    for part, file in zip(networks, files, strict=True):
        network = build_network(part, file.checkpoint, str(file.path))
        built.append(network.to(device, memory_format=torch.channels_last))  # type: ignore[call-overload]
    last = files[-1]
    gain = _number(last.checkpoint, "gain", 1.0, _LARGEST_GAIN, str(last.path))
    chosen = choices_of(spec, choices or {})
    predictor = spec.load("predictor")(*built, gain, **chosen)

    def placed(maps: Tensor) -> Tensor:
        moved = maps.to(device, non_blocking=True)
        return moved.contiguous(memory_format=torch.channels_last) if moved.dim() == 4 else moved

    def asking(answer: Callable[..., Tensor]) -> Predict:
        def ask(*given: Tensor | None) -> Tensor:
            inputs = [None if maps is None else placed(maps) for maps in given]
            with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
                return answer(*inputs)

        return ask

    def looking(answer: Look) -> Look:  # in fp32: it is done once for many photos
        return lambda pixels, *further: answer(placed(pixels), *further).cpu()

    def show(*given: Tensor) -> Tensor:
        return torch.cat(getattr(predictor, spec.showing)(*given), dim=1)  # (B, 2, H, W), ... -> (B, 2 + n, H, W)

    def returning(*given: Tensor) -> Tensor | None:
        back = predictor.there_and_back(*map(placed, given))
        return None if back is None else back.cpu()

    size = int(_number(last.checkpoint, "size", spec.size, _LARGEST_SIZE, str(last.path)))
    return LoadedMethod(
        spec,
        asking(predictor),
        device,
        dtype,
        ", ".join(file.sha256 for file in files),
        size,
        last.checkpoint.description,
        asking(show) if spec.showing else None,
        looking(predictor.embed) if spec.needs_reference else None,
        looking(predictor.content) if spec.needs_reference else None,
        returning if spec.matches else None,
        chosen,
    )


def blended(method: LoadedMethod, automatic: LoadedMethod, strength: float) -> LoadedMethod:
    """A method with a reference whose chroma is strength (0..1) of its own and 1 - strength of an automatic one's.

    Both see the photo at the size that `method` is given it. Its `sha256` names both weights.
    """

    def mixed(ask: Predict) -> Predict:
        def answer(lightness: Tensor, /, *given: Tensor | None) -> Tensor:
            own = ask(lightness, *given)
            chroma = strength * own[:, :2] + (1 - strength) * automatic.predict(lightness)
            return torch.cat((chroma, own[:, 2:]), dim=1)  # what goes with the chroma is the method's own

        return answer

    show = None if method.show is None else mixed(method.show)
    return replace(method, predict=mixed(method.predict), show=show, sha256=f"{method.sha256}, {automatic.sha256}")


def import_published(method: str, source: Path, target: Path, licence: str, *, overwrite: bool = False) -> None:
    """Turn a method's published PyTorch checkpoint into a weights file, in fp32, and read that back.

    overwrite: replace a target that is there. Errors: UsageError for a method whose published layout is not known, for
    a target that is there or is the source, WeightsError for a file that is not of the layout, with every key that is
    missing, unexpected or of another shape.
    """
    spec = METHODS[method]
    if spec.published is None:
        known = ", ".join(other.name for other in METHODS if other.published is not None)
        raise UsageError(f"no published layout is known for {method}; it is for: {known}")
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the published checkpoint itself; name another file with -o")
    if not overwrite and os.path.lexists(target):
        raise UsageError(f"{target} is there already; --overwrite replaces it, -o OTHER names another file")
    content = read_published(source)
    tensors = spec.load("translate")(content, str(source)) if spec.translate else named_tensors(content, str(source))
    network: nn.Module = spec.load("network")(**spec.published)
    check_layout(tensors, network.state_dict(), str(source))
    description = {
        "method": spec.name,
        "variant": "paper",
        "network": dict(spec.published),
        "size": spec.size,
        "gain": 1.0,
        "licence": licence,
        "source": f"imported from {source.name}, sha256 {sha256_of(source)}",
    }
    fill(network, Checkpoint(tensors, description), str(source))
    write_checkpoint(target, network, description, half=False)
    written = build_network(spec, read_checkpoint(target), str(target)).state_dict()
    for name, value in tensors.items():
        if not torch.equal(written[name], value.float()):
            raise WeightsError(f"{target} was written, but its {name} reads back otherwise: is the disk sound?")
