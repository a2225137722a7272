"""Fixed networks that losses need: loaded here, since methods know no files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from colorcli.checkpoints.load import read_checkpoint
from colorcli.errors import UsageError
from colorcli.loader import build_network
from colorcli.methods.registry import HELPERS
from colorcli.train.config import TrainConfig


def load_helpers(names: Iterable[str], config: TrainConfig, device: torch.device) -> dict[str, nn.Module]:
    """The helpers by name, fixed and in evaluation mode, on the device; UsageError where the recipe names none."""
    load = {"saliency": _saliency, "backbone": _backbone}
    helpers = {name: load[name](config) for name in sorted(names)}
    for helper in helpers.values():
        helper.requires_grad_(False).eval().to(device)
    return helpers


def _saliency(config: TrainConfig) -> nn.Module:
    if config.saliency == "classical":
        from colorcli.methods.smsanet.saliency import SpectralResidual

        return SpectralResidual()
    return _from_file("pfanet", config.saliency)


def _backbone(config: TrainConfig) -> nn.Module:
    if config.backbone == "none":
        raise UsageError("this loss needs a perceptual network: --backbone FILE or --backbone torchvision")
    if config.backbone == "torchvision":
        from colorcli.methods.backbone.network import from_torchvision

        return from_torchvision()
    return _from_file("backbone", config.backbone)


def _from_file(helper: str, name: str) -> nn.Module:
    network = build_network(HELPERS[helper], read_checkpoint(Path(name)), name)
    network.title = f"{helper} {Path(name).name}"  # type: ignore[assignment]
    return network
