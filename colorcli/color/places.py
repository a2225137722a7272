"""Where something came from, as a colour."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.color.lab import lab_to_rgb

_LIGHTNESS = 65.0  # CIE L of all of it
_FARTHEST = 60.0  # CIE ab of the borders; what leaves sRGB's gamut at the corners is clipped


def place_colours(field: Tensor, sides: tuple[int, int]) -> Tensor:
    """A field of places as a picture: neighbours have like colours, the middle is gray.

    field: (B, 2, H, W), row and column in a map of `sides` rows and columns; from left to right it goes from green to
    red (CIE a), from top to bottom from blue to yellow (CIE b). Returns sRGB 0..1, (B, 3, H, W).
    """
    last = field.new_tensor(sides)[None, :, None, None] - 1
    down, across = (2 * field / last.clamp(min=1) - (last > 0).float()).unbind(1)  # (B, H, W), -1..1; one row: 0
    lightness = torch.full_like(down, _LIGHTNESS)
    return lab_to_rgb(torch.stack((lightness, _FARTHEST * across, _FARTHEST * down), dim=1))
