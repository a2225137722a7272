"""Colours for maps of a quantity: equal steps of the quantity are equal steps to the eye."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.color.lab import lab_to_rgb

# CIE Lab, inside sRGB: from near black over violet and red to a light yellow, lightness always rising.
_STATIONS = ((4.0, 4.0, -14.0), (30.0, 50.0, -36.0), (56.0, 66.0, 22.0), (94.0, -8.0, 46.0))


def heat_table(count: int = 256) -> Tensor:
    """sRGB of `count` equal steps from low to high, (count, 3) uint8: the way through the stations at constant speed.

    Steps are equal as the CIE 1976 colour difference has it, up to the rounding to 8 bits.
    """
    stations = torch.tensor(_STATIONS, dtype=torch.float64)
    legs = stations.diff(dim=0)  # (3, 3)
    lengths = legs.norm(dim=1)
    starts = torch.cat((lengths.new_zeros(1), lengths.cumsum(0)))  # (4,): of each leg, and the end
    way = torch.linspace(0, float(starts[-1]), count, dtype=torch.float64)
    leg = torch.bucketize(way, starts[1:-1])  # (count,)
    lab = stations[leg] + ((way - starts[leg]) / lengths[leg])[:, None] * legs[leg]  # (count, 3)
    rgb = lab_to_rgb(lab.T[:, None])[:, 0].T  # (count, 3) -> (3, 1, count) -> (count, 3)
    return (rgb * 255).round().to(torch.uint8)
