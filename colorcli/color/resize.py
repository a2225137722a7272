"""Changes of size."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def stretch_to_square(rgb: Tensor, side: int) -> Tensor:
    """A picture stretched to the protocols' square, bicubic and antialiased: Pillow's filter, to one 8-bit step.

    rgb: (3, h, w) uint8. Returns (1, 3, side, side) float, whole numbers 0..255.
    """
    if tuple(rgb.shape[1:]) == (side, side):
        return rgb[None].float()
    stretched = F.interpolate(rgb[None].float(), (side, side), mode="bicubic", antialias=True)
    return stretched.round().clamp(0, 255)  # (1, 3, h, w) -> (1, 3, side, side)
