"""AGIN's discriminators (section 3.1.2): PatchGAN at two scales, with class activation maps and spectral norm."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from colorcli.methods.agin.attention import ClassActivation

_SLOPE = 0.2  # of the leaky ReLU (section 4.1)
_HALVINGS = (3, 5)  # receptive fields of 70 and 286 pixels
SMALLEST = 3 * 2 ** max(_HALVINGS)  # side in pixels that the global discriminator needs
_WIDEST = 8  # times the first width: PatchGAN stops at 512 channels


class Verdict(NamedTuple):
    """What a discriminator says; 1 means real, 0 made (least squares, no sigmoid)."""

    patches: Tensor  # (B, 1, h, w), one answer for each patch
    logits: Tensor | None  # (B, 2), the auxiliary classifier's; None without attention


class SpectralNorm(nn.Module):
    """A weight over its largest singular value (Miyato et al. 2018), found by power iteration, one round for each use
    in training. Unlike torch's own it stays in float32 under autocast.
    """

    left: Tensor
    right: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows = weight.detach().flatten(1)
        self.register_buffer("left", F.normalize(torch.randn_like(rows[:, 0]), dim=0))
        self.register_buffer("right", F.normalize(torch.randn_like(rows[0]), dim=0))
        self._iterate(rows, rounds=15)

    @torch.no_grad()
    def _iterate(self, rows: Tensor, rounds: int) -> None:
        for _ in range(rounds):
            self.left.copy_(F.normalize(rows @ self.right, dim=0))
            self.right.copy_(F.normalize(self.left @ rows, dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        """The shape of the weight, which is read as (out, everything else)."""
        with torch.autocast(weight.device.type, enabled=False):
            rows = weight.flatten(1)  # (out, in, k, k) -> (out, in k k)
            if self.training:
                self._iterate(rows, rounds=1)
            # Clones: the next use moves the vectors, and the gradient of this one still needs them.
            return weight / torch.dot(self.left.clone(), rows @ self.right.clone())


class PatchDiscriminator(nn.Module):
    """4x4 convolutions: `halvings` of stride 2, one of stride 1, the attention, one to the answers.

    A receptive field is 3 + 3 + 1 pixels before the halvings, and each makes n to 2 n + 2: 7 -> 16 -> 34 -> 70
    -> 142 -> 286. attention: "cam" or "none".
    """

    def __init__(self, width: int, halvings: int, attention: str = "cam") -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 3
        for index in range(halvings + 1):
            outside = width * min(2**index, _WIDEST)
            stride = 2 if index < halvings else 1
            layers += [
                nn.Conv2d(inside, outside, 4, stride, padding=1, padding_mode="reflect"),
                nn.LeakyReLU(_SLOPE),
            ]
            inside = outside
        self.encoder = nn.Sequential(*layers)
        self.cam = ClassActivation(inside) if attention == "cam" else None
        self.out = nn.Conv2d(inside, 1, 4, padding=1, padding_mode="reflect")
        self.smallest = 3 * 2**halvings  # side in pixels: the last map is then 2 wide, the least that can be mirrored
        for layer in list(self.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                register_parametrization(layer, "weight", SpectralNorm(layer.weight))

    def forward(self, rgb: Tensor) -> Verdict:
        """rgb: (B, 3, H, W), -1..1. ValueError below `smallest`."""
        if rgb.dim() != 4 or rgb.shape[1] != 3:
            raise ValueError(f"expected (B, 3, H, W), got {tuple(rgb.shape)}")
        if min(rgb.shape[2:]) < self.smallest:
            raise ValueError(f"expected sides of at least {self.smallest} px, got {tuple(rgb.shape[2:])}")
        maps = self.encoder(rgb)
        if self.cam is None:
            return Verdict(self.out(maps), None)
        maps, logits = self.cam(maps)
        return Verdict(self.out(F.leaky_relu(maps, _SLOPE)), logits)


class TwoScales(nn.Module):
    """The local and the global discriminator of one picture domain."""

    def __init__(self, width: int = 64, attention: str = "cam") -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(width, halvings, attention) for halvings in _HALVINGS)

    def forward(self, rgb: Tensor) -> list[Verdict]:
        """rgb: (B, 3, H, W), -1..1. Local, then global."""
        return [scale(rgb) for scale in self.scales]
