"""Class activation maps with average and median pooling (section 3.1), in the generators and the discriminators."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Attended(NamedTuple):
    """What the attention made of a map."""

    maps: Tensor  # (B, C, h, w), before the activation
    logits: Tensor  # (B, 2), the auxiliary classifier on the averages and on the medians


def median_pool(maps: Tensor) -> Tensor:
    """The median over all positions, the lower one of an even number. (B, C, h, w) -> (B, C).

    The gradient goes to the position that holds the median.
    """
    return maps.flatten(2).median(dim=2).values  # (B, C, h, w) -> (B, C, h w) -> (B, C)


class ClassActivation(nn.Module):
    """The auxiliary classifier, and the map weighted by what it learned to look at.

    A(x) = sum_i w_i pool(E_i(x)) for each pooling with its own w, and M(x) = {w_i E_i(x)}. The two weighted maps are
    joined by a 1x1 convolution (our reading, after U-GAT-IT, which has the largest value where this has the median).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.average = nn.Linear(channels, 1, bias=False)
        self.median = nn.Linear(channels, 1, bias=False)
        self.join = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, maps: Tensor) -> Attended:
        """maps: (B, C, h, w)."""
        average, median = self.average.weight, self.median.weight  # (1, C); read once: spectral norm moves at each read
        logits = torch.cat((F.linear(maps.mean(dim=(2, 3)), average), F.linear(median_pool(maps), median)), dim=1)
        # (1, C) -> (1, C, 1, 1)
        weighted = torch.cat((maps * average[:, :, None, None], maps * median[:, :, None, None]), dim=1)
        return Attended(self.join(weighted), logits)
