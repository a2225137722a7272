"""From a method's name to a predictor on a device: spec -> weights -> network."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colorcli.checkpoints import store
from colorcli.checkpoints.convert import check_layout, named_tensors, read_published
from colorcli.checkpoints.load import Checkpoint, fill, read_checkpoint, write_checkpoint
from colorcli.errors import UsageError, WeightsError
from colorcli.media.places import sha256_of
from colorcli.methods.registry import METHODS
from colorcli.methods.spec import MethodSpec, Predict

_LARGEST_GAIN = 100.0  # of a network's chroma; training finds 0.2 to 1.2
_LARGEST_SIZE = 4096  # pixels, of the side of a network's input; its memory grows with the square

Look = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class LoadedMethod:
    """A method ready to predict."""

    spec: MethodSpec
    predict: Predict  # (B, 1, H, W) CIE L 0..100, and hints or embeddings -> (B, 2, H, W) CIE ab, float32
    device: torch.device
    dtype: torch.dtype  # that the network computes in
    sha256: str  # of the weights file; of a blend both, with a comma between
    size: int  # side of the network's input that the weights were trained at, pixels
    description: dict[str, Any]
    show: Predict | None = None  # the same with further planes: where it looked, or its matches; None: it cannot tell
    embed: Look | None = None  # (B, 3, h, w) sRGB 0..1 -> (B, E) on the CPU, in fp32; None: it needs no reference
    content: Look | None = None  # (B, 1, H, W) CIE L -> (B, F), as `embed`: near for photos that show like things
    there_and_back: Callable[..., Tensor | None] | None = None  # as of `MethodSpec.matches`, in fp32 on the CPU


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


def load_method(
    method: str, *, weights: Path | None, device: torch.device, dtype: torch.dtype = torch.float32
) -> LoadedMethod:
    """Load a method with its shipped weights, or with a given file.

    Errors: UsageError for an unknown method, WeightsError for weights that are missing, damaged or of another method.
    """
    spec = METHODS[method]
    if weights is None:
        entry = store.find(method)
        path, known = store.verify(entry), entry.sha256
    else:
        path, known = weights, None
    checkpoint = read_checkpoint(path)
    network = build_network(spec, checkpoint, str(path))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    gain = _number(checkpoint, "gain", 1.0, _LARGEST_GAIN, str(path))
    predictor = spec.load("predictor")(network, gain)

    def placed(maps: Tensor) -> Tensor:
        moved = maps.to(device, non_blocking=True)
        return moved.contiguous(memory_format=torch.channels_last) if moved.dim() == 4 else moved

    def asking(answer: Callable[..., Tensor]) -> Predict:
        def ask(lightness: Tensor, given: Tensor | None = None, /) -> Tensor:
            inputs = [placed(maps) for maps in (lightness, given) if maps is not None]
            with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
                return answer(*inputs)

        return ask

    def looking(answer: Look) -> Look:  # in fp32: it is done once for many photos
        return lambda pixels: answer(placed(pixels)).cpu()

    def showing(answer: Callable[..., tuple[Tensor, ...]]) -> Predict:
        return asking(lambda *given: torch.cat(answer(*given), dim=1))  # (B, 2, H, W), ... -> (B, 2 + n, H, W)

    show = None
    if spec.attention or spec.matches:
        show = showing(predictor.with_attention if spec.attention else predictor.with_matches)

    def returning(*given: Tensor) -> Tensor | None:
        back = predictor.there_and_back(*map(placed, given))
        return None if back is None else back.cpu()

    size = int(_number(checkpoint, "size", spec.size, _LARGEST_SIZE, str(path)))
    return LoadedMethod(
        spec,
        asking(predictor),
        device,
        dtype,
        known or store.digest(path),
        size,
        checkpoint.description,
        show,
        looking(predictor.embed) if spec.needs_reference else None,
        looking(predictor.content) if spec.needs_reference else None,
        returning if spec.matches else None,
    )


def blended(method: LoadedMethod, automatic: LoadedMethod, strength: float) -> LoadedMethod:
    """A method with a reference whose chroma is strength (0..1) of its own and 1 - strength of an automatic one's.

    Both see the photo at the size that `method` is given it. Its `sha256` names both weights.
    """

    def predict(lightness: Tensor, given: Tensor | None = None, /) -> Tensor:
        return strength * method.predict(lightness, given) + (1 - strength) * automatic.predict(lightness)

    def show(lightness: Tensor, given: Tensor | None = None, /) -> Tensor:
        assert method.show is not None  # only then it is given
        told = method.show(lightness, given)
        chroma = strength * told[:, :2] + (1 - strength) * automatic.predict(lightness)
        return torch.cat((chroma, told[:, 2:]), dim=1)

    sha256 = f"{method.sha256}, {automatic.sha256}"
    return replace(method, predict=predict, show=show if method.show else None, sha256=sha256)


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
