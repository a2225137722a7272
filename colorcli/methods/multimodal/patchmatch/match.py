"""What PatchMatch finds: the nearest-neighbour field between two maps of features, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Match:
    """For each patch of one map, the patch of the other that is most like it."""

    field: Tensor  # (B, 2, H, W) int64: row and column, in the other map, of the centre of the nearest patch
    similarity: Tensor  # (B, H, W) float32, -1..1: the mean of the cosines of nine pairs of pixels


@dataclass(frozen=True, slots=True)
class Matches:
    """Both directions."""

    forward: Match  # target -> reference
    backward: Match  # reference -> target

    def there_and_back(self) -> Match:
        """Where a patch of the target comes out again: the backward match of its forward match.

        Similarity is that of the way back, so that it is low where the way there was the lesser evil (our reading of
        T->R->T, after He et al. 2018, section 3.1).
        """
        back = self.backward
        return Match(warp(back.field, self.forward.field), warp(back.similarity[:, None], self.forward.field)[:, 0])


def joined(matches: Sequence[Match]) -> Match:
    """Matches of some pictures and of further ones as one batch."""
    return Match(torch.cat([one.field for one in matches]), torch.cat([one.similarity for one in matches]))


def warp(values: Tensor, field: Tensor) -> Tensor:
    """Values from where a field points to: values (B, C, h, w), field (B, 2, H, W) -> (B, C, H, W).

    No gradient goes to the field. ValueError where the field points outside, or for other shapes.
    """
    if values.dim() != 4 or field.dim() != 4 or field.shape[1] != 2 or len(values) != len(field):
        raise ValueError(
            f"expected values (B, C, h, w) and a field (B, 2, H, W), got {tuple(values.shape)}, {tuple(field.shape)}"
        )
    height, width = values.shape[2:]
    rows, columns = field[:, 0], field[:, 1]
    if bool(((rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)).any()):
        raise ValueError(f"the field points outside of {height} rows and {width} columns")
    places = (rows * width + columns).flatten(1)[:, None]  # (B, H, W) -> (B, 1, H W)
    taken = values.flatten(2).gather(2, places.expand(-1, values.shape[1], -1))  # (B, C, h w) -> (B, C, H W)
    return torch.unflatten(taken, 2, field.shape[2:])


def enlarged(field: Tensor, coarse: tuple[int, int], size: tuple[int, int], fine: tuple[int, int]) -> Tensor:
    """A field of one level as the start of the next finer one: neighbours of a patch point to neighbours of its match.

    field: (B, 2, H, W) into a map of `coarse` rows and columns. size: rows and columns of the finer field. fine: of
    the map that it points into. Returns (B, 2, *size) int64.
    """
    pairs = list(zip(size, field.shape[2:], strict=True))
    centres = [(torch.arange(many, device=field.device) + 0.5) * (few / many) for many, few in pairs]  # coarse pixels
    near = [axis.long().clamp(max=few - 1) for axis, (_, few) in zip(centres, pairs, strict=True)]
    inside = torch.stack(torch.meshgrid(*(c - n for c, n in zip(centres, near, strict=True)), indexing="ij"))  # 0..1
    scale, last = (
        torch.tensor(values, device=field.device)[:, None, None]
        for values in ([many / few for many, few in zip(fine, coarse, strict=True)], [side - 1 for side in fine])
    )
    nearest = field[:, :, near[0][:, None], near[1]]  # (B, 2, H, W) -> (B, 2, *size)
    return ((nearest + inside) * scale).long().clamp(min=0).minimum(last)
