"""Crops that are turned and slanted, as Multimodal's similarity nets see them in their training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Lean:
    """How far a crop is turned and slanted at most, degrees either way; 0 and 0: not at all."""

    turn: float = 0.0  # 0..180
    shear: float = 0.0  # 0..30, of rows and of columns


STRAIGHT = Lean()


def leaned(crop: Tensor, lean: Lean, seed: int) -> Tensor:
    """A crop, (C, S, S), turned about its middle and slanted, evenly distributed up to `lean`, as the seed has it.

    Bilinear; what comes from outside is the inside, mirrored. The thesis (Ostaszewicz 2020) turns its pictures and maps
    them affinely; scale and shift are those of the crop here. The figures are the recipe's.
    """
    if not (lean.turn or lean.shear):
        return crop
    parts = 2 * torch.rand(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    angle, across, down = (parts * parts.new_tensor((lean.turn, lean.shear, lean.shear))).deg2rad().tolist()
    turned = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turned @ torch.tensor(
        [[1.0, math.tan(across)], [math.tan(down), 1.0]]
    )  # from places in the answer, (x, y), to the crop's
    theta = F.pad(matrix, (0, 1))[None].to(crop)  # (2, 2) -> (1, 2, 3), no shift
    grid = F.affine_grid(theta, [1, *crop.shape], align_corners=False)
    return F.grid_sample(crop[None], grid, mode="bilinear", padding_mode="reflection", align_corners=False)[0]
