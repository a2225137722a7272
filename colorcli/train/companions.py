"""Fixed networks that losses need: loaded here, since methods know no files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from colorcli.checkpoints.load import read_checkpoint
from colorcli.errors import UsageError
from colorcli.loader import build_network
from colorcli.methods.registry import COMPANIONS
from colorcli.train.config import TrainConfig


def load_companions(names: Iterable[str], config: TrainConfig, device: torch.device) -> dict[str, nn.Module]:
    """The companions by name, fixed and in evaluation mode, on the device; UsageError where the recipe names none."""
    load = {"saliency": _saliency, "backbone": _backbone, "similarity": _similarity}
    companions = {name: load[name](config) for name in sorted(names)}
    for companion in companions.values():
        companion.requires_grad_(False).eval().to(device)
    return companions


def _saliency(config: TrainConfig) -> nn.Module:
    if config.saliency == "classical":
        from colorcli.methods.saliency import SpectralResidual

        return SpectralResidual()
    return _from_file("pfanet", config.saliency)


def _backbone(config: TrainConfig) -> nn.Module:
    if config.backbone == "none":
        raise UsageError("this loss needs a perceptual network: --backbone FILE or --backbone torchvision")
    if config.backbone == "torchvision":
        from colorcli.methods.backbone.network import from_torchvision

        return from_torchvision()
    return _from_file("backbone", config.backbone)


def _similarity(config: TrainConfig) -> nn.Module:
    if config.similarity == "none":
        raise UsageError(
            "the matches need a similarity net, a backbone on lightness: --set similarity=FILE, trained by "
            "`colorize train backbone --set variant=resnet34-lightness`, or -compact"
        )
    return _from_file("backbone", config.similarity)


def _from_file(companion: str, name: str) -> nn.Module:
    network = build_network(COMPANIONS[companion], read_checkpoint(Path(name)), name)
    network.title = f"{companion} {Path(name).name}"  # type: ignore[assignment]
    return network
