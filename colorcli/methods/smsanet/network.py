"""SMSANet (Jiang et al. 2022): the 2017 network with stacked multi-scale attention after conv5, conv6 and conv7."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from colorcli.methods.blocks import Backbone17

_REDUCTION = 16  # C -> C/16 in the channel branch: our reading, after SENet


class SpatialScale(nn.Module):
    """One spatial scale of SMSA (eq. 1 and 2): one weight for each patch of 2^k x 2^k."""

    def __init__(self, exponent: int) -> None:
        super().__init__()
        self.patch = 2**exponent
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """features: (B, C, H, W). Returns weights in (0, 1), (B, 1, H, W), constant inside a patch."""
        height, width = features.shape[2:]
        # Our reading of Split: the max map is max-pooled, the mean map average-pooled; edge patches may be smaller.
        peak = F.max_pool2d(features.amax(1, keepdim=True), self.patch, ceil_mode=True)
        mean = F.avg_pool2d(features.mean(1, keepdim=True), self.patch, ceil_mode=True)
        weights = torch.sigmoid(self.conv(torch.cat((peak, mean), dim=1)))  # (B, 2, H/p, W/p) -> (B, 1, H/p, W/p)
        spread = F.interpolate(weights, scale_factor=float(self.patch), mode="nearest")  # (B, 1, >=H, >=W)
        return spread[:, :, :height, :width]


class ChannelScale(nn.Module):
    """The channel scale (eq. 2, k = n): squeeze and excite."""

    def __init__(self, channels: int, bias: float = 0.0) -> None:
        super().__init__()
        hidden = max(channels // _REDUCTION, 1)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        nn.init.constant_(self.excite.bias, bias)

    def forward(self, features: Tensor) -> Tensor:
        """features: (B, C, H, W). Returns weights in (0, 1), (B, C, 1, 1)."""
        pooled = features.mean(dim=(2, 3))  # (B, C, H, W) -> (B, C)
        weights = torch.sigmoid(self.excite(F.relu(self.squeeze(pooled))))
        return weights[:, :, None, None]  # (B, C) -> (B, C, 1, 1)


class SMSA(nn.Module):
    """Stacked multi-scale attention (eq. 1-4), with three spatial scales and one of channels (n = 4)."""

    def __init__(self, channels: int, scales: int = 4) -> None:
        super().__init__()
        self.spatial = nn.ModuleList(SpatialScale(k) for k in range(1, scales))
        # A low start keeps F' near F, so that a network trained without attention can be taken over.
        self.channel = ChannelScale(channels, bias=-2.0)
        self.importance = nn.Parameter(torch.zeros(scales - 1))  # lambda_k = sigmoid of it, in (0, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W): F + F * A_s * A_n."""
        lambdas = torch.sigmoid(self.importance)
        spatial = torch.stack([lam * scale(features) for lam, scale in zip(lambdas, self.spatial, strict=True)]).sum(0)
        attended: Tensor = features + features * spatial * self.channel(features)
        return attended


class SENet(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018), for Table 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = ChannelScale(channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        weighted: Tensor = features * self.channel(features)
        return weighted


class CBAM(nn.Module):
    """Channel, then spatial attention at one scale (Woo et al. 2018), for Table 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // _REDUCTION, 1)
        self.shared = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        logits = self.shared(features.mean(dim=(2, 3))) + self.shared(features.amax(dim=(2, 3)))
        features = features * torch.sigmoid(logits)[:, :, None, None]  # (B, C) -> (B, C, 1, 1)
        maps = torch.cat((features.amax(1, keepdim=True), features.mean(1, keepdim=True)), dim=1)
        return features * torch.sigmoid(self.conv(maps))


_ATTENTIONS = {"smsa": SMSA, "cbam": CBAM, "senet": SENet}
_ATTENDED_BLOCKS = (5, 6, 7)  # our reading of Fig. 1


class SMSANet(Backbone17):
    """The 2017 network on lightness alone, with attention after conv5, conv6 and conv7.

    attention: "smsa", or "cbam", "senet", "none" for the paper's Table 2.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512), attention: str = "smsa") -> None:
        super().__init__(widths, in_channels=1)
        if attention != "none" and attention not in _ATTENTIONS:
            raise ValueError(f"attention must be one of smsa, cbam, senet, none, not {attention!r}")
        blocks = () if attention == "none" else _ATTENDED_BLOCKS
        self.attention = nn.ModuleDict({f"block{block}": _ATTENTIONS[attention](widths[3]) for block in blocks})

    def attend(self, block: int, features: Tensor) -> Tensor:
        """The attention after conv5, conv6 or conv7, where there is one. (B, C, H, W) in and out."""
        key = f"block{block}"
        if key not in self.attention:
            return features
        attended: Tensor = self.attention[key](features)
        return attended
