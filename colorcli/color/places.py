"""Where something came from, as a colour."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.color.lab import lab_to_rgb

_LIGHTNESS = 65.0  # CIE L of all of it
_FARTHEST = 60.0  # CIE ab of the borders; what leaves sRGB's gamut at the corners is clipped


def place_colours(places: Tensor) -> Tensor:
    """Places in a picture as a picture: neighbours have like colours, the middle is gray.

    places: (B, 2, H, W), row and column, 0..1 from its first to its last; from left to right colour goes from green to
    red (CIE a), from top to bottom from blue to yellow (CIE b). Returns sRGB 0..1, (B, 3, H, W).
    """
    down, across = (2 * places.float() - 1).unbind(1)  # (B, H, W), -1..1
    lightness = torch.full_like(down, _LIGHTNESS)
    return lab_to_rgb(torch.stack((lightness, _FARTHEST * across, _FARTHEST * down), dim=1))
