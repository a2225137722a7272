"""Colour hints: what a person says of a photo's colours, and how training plays that person (Zhang et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.color.lab import rgb_to_lab

_STOP = 1 / 8  # after each hint: the number of hints is geometric
_LARGEST_PATCH = 9  # pixels at 256: patches of 1 to 9
_SPREAD = 1 / 4  # standard deviation of a hint's place about the middle, of the side
_WHOLE = 0.01  # share of pictures that are given all of their colour
_DOT = 5  # pixels of the network: the side of a dot's patch, the middle of what training shows
_SEEN = 1 / 8  # of an opaque pixel: what is fainter is the edge of a brush
# In a box of 4x4 a way without short cuts has at most 8 pixels (two in each 2x2): after 8 steps a pixel has reached all
# that such a box holds, or more than fits into one.
_STEPS = 8


def reveal(
    chroma: Tensor, seeds: Tensor, *, stop: float = _STOP, whole: float = _WHOLE, least: int = 0
) -> tuple[Tensor, Tensor]:
    """Hints as the published training draws them from the truth: some patches' mean colour, most near the middle.

    chroma: (B, 2, H, W), any scale. seeds: (B,) int64; a picture's hints follow from its seed alone. stop: the number
    of patches is geometric with this parameter. whole: share of pictures that are given all of their colour. least:
    patches there are in any case.
    Returns hints (B, 2, H, W), zero where there is none, and mask (B, 1, H, W), 1 where there is one.
    """
    hints = torch.zeros_like(chroma)
    mask = torch.zeros_like(chroma[:, :1])
    height, width = chroma.shape[2:]
    for index, seed in enumerate(seeds.tolist()):
        draw = torch.Generator().manual_seed(seed)
        if float(torch.rand(1, generator=draw)) < whole:
            hints[index], mask[index] = chroma[index], 1.0
            continue
        patches = 0
        while float(torch.rand(1, generator=draw)) >= stop or patches < least:
            patches += 1
            patch = int(torch.randint(1, _LARGEST_PATCH + 1, (1,), generator=draw))
            place = torch.randn(2, generator=draw) * _SPREAD + 0.5
            top = int((place[0] * height - patch / 2).clamp(0, max(height - patch, 0)))
            left = int((place[1] * width - patch / 2).clamp(0, max(width - patch, 0)))
            region = (index, slice(None), slice(top, top + patch), slice(left, left + patch))
            hints[region] = chroma[region].mean((1, 2), keepdim=True)  # (2, p, p) -> (2, 1, 1)
            mask[region] = 1.0
    return hints, mask


def drawn(drawing: Tensor, height: int, width: int, each: int = 1) -> Tensor:
    """A person's drawing as hints at the network's size.

    drawing: (4, H, W) float, sRGB 0..1 times alpha, and alpha 0..1. each: pixels of the person's own drawing that one
    of its pixels stands for, where it was made smaller. Returns (3, height, width): CIE ab, and a mask that is 1 where
    there is a hint, all 0 elsewhere. A hint is the mean ab of what was drawn in that pixel, by its alpha; a dot grows
    to a patch.
    """
    alpha = drawing[3:]
    color = (drawing[:3] / alpha.clamp(min=1e-6)).clamp(0, 1)
    weighted = torch.cat((rgb_to_lab(color)[1:] * alpha, alpha))  # (3, H, W)
    for dimension, size in ((1, height), (2, width)):
        weighted = _binned(weighted, dimension, size)  # (3, H, W) -> (3, height, W) -> (3, height, width)
    covered = weighted[2]
    seen = covered * each >= _SEEN
    chroma = torch.where(seen, weighted[:2] / covered.clamp(min=1e-6), 0.0)
    return _with_grown_dots(torch.cat((chroma, seen[None].to(chroma))), covered)


def dotted(hints: Tensor, down: float, across: float, rgb: tuple[float, float, float]) -> Tensor:
    """Hints with one more dot, a patch of one colour over what lies there.

    hints: (3, h, w) as `drawn` gives them. down, across: the dot's place, 0..1 of height and width. rgb: sRGB 0..1.
    """
    height, width = hints.shape[1:]
    chroma = rgb_to_lab(torch.tensor(rgb, dtype=hints.dtype)[:, None, None])[1:]  # (3, 1, 1) -> (2, 1, 1)
    patch = (slice(None), *_patch(int(down * height), int(across * width), height, width))
    marked = hints.clone()
    marked[patch] = torch.cat((chroma, torch.ones_like(chroma[:1])))
    return marked


def _binned(maps: Tensor, dimension: int, size: int) -> Tensor:
    """Sums of the pixels whose centres lie in each of `size` equal parts; none stays empty: few pixels are repeated."""
    maps = maps.repeat_interleave(-(-size // maps.shape[dimension]), dimension)
    count = maps.shape[dimension]
    part = ((torch.arange(count) + 0.5) * size / count).long()
    shape = list(maps.shape)
    shape[dimension] = size
    return maps.new_zeros(shape).index_add_(dimension, part, maps)


def _with_grown_dots(hints: Tensor, covered: Tensor) -> Tensor:
    """Dots (what is connected and smaller than a patch) grow to patches of their mean, over what is empty.

    hints: (3, h, w). covered: (h, w), the weights of the mean.
    """
    seen = hints[2] > 0
    reach = _reach(seen)
    small = seen & (reach[0] + reach[2] < _DOT - 1) & (reach[1] + reach[3] < _DOT - 1)
    grown = hints.clone()
    for box in sorted(set(map(tuple, reach[:, small].T.int().tolist()))):  # no two dots share one
        bottom, right, top, left = box[0], box[1], -box[2], -box[3]
        inside = (slice(None), slice(top, bottom + 1), slice(left, right + 1))
        weight = covered[inside[1:]] * (reach[inside] == reach.new_tensor(box)[:, None, None]).all(0)
        mean = (hints[inside][:2] * weight).sum((1, 2)) / weight.sum()
        patch = (slice(None), *_patch((top + bottom) // 2, (left + right) // 2, *seen.shape))
        empty = grown[patch][2] == 0
        grown[patch] = torch.where(empty, torch.cat((mean, torch.ones(1)))[:, None, None], grown[patch])
    return grown


def _reach(seen: Tensor) -> Tensor:
    """The last row, last column, and minus the first row, first column of what each hinted pixel is connected to.

    seen: (h, w) bool. Returns (4, h, w), -inf where there is no hint; corners connect. Right for what is smaller than
    a patch, and never that small for what is larger: _STEPS tell.
    """
    rows, columns = torch.meshgrid(*map(torch.arange, seen.shape), indexing="ij")
    reach = torch.stack((rows, columns, -rows, -columns)).float().masked_fill(~seen, -torch.inf)
    for _ in range(_STEPS):
        reach = F.max_pool2d(reach, 3, stride=1, padding=1).masked_fill(~seen, -torch.inf)
    return reach


def _patch(row: int, column: int, height: int, width: int) -> tuple[slice, slice]:
    """A patch about a pixel, moved to lie inside."""
    top = max(0, min(row - _DOT // 2, height - _DOT))
    left = max(0, min(column - _DOT // 2, width - _DOT))
    return slice(top, top + _DOT), slice(left, left + _DOT)
