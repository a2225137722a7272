"""PatchMatch (Barnes et al. 2009) without an order of pixels: all patches propose and compare at once."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from colorcli.methods.multimodal.patchmatch.match import Match

JUMPS = (1, 2, 1, 1)
"""How far away, in pixels, the neighbours lie that propose their matches, round after round. Jumps instead of Barnes'
scan lines (Rong and Tan 2006). More rounds or longer jumps made similarity higher by less than a thousandth."""
_NEAR = 32  # random candidates of a search without bounds lie at first at most one such part of the longer side away
_BESIDE = ((-1, 0), (1, 0), (0, -1), (0, 1))


class Compare(Protocol):
    """What a search asks of an engine."""

    def __call__(self, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """candidates: (B, K, N) int64, for each of N patches K patches of the other map, row x width + column.

        Returns the most similar of each patch's, (B, N) int64, the first of equals, and its similarity, (B, N) float32.
        """


EVALUATIONS = len(JUMPS) * (len(_BESIDE) + 1)
"""Comparisons of each patch in a search, but for its starts."""


def search(starts: Tensor, sides: tuple[int, int], compare: Compare, seed: int, reach: int | None) -> Match:
    """The field that a search ends with.

    starts: (B, K, 2, H, W) int64, K fields into a map of `sides` rows and columns. reach: rows and columns that a match
    may lie away from the first of them; None: any number. seed: of the random candidates, the same for all pictures of
    a batch and on every kind of device.
    """
    size = starts.shape[3:]
    last = torch.tensor(sides, device=starts.device)[:, None, None] - 1
    low, high = torch.zeros_like(starts[:, 0]), last.expand_as(starts[:, 0])
    if reach is not None:
        low, high = (starts[:, 0] - reach).clamp(min=0), (starts[:, 0] + reach).minimum(last)

    def best_of(proposed: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, 2, H, W), anywhere -> the best inside the bounds, (B, H, W), and its similarity."""
        inside = proposed.maximum(low[:, None]).minimum(high[:, None])
        flat = inside[:, :, 0] * sides[1] + inside[:, :, 1]  # (B, K, H, W)
        index, similarity = compare(flat.flatten(2))
        return torch.unflatten(index, 1, size), torch.unflatten(similarity, 1, size)

    found, similarity = best_of(starts)
    field = _coordinates(found, sides[1])
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that all devices have the same
    radius = max(sides) // _NEAR if reach is None else reach
    for jump in JUMPS:
        radius = max(radius, 1)
        random = torch.randint(-radius, radius + 1, (2, *size), generator=generator)
        radius //= 2
        near = [_from_beside(field, jump * down, jump * across) for down, across in _BESIDE]
        proposed = torch.stack((*near, field + random.to(field.device)), dim=1)
        index, value = best_of(proposed)
        better = value > similarity
        similarity = torch.where(better, value, similarity)
        field = torch.where(better[:, None], _coordinates(index, sides[1]), field)
    return Match(field, similarity)


def windowed(starts: Tensor, sides: tuple[int, int], compare: Compare, reach: int) -> Match:
    """The best of all patches that lie at most `reach` rows and columns from the first start; arguments as of `search`.

    Of equals the nearest to the start wins.
    """
    start = starts[:, 0]
    size = start.shape[2:]
    last = torch.tensor(sides, device=start.device)[:, None, None] - 1
    steps = torch.arange(-reach, reach + 1)
    every = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1).flatten(0, 1)  # ((2 r + 1)^2, 2)
    every = every[every.square().sum(1).argsort(stable=True)].to(start.device)
    index, similarity = torch.zeros_like(start[:, 0]), torch.full_like(start[:, 0], -torch.inf, dtype=torch.float32)
    for part in torch.split(every, 2 * reach + 1):  # as many at once as fit beside a patch in a cache
        places = (start[:, None] + part[:, :, None, None]).clamp(min=0).minimum(last)  # (B, K, 2, H, W)
        found, value = compare((places[:, :, 0] * sides[1] + places[:, :, 1]).flatten(2))
        found, value = torch.unflatten(found, 1, size), torch.unflatten(value, 1, size)
        better = value > similarity
        index, similarity = torch.where(better, found, index), torch.where(better, value, similarity)
    return Match(_coordinates(index, sides[1]), similarity)


def _coordinates(index: Tensor, width: int) -> Tensor:
    """(B, H, W) row x width + column -> (B, 2, H, W)."""
    return torch.stack((index // width, index % width), dim=1)


def _from_beside(field: Tensor, down: int, across: int) -> Tensor:
    """What the patch so many pixels further would propose: its own match, as far back. At the border the last one."""
    rows, columns = (torch.arange(side, device=field.device) for side in field.shape[2:])
    from_rows = (rows + down).clamp(0, len(rows) - 1)
    from_columns = (columns + across).clamp(0, len(columns) - 1)
    back = torch.stack(torch.meshgrid(rows - from_rows, columns - from_columns, indexing="ij"))  # (2, H, W)
    return field[:, :, from_rows[:, None], from_columns] + back
