"""The progressive feature formalisation block (PFFB, section 3.3): a convolution that an embedding modulates."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

_EPSILON = 1e-8  # eq. 5; section 4.1


def by_weights(features: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """Eq. 4-7 as printed: each picture's own weights, made and normalised, in one grouped convolution.

    features: (B, C, H, W). weight: (O, C, k, k), k odd, the constant s of eq. 4 in it. style: (B, C), or (1, C) for one
    style of all pictures, which needs no groups. Returns (B, O, H, W).
    """
    batch, channels, height, width = features.shape
    own = weight * style[:, None, :, None, None]  # (O, C, k, k), (b, 1, C, 1, 1) -> (b, O, C, k, k)
    norm = torch.rsqrt(own.square().sum((2, 3, 4), keepdim=True) + _EPSILON)  # (b, O, 1, 1, 1)
    own = own * norm
    padding = weight.shape[-1] // 2
    if len(style) == 1:
        return F.conv2d(features, own[0], padding=padding)
    grouped = features.reshape(1, batch * channels, height, width)  # (B, C, H, W) -> (1, B C, H, W)
    convolved = F.conv2d(grouped, own.flatten(0, 1), padding=padding, groups=batch)  # weights (B O, C, k, k)
    return convolved.reshape(batch, -1, height, width)  # (1, B O, H, W) -> (B, O, H, W)


def by_features(features: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """The same with weights that all pictures share: a convolution is linear in its input channels, so that the style
    can scale those, and the norm of the modulated weights its output channels.

    Shapes as in `by_weights`.
    """
    with torch.autocast(features.device.type, enabled=False):  # the norm of bf16 styles would be off by half a percent
        energy = weight.float().square().sum((2, 3))  # (O, C, k, k) -> (O, C)
        norm = torch.rsqrt(style.float().square() @ energy.T + _EPSILON)  # (b, C) x (C, O) -> (b, O)
    convolved = F.conv2d(features * style[:, :, None, None], weight, padding=weight.shape[-1] // 2)
    return convolved * norm[:, :, None, None]  # (B, O, H, W) x (b, O, 1, 1)


_FORMS = {"cpu": by_features}
"""The faster form for several styles, by the device's type. Measured on one and on two cores of an AMD EPYC, the four
blocks at 256 px, ms a photo by weights against by features: compact at batch 4, 43 and 21 against 30 and 15, at batch
16, 50 and 40 against 32 and 18; published widths on two cores, 73 against 57 and 87 against 62. Forward and backward of
16 photos of 64 px, compact: 3.1 against 2.5. No GPU was measured: other devices take the same form."""


def convolve(features: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """Eq. 4-7 in the form that is faster here; shapes as in `by_weights`.

    The same form for one style, though that would be a plain convolution by weights (the four blocks, compact, 256 px:
    19 ms against 27 on one core; the network in bf16, 192 px: 34.5 against 36.0): in bf16 the forms round differently,
    and a photo alone must come out as it does among others.
    """
    return _FORMS.get(features.device.type, by_features)(features, weight, style)


class PFFB(nn.Module):
    """A modulated convolution from C to C channels, with the published names of its parts.

    embedding: length of z. kernel: odd.
    """

    def __init__(self, embedding: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.scale = 1 / math.sqrt(channels * kernel**2)  # the constant s of eq. 4
        self.modulation = nn.Conv2d(embedding, channels, 1)  # F_Linear of eq. 4
        self.weight = nn.Parameter(torch.randn(channels, channels, kernel, kernel))

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """features: (B, C, H, W). embedding: (B, E), or (1, E) for one of all pictures. Returns (B, C, H, W)."""
        style: Tensor = self.modulation(embedding[:, :, None, None])  # (b, E) -> (b, E, 1, 1) -> (b, C, 1, 1)
        return convolve(features, self.weight * self.scale, style.flatten(1).float()).to(features.dtype)
