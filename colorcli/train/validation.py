"""How well a network does on the pictures held out: by the kind of data that it is trained on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.color.resize import stretch_to_square
from colorcli.methods.objective import Objective
from colorcli.methods.spec import MethodSpec
from colorcli.metrics.accuracy import top1
from colorcli.metrics.psnr import mean_squared_error, psnr
from colorcli.metrics.saliency import f_measure, mean_absolute_error
from colorcli.train.data import Example, is_gray

PROTOCOL_SIDE = 256  # pixels: chroma is compared at the papers' size
_GAINS = tuple(g / 20 for g in range(4, 25))  # factors on the predicted chroma that are tried: 0.2 .. 1.2
_BATCH = 16

Autocast = Callable[[], AbstractContextManager[None]]


def usable(examples: Sequence[Example], kind: str) -> list[Example]:
    """The pictures that say something, largest first: a limit then keeps those that the protocols' sizes suit."""
    said = [e for e in examples if kind not in ("photos", "paired", "unpaired") or not is_gray(e.rgb)]
    return sorted(said, key=lambda example: -min(example.rgb.shape[1:]))


@torch.inference_mode()
def validate(
    spec: MethodSpec,
    objective: Objective,
    network: nn.Module,
    examples: Sequence[Example],
    side: int,
    autocast: Autocast,
) -> dict[str, float]:
    """The figures of the objective's kind of data. network: to be judged, in evaluation mode; the objective's own is
    not looked at. side: of the pictures that the network sees, pixels."""
    if objective.data == "labelled":
        return _classification(network, examples, side, autocast)
    if objective.data == "masked":
        return _saliency(network, examples, side, autocast)
    predict = functools.partial(objective.predict, spec.load("predictor")(network))
    return _chroma(predict, network, examples, side, autocast)


def _batches(examples: Sequence[Example], side: int) -> Iterator[tuple[Sequence[Example], Tensor]]:
    """Runs of examples and their pictures, (b, 3, side, side) float 0..255."""
    for start in range(0, len(examples), _BATCH):
        part = examples[start : start + _BATCH]
        yield part, torch.cat([stretch_to_square(example.rgb, side) for example in part])


def _chroma(
    predict: Callable[[Tensor, Tensor], Tensor],
    network: nn.Module,
    examples: Sequence[Example],
    side: int,
    autocast: Autocast,
) -> dict[str, float]:
    """PSNR by the papers' protocol (256x256, 8-bit sRGB), beside gray.

    `gray`, `psnr` and `pooled` in dB at gain 1; `gain`, the factor on the chroma with the best mean PSNR, with
    `psnr at gain` and `pooled at gain`.
    """
    device = next(network.parameters()).device
    # Numbers, not tensors: a small tensor kept between two large ones holds the memory of both (17 MB a photo).
    errors: dict[float, list[float]] = {gain: [] for gain in (0.0, *_GAINS)}
    for _, truth in _batches(examples, PROTOCOL_SIDE):
        rgb = truth.to(device) / 255
        lightness = rgb_to_lab(rgb)[:, :1]
        small = F.interpolate(lightness, (side, side), mode="bilinear", antialias=True)
        with autocast():
            chroma = predict(small, rgb)
        chroma = F.interpolate(chroma, truth.shape[2:], mode="bicubic")  # (b, 2, side, side) -> (b, 2, 256, 256)
        for gain, collected in errors.items():
            result = lab_to_rgb(torch.cat((lightness, gain * chroma), dim=1))
            collected += mean_squared_error(truth.cpu(), (255 * result).round().cpu()).tolist()  # MPS has no float64
    mse = {gain: torch.tensor(collected, dtype=torch.float64) for gain, collected in errors.items()}
    best = max(_GAINS, key=lambda gain: float(psnr(mse[gain]).mean()))
    return {
        "photos": len(examples),
        "gray": float(psnr(mse[0.0]).mean()),
        "gray pooled": float(psnr(mse[0.0].mean())),
        "psnr": float(psnr(mse[1.0]).mean()),
        "pooled": float(psnr(mse[1.0].mean())),
        "gain": best,
        "psnr at gain": float(psnr(mse[best]).mean()),
        "pooled at gain": float(psnr(mse[best].mean())),
    }


def _classification(network: nn.Module, examples: Sequence[Example], side: int, autocast: Autocast) -> dict[str, float]:
    """`top1`, the share of pictures whose class came first, 0..1."""
    device = next(network.parameters()).device
    right = 0.0
    for part, rgb in _batches(examples, side):
        with autocast():
            logits = network(rgb.to(device) / 255)
        right += len(part) * top1(logits.float().cpu(), torch.tensor([example.label for example in part]))
    return {"photos": len(examples), "top1": right / len(examples)}


def _saliency(network: nn.Module, examples: Sequence[Example], side: int, autocast: Autocast) -> dict[str, float]:
    """`mae` and `f` (beta^2 = 0.3, threshold of twice the mean), means over the pictures."""
    device = next(network.parameters()).device
    mae, f = [], []
    for part, rgb in _batches(examples, side):
        given = [e.mask[None].float() / 255 for e in part if e.mask is not None]  # read_photos left out the others
        masks = torch.cat([F.interpolate(mask, (side, side), mode="area") for mask in given])
        with autocast():
            found = network(rgb.to(device) / 255).float().cpu()
        truth = (masks.cpu() >= 0.5).float()
        mae.append(mean_absolute_error(truth, found))
        f.append(f_measure(truth, found))
    return {"photos": len(examples), "mae": float(torch.cat(mae).mean()), "f": float(torch.cat(f).mean())}
