"""The exact engine: every patch against every other, as one product of matrices, and the largest value."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from colorcli.methods.multimodal.patchmatch.match import Match, Matches, joined
from colorcli.methods.multimodal.patchmatch.patches import SIDE, TAPS, padded

_HELD_BY_CPU = 2**23  # bytes of similarities that are looked at together: what stays in the last cache
_HELD = 2**30  # the same on other devices


def exact(target: Tensor, reference: Tensor) -> Matches:
    """The nearest neighbours of all patches, both ways, from the same similarities.

    target: (B, H, W, C), reference: (B, h, w, C), of `patches.unit`. Of equals the leftmost wins, then the topmost; in
    half precision the cosines of pixels are rounded before they are added. Returns what `match` does.

    The nine cosines of a pair of patches lie on one diagonal of the matrix of the cosines of pixels; adding up
    diagonals costs eight additions a pair (four, one direction after the other) where a product of patches costs nine
    times the product of pixels.
    """
    height, width = target.shape[1:3]
    row = width * reference.shape[1] * (reference.shape[2] + SIDE - 1) * 4  # bytes of one picture's row of patches
    cpu = target.device.type == "cpu"
    fitting = max((_HELD_BY_CPU if cpu else _HELD) // row, 1)
    # A CPU takes many rows of one picture, since the way back is searched once a slab; a GPU many pictures, since each
    # operation on a row has to be started.
    slab = min(fitting if cpu else max(fitting // len(target), 1), height)
    images = max(fitting // slab, 1)
    pairs = zip(torch.split(target, images), torch.split(reference, images), strict=True)
    parts = [_exact(*pair, slab) for pair in pairs]
    return Matches(joined([part.forward for part in parts]), joined([part.backward for part in parts]))


def _exact(target: Tensor, reference: Tensor, slab: int) -> Matches:
    """The same for pictures that are looked at together, `slab` rows of the target at a time."""
    batch, height, width, _ = target.shape
    rows, columns = reference.shape[1:3]
    wide = columns + SIDE - 1  # the reference stays padded: a step down is then always as long
    length = rows * wide
    across = _Across(target, reference)
    sums = target.new_empty(batch, slab, width, length, dtype=torch.float32)
    there: list[_Peak] = []
    back: _Peak | None = None
    kept = [across.row(0), across.row(1)]
    for top in range(0, height, slab):
        part = sums[:, : min(slab, height - top)]
        for number in range(part.shape[1]):
            kept.append(across.row(top + number + 2))
            first, second, third = kept
            down = part[:, number]
            torch.add(first[..., :length], second[..., wide : wide + length], out=down)
            down.add_(third[..., 2 * wide :])
            del kept[0]
        torch.unflatten(part, 3, (rows, wide))[..., columns:] = -torch.inf  # padding is no match
        there.append(_peak(torch.unflatten(part.flatten(1, 2), 2, (rows, wide)), 2, 3))  # (b, s W, h, w + 2)
        found = _peak(part, 1, 2)  # (b, s, W, h (w + 2))
        found = found._replace(outer=found.outer + top)
        back = found if back is None else _larger(back, found)
    assert back is not None  # a map has at least one row
    forward = _as_match(_Peak(*(torch.cat(parts, dim=1) for parts in zip(*there, strict=True))), (height, width))
    backward = _as_match(back, (rows, wide))
    return Matches(forward, Match(backward.field[..., :columns], backward.similarity[..., :columns]))


class _Across:
    """Cosines of one row of the target with all of the reference, added up over three neighbours across."""

    def __init__(self, target: Tensor, reference: Tensor) -> None:
        self._target = padded(target)
        flat = padded(reference).flatten(1, 2)  # (b, h + 2, w + 2, C) -> (b, (h + 2) (w + 2), C)
        beyond = flat.new_zeros(len(flat), SIDE - 1, flat.shape[2])  # so that the last step across finds something
        self._reference = torch.cat((flat, beyond), dim=1).mT  # (b, C, ...)
        self._width, self._length = target.shape[2], flat.shape[1]

    def row(self, number: int) -> Tensor:
        """number: of the padded row. Returns (b, W, (h + 2) (w + 2)) float32."""
        cosines = torch.bmm(self._target[:, number], self._reference).float()  # (b, W + 2, (h + 2) (w + 2) + 2)
        shifted = [cosines[:, step : step + self._width, step : step + self._length] for step in range(SIDE)]
        return torch.add(shifted[0], shifted[1]).add_(shifted[2])


class _Peak(NamedTuple):
    """The largest of values over two neighbouring dimensions, and where it is."""

    value: Tensor
    outer: Tensor  # place in the first of the two
    inner: Tensor  # and in the second


def _peak(values: Tensor, outer: int, inner: int) -> _Peak:
    """The peak over two dimensions. Of equals the first of the inner wins, then of the outer.

    Two passes: the maximum over the outer one is as fast as memory, and the search for a place, which is not, is left
    with one value of each of the inner.
    """
    within = values.amax(outer, keepdim=True).max(inner, keepdim=True).indices
    sizes = list(values.shape)
    sizes[inner] = 1
    best, place = values.gather(inner, within.expand(sizes)).max(outer, keepdim=True)
    return _Peak(*(found.squeeze(inner).squeeze(outer) for found in (best, place, within)))


def _larger(one: _Peak, other: _Peak) -> _Peak:
    """Element by element the larger, the first of equals."""
    better = other.value > one.value
    return _Peak(*(torch.where(better, new, old) for new, old in zip(other, one, strict=True)))


def _as_match(peak: _Peak, size: tuple[int, int]) -> Match:
    """Peaks, (b, H W), as a match of a map of that size."""
    field = torch.unflatten(torch.stack((peak.outer, peak.inner), dim=1), 2, size)  # (b, 2, H W) -> (b, 2, H, W)
    return Match(field, torch.unflatten((peak.value / TAPS).clamp(-1, 1), 1, size))
