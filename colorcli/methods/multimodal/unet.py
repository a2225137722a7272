"""The colorization network: a U-Net (Ronneberger et al. 2015) from 13 planes to two."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MULTIPLE = 16  # four halvings


class UNet(nn.Module):
    """Four halvings and four doublings with skips, 3x3 convolutions with batch norm and ReLU, tanh at the end.

    planes: of the input. widths: channels of the five sizes; published (64, 128, 256, 512, 1024). Batch norm is the
    thesis' (section 2), padding that keeps the size is our reading.
    """

    def __init__(self, planes: int, widths: Sequence[int]) -> None:
        super().__init__()
        if len(widths) != 5 or min(widths) < 1:
            raise ValueError(f"widths must be five positive numbers, not {tuple(widths)}")
        self.planes = planes
        insides = (planes, *widths[:-1])
        self.down = nn.ModuleList(_double(inside, width) for inside, width in zip(insides, widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))  # deepest first: (w5, w4) .. (w2, w1)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(below, width, 2, stride=2) for below, width in pairs)
        self.up = nn.ModuleList(_double(2 * width, width) for _, width in pairs)
        last = nn.Conv2d(widths[0], 2, 1)
        self.out = nn.Sequential(last, nn.Tanh())
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.normal_(last.weight, std=0.01)  # training begins near gray, far from the ends of tanh

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs: (B, planes, H, W), sides multiples of 16. Returns (B, 2, H, W), -1..1."""
        skips: list[Tensor] = []
        features = inputs
        for number, block in enumerate(self.down):
            features = block(features if number == 0 else self.pool(features))
            skips.append(features)
        for enlarge, block, skip in zip(self.enlarge, self.up, skips[-2::-1], strict=True):
            features = block(torch.cat((skip, enlarge(features)), dim=1))  # (B, w, h, w) twice -> (B, 2 w, h, w)
        chroma: Tensor = self.out(features)
        return chroma


def _double(inside: int, outside: int) -> nn.Sequential:
    """Two 3x3 convolutions, batch norm and ReLU after each."""
    layers: list[nn.Module] = []
    for width in (inside, outside):
        layers += [nn.Conv2d(width, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
