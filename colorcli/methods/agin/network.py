"""AGIN's generator (Gao et al. 2020, sections 3.1.1 and 4.1): encoder, class activation map, adaptive decoder.

What the paper leaves open follows U-GAT-IT, on which it builds: our reading, all of it marked.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.methods.agin.attention import ClassActivation
from colorcli.methods.blocks import refuse_odd

_EPSILON = 1e-5  # inside the root, as torch has it; eq. 2 adds it to the deviation
_BLOCKS = 4  # residual blocks in the encoder and in the decoder (section 4.1)
_MIXES = ("agin", "gn", "in")
_FIXED_RHO = {"gn": 1.0, "in": 0.0}  # Fig. 6: GN only, IN only


class Painting(NamedTuple):
    """What a generator answers."""

    rgb: Tensor  # (B, 3, H, W), -1..1
    logits: Tensor | None  # (B, 2), how much the input is of the generator's own domain; None without attention
    heat: Tensor | None  # (B, 1, H/4, W/4), at least 0: the attention map of Fig. 2; None without attention


class MirrorConv2d(nn.Conv2d):
    """A convolution that keeps the size (over its stride), with mirrored borders (our reading)."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, bias: bool = False) -> None:
        super().__init__(inside, outside, kernel, stride, bias=bias)
        self.border = kernel // 2

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inside, h, w) -> (B, outside, h / stride, w / stride)."""
        # A map as narrow as its border cannot be mirrored: there the edge is repeated (inputs of 4 px).
        mode = "reflect" if min(maps.shape[2:]) > self.border else "replicate"
        return F.conv2d(F.pad(maps, [self.border] * 4, mode=mode), self.weight, self.bias, self.stride)


def channel_statistics(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Variance and mean of each channel of each picture, float32. (B, C, h, w) -> (B, C, 1, 1) twice."""
    maps = maps.float()
    mean = maps.mean(dim=(2, 3), keepdim=True)
    # The length of the deviations: on a CPU ten times as quick as torch.var_mean, measured on (1, 128, 64, 64).
    length = torch.linalg.vector_norm(maps - mean, dim=(2, 3), keepdim=True)
    return length.square() / maps[0, 0].numel(), mean


class InstanceNorm(nn.Module):
    """Each channel of each picture to mean 0 and deviation 1; any size, 1x1 too (there the answer is 0)."""

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        variance, mean = channel_statistics(maps)
        return ((maps - mean) * torch.rsqrt(variance + _EPSILON)).to(maps.dtype)


class AGIN(nn.Module):
    """Adaptive group-instance normalisation, eq. 1-3: gamma (rho m_G + (1 - rho) m_I) + beta.

    Eq. 1 and 2 both print gamma and beta; they are applied once (our reading). rho is one number for each channel.
    norm: "agin", or "gn" and "in" for the ablation of Fig. 6, where rho is 1 and 0 for good.
    start: rho before training.
    """

    def __init__(self, channels: int, groups: int, start: float, norm: str = "agin") -> None:
        super().__init__()
        self.groups = groups
        self.rho = nn.Parameter(torch.full((channels,), start)) if norm == "agin" else _FIXED_RHO[norm]

    def forward(self, maps: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """maps: (B, C, h, w); gamma, beta: (B, C) or (C,). Returns (B, C, h, w)."""
        variance, mean = (found.flatten(1) for found in channel_statistics(maps))  # (B, C, 1, 1) -> (B, C)
        parts = mean.reshape(len(maps), self.groups, -1)  # (B, C) -> (B, G, C/G)
        between, group_mean = torch.var_mean(parts, dim=2, correction=0, keepdim=True)
        within = variance.reshape(parts.shape).mean(dim=2, keepdim=True)
        by_group = torch.rsqrt(within + between + _EPSILON).expand_as(parts).flatten(1)  # (B, G, 1) -> (B, C)
        group_mean = group_mean.expand_as(parts).flatten(1)
        by_channel = torch.rsqrt(variance + _EPSILON)
        # Both normalisations and the affine map are one factor and one term for each channel.
        factor = gamma * (self.rho * by_group + (1 - self.rho) * by_channel)
        term = beta - gamma * (self.rho * by_group * group_mean + (1 - self.rho) * by_channel * mean)
        return torch.addcmul(term[:, :, None, None], maps, factor[:, :, None, None]).to(maps.dtype)

    @torch.no_grad()
    def clip(self) -> None:
        """Eq. 3: rho back into 0..1 after a step."""
        if isinstance(self.rho, nn.Parameter):
            self.rho.clamp_(0, 1)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance norm, beside the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            MirrorConv2d(channels, channels, 3),
            InstanceNorm(),
            nn.ReLU(),
            MirrorConv2d(channels, channels, 3),
            InstanceNorm(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        summed: Tensor = maps + self.body(maps)
        return summed


class AdaptiveBlock(nn.Module):
    """A residual block whose normalisation is AGIN."""

    def __init__(self, channels: int, groups: int, norm: str) -> None:
        super().__init__()
        self.conv1 = MirrorConv2d(channels, channels, 3)
        self.norm1 = AGIN(channels, groups, 0.9, norm)  # 0.9: our reading
        self.conv2 = MirrorConv2d(channels, channels, 3)
        self.norm2 = AGIN(channels, groups, 0.9, norm)

    def forward(self, maps: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """maps: (B, C, h, w); gamma, beta: (B, C)."""
        inner = F.relu(self.norm1(self.conv1(maps), gamma, beta))
        summed: Tensor = maps + self.norm2(self.conv2(inner), gamma, beta)
        return summed


class Affine(nn.Module):
    """gamma and beta from fully connected layers on the map's average (our reading: that form works at any size)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU())
        self.gamma = nn.Linear(channels, channels)
        self.beta = nn.Linear(channels, channels)
        nn.init.ones_(self.gamma.bias)  # a start near the plain normalisation: our reading
        nn.init.zeros_(self.beta.bias)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) -> (B, C), (B, C) float32."""
        hidden = self.hidden(maps.mean(dim=(2, 3)))
        return self.gamma(hidden).float(), self.beta(hidden).float()


class Enlarge(nn.Module):
    """Every pixel to 2x2, a 3x3 convolution to half the channels, the GN/IN mix with learned gamma, beta, ReLU."""

    def __init__(self, channels: int, groups: int, norm: str) -> None:
        super().__init__()
        self.conv = MirrorConv2d(channels, channels // 2, 3)
        self.norm = AGIN(channels // 2, groups, 0.0, norm)  # section 4.1: instance norm here, to start with
        self.gamma = nn.Parameter(torch.ones(channels // 2))
        self.beta = nn.Parameter(torch.zeros(channels // 2))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C/2, 2h, 2w)."""
        doubled = F.interpolate(maps, scale_factor=2.0, mode="nearest")  # (B, C, h, w) -> (B, C, 2h, 2w)
        return F.relu(self.norm(self.conv(doubled), self.gamma, self.beta))


class Generator(nn.Module):
    """From one picture domain to the other: gray to colour for use, colour to gray for the cycle.

    width: channels of the first convolution, the deepest map has four times as many (paper: 64).
    groups: of the group norm; must divide width.
    attention: "cam", or "none" for the ablation of Fig. 5.
    norm: "agin", or "gn" and "in" for the ablation of Fig. 6.
    """

    def __init__(self, width: int = 64, groups: int = 32, attention: str = "cam", norm: str = "agin") -> None:
        super().__init__()
        if width < 1 or groups < 1 or width % groups:
            raise ValueError(f"groups must divide width, got width {width} and groups {groups}")
        if attention not in ("cam", "none"):
            raise ValueError(f"attention must be one of cam, none, not {attention!r}")
        if norm not in _MIXES:
            raise ValueError(f"norm must be one of {', '.join(_MIXES)}, not {norm!r}")
        self.width, self.groups, self.attention, self.norm = width, groups, attention, norm
        deep = 4 * width
        encoder: list[nn.Module] = []
        for inside, outside, kernel, stride in ((3, width, 7, 1), (width, 2 * width, 3, 2), (2 * width, deep, 3, 2)):
            encoder += [MirrorConv2d(inside, outside, kernel, stride), InstanceNorm(), nn.ReLU()]
        self.encoder = nn.Sequential(*encoder, *(ResidualBlock(deep) for _ in range(_BLOCKS)))
        self.cam = ClassActivation(deep) if attention == "cam" else None
        self.affine = Affine(deep)
        self.blocks = nn.ModuleList(AdaptiveBlock(deep, groups, norm) for _ in range(_BLOCKS))
        self.enlarge = nn.Sequential(Enlarge(deep, groups, norm), Enlarge(deep // 2, groups, norm))
        self.out = MirrorConv2d(width, 3, 7, bias=True)

    def twin(self) -> Generator:
        """A generator of the same settings with weights of its own."""
        return Generator(self.width, self.groups, self.attention, self.norm)

    def forward(self, rgb: Tensor) -> Painting:
        """rgb: (B, 3, H, W), -1..1, sides multiples of 4; a gray picture has three equal channels.

        Wrong shapes raise ValueError.
        """
        refuse_odd(rgb, 3, 4)
        maps = self.encoder(rgb)  # (B, 3, H, W) -> (B, 4 width, H/4, W/4)
        logits = heat = None
        if self.cam is not None:
            maps, logits = self.cam(maps)
            maps = F.relu(maps)
            heat = maps.detach().sum(dim=1, keepdim=True)  # (B, C, h, w) -> (B, 1, h, w)
        gamma, beta = self.affine(maps)
        for block in self.blocks:
            maps = block(maps, gamma, beta)
        return Painting(torch.tanh(self.out(self.enlarge(maps))), logits, heat)
