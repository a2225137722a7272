"""PFANet (Zhao and Wu 2019): VGG features, context pyramids, channel and spatial attention, one saliency map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.methods.vgg import CONVOLUTIONS, WIDTHS, VGGFeatures, standardize_rgb

_DILATIONS = (3, 5, 7)
_REDUCTION = 4  # 384 -> 96 in the channel attention
_KERNEL = 9  # of the spatial attention
_SMALLEST = 16  # side of the smallest picture whose conv5 map has a pixel


class ContextPyramid(nn.Module):
    """CPFE: a 1x1 and three dilated 3x3 convolutions side by side, then batch norm and ReLU."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        dilated = (nn.Conv2d(inside, width, 3, padding=d, dilation=d, bias=False) for d in _DILATIONS)
        self.branches = nn.ModuleList([nn.Conv2d(inside, width, 1, bias=False), *dilated])
        self.norm = nn.BatchNorm2d(4 * width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inside, h, w) -> (B, 4 width, h, w)."""
        return F.relu(self.norm(torch.cat([branch(features) for branch in self.branches], dim=1)))


class ChannelAttention(nn.Module):
    """Squeeze and excite over the channels of all context pyramids."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // _REDUCTION, 1)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) in and out, each channel times a weight in (0, 1)."""
        weights = torch.sigmoid(self.excite(F.relu(self.squeeze(features.mean(dim=(2, 3))))))  # (B, C)
        return features * weights[:, :, None, None]


class SpatialAttention(nn.Module):
    """Two separable 9x9 convolutions, rows first and columns first, summed: one weight for each pixel.

    Batch norm and ReLU between the two halves, C -> C/2 -> 1 channels: our reading.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 2, 1)
        wide, tall = ((1, _KERNEL), (_KERNEL, 1))
        self.paths = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, hidden, first, padding="same", bias=False),
                nn.BatchNorm2d(hidden),
                nn.ReLU(),
                nn.Conv2d(hidden, 1, second, padding="same"),
            )
            for first, second in ((wide, tall), (tall, wide))
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 1, H, W), in (0, 1)."""
        return torch.sigmoid(torch.stack([path(features) for path in self.paths]).sum(0))


def _fuse(inside: int, outside: int) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU (the norm and the ReLU: our reading)."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


def _enlarge(maps: Tensor, like: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, H, W), the sides of `like`, bilinear."""
    return F.interpolate(maps, like.shape[2:], mode="bilinear", align_corners=False)


class PFANet(nn.Module):
    """Saliency of a picture.

    widths: channels of the five VGG blocks. context: channels of each branch of a context pyramid (published 32).
    head: channels of the low, the high and the attention maps (published 64).
    norm: "batch" adds batch norm to the VGG body. The paper starts from ImageNet weights of VGG16, which have none
    ("none": torchvision's `features.*` of vgg16 then fit); from scratch the body does not train without.
    body: "vgg16", the published one, or "vgg19", whose blocks 3 to 5 have four convolutions instead of three, so that
    the features of a backbone of ours fit.
    """

    def __init__(
        self,
        widths: Sequence[int] = WIDTHS,
        context: int = 32,
        head: int = 64,
        norm: str = "batch",
        body: str = "vgg16",
    ) -> None:
        super().__init__()
        if norm not in ("batch", "none"):
            raise ValueError(f"norm must be batch or none, not {norm!r}")
        if context < 1 or head < 1:
            raise ValueError(f"context and head must be at least 1, not {context} and {head}")
        self.title = "PFANet"  # what logs call it; who loads trained weights says more
        self.features = VGGFeatures(body, widths, norm=norm == "batch")
        self.taps = tuple(f"relu{block}_{last}" for block, last in enumerate(CONVOLUTIONS[body], start=1))
        w1, w2, *deep = widths
        self.pyramids = nn.ModuleList(ContextPyramid(width, context) for width in deep)
        self.channels = ChannelAttention(3 * 4 * context)
        self.high = _fuse(3 * 4 * context, head)
        self.low1, self.low2 = _fuse(w1, head), _fuse(w2, head)
        self.low = _fuse(2 * head, head)
        self.spatial = SpatialAttention(head)
        self.out = nn.Conv2d(2 * head, 1, 3, padding=1)

    def logits(self, rgb: Tensor) -> Tensor:
        """Saliency before its sigmoid. rgb: (B, 3, H, W) sRGB 0..1, sides of at least 16. Returns (B, 1, H, W).

        ValueError for another shape.
        """
        if rgb.dim() != 4 or rgb.shape[1] != 3:
            raise ValueError(f"expected (B, 3, H, W), got {tuple(rgb.shape)}")
        if min(rgb.shape[2:]) < _SMALLEST:
            raise ValueError(f"sides must be at least {_SMALLEST}, got {tuple(rgb.shape[2:])}: enlarge or pad outside")
        maps = self.features(standardize_rgb(rgb), self.taps)
        conv1, conv2, *deep = (maps[tap] for tap in self.taps)
        context = [pyramid(features) for pyramid, features in zip(self.pyramids, deep, strict=True)]
        context = [_enlarge(features, context[0]) for features in context]  # 1/8 and 1/16 -> 1/4 of the sides
        high = _enlarge(self.high(self.channels(torch.cat(context, dim=1))), conv1)  # (B, head, H/4, W/4) -> H, W
        low = self.low(torch.cat((self.low1(conv1), _enlarge(self.low2(conv2), conv1)), dim=1))
        logits: Tensor = self.out(torch.cat((low * self.spatial(high), high), dim=1))
        return logits

    def forward(self, rgb: Tensor) -> Tensor:
        """rgb: (B, 3, H, W) sRGB 0..1, sides of at least 16. Returns saliency 0..1, (B, 1, H, W) float32."""
        return torch.sigmoid(self.logits(rgb).float())
