"""The colorization sub-net (Xu et al. 2020): lightness and sampled colours to chroma, ten blocks and an output.

conv1 to conv7 are those of Zhang et al. 2017, under their names: the 2017 network's weights can start them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.methods.blocks import conv_block, refuse_odd

MULTIPLE = 8  # three halvings
_GROWTHS = 3  # convolutions of a residual dense block, of the published code


class ResidualDense(nn.Module):
    """3x3 convolutions on all that was before, a 1x1 back to the width, and the input added (Zhang et al. 2018).

    growth: channels that each convolution adds. The 1x1 starts at zero, so that a network trained without these blocks
    can be taken over (our reading).
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.growths = nn.ModuleList(
            nn.Conv2d(width + number * growth, growth, 3, padding=1) for number in range(_GROWTHS)
        )
        self.fuse = nn.Conv2d(width + _GROWTHS * growth, width, 1)
        nn.init.zeros_(self.fuse.weight)
        nn.init.zeros_(self.fuse.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, h, w) in and out."""
        joined = features
        for growth in self.growths:
            joined = torch.cat((joined, F.relu(growth(joined))), dim=1)
        fused: Tensor = self.fuse(joined)
        return features + fused


class ColorizationNet(nn.Module):
    """Lightness, hint chroma and hint mask to chroma.

    widths: channels of conv1, conv2, conv3 and conv4..7; published (64, 128, 256, 512). growth: of the residual dense
    blocks after the first convolution of conv5, conv6 and conv7; published 512. Batch norm ends conv1 to conv7. A
    shortcut of conv3, conv2 and conv1 is added to what conv8, conv9 and conv10 enlarge. ValueError for values that
    cannot be.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512), growth: int = 512) -> None:
        super().__init__()
        if len(widths) != 4 or min(widths) < 1:
            raise ValueError(f"widths must be four positive numbers, not {tuple(widths)}")
        if growth < 1:
            raise ValueError(f"growth must be at least 1, not {growth}")
        w1, w2, w3, w4 = widths
        self.in_channels = 4
        self.model1 = conv_block(4, w1, 2, stride=2)
        self.model2 = conv_block(w1, w2, 2, stride=2)
        self.model3 = conv_block(w2, w3, 3, stride=2)
        self.model4 = conv_block(w3, w4, 3)
        self.model5 = conv_block(w4, w4, 3, dilation=2)
        self.model6 = conv_block(w4, w4, 3, dilation=2)
        self.model7 = conv_block(w4, w4, 3)
        self.dense5, self.dense6, self.dense7 = (ResidualDense(w4, growth) for _ in range(3))
        self.short3, self.short2, self.short1 = _shortcut(w3, w4), _shortcut(w2, w3), _shortcut(w1, w2)
        self.up8 = _enlarging(w4, w3, 2)
        self.up9 = _enlarging(w3, w2, 2)
        self.up10 = _enlarging(w2, w1, 1)
        self.out = nn.Sequential(nn.Conv2d(w1, 2, 1), nn.Tanh())

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs: (B, 4, H, W), sides multiples of 8: lightness as (L - 50) / 100, hints as ab / 110, their mask.

        Returns chroma / 110, (B, 2, H, W), -1..1. Wrong shapes raise ValueError.
        """
        refuse_odd(inputs, self.in_channels, MULTIPLE)
        conv1: Tensor = self.model1(inputs)  # (B, w1, H/2, W/2)
        conv2: Tensor = self.model2(conv1)
        conv3: Tensor = self.model3(conv2)
        features: Tensor = self.model4(conv3)  # (B, w4, H/8, W/8)
        for block, dense in ((self.model5, self.dense5), (self.model6, self.dense6), (self.model7, self.dense7)):
            features = block[2:](dense(block[:2](features)))  # block[:2]: the first convolution and its ReLU
        features = self.up8(features + self.short3(conv3))  # (B, w3, H/4, W/4)
        features = self.up9(features + self.short2(conv2))
        features = self.up10(features + self.short1(conv1))
        chroma: Tensor = self.out(features)
        return chroma


def _shortcut(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU())


def _enlarging(inside: int, outside: int, convolutions: int) -> nn.Sequential:
    """A transposed 3x3 of stride 2, (B, inside, h, w) -> (B, outside, 2h, 2w), then 3x3 ones, ReLU after each."""
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(inside, outside, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
    ]
    for _ in range(convolutions):
        layers += [nn.Conv2d(outside, outside, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)
