"""The three engines under one contract, and which of them `auto` takes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.methods.multimodal.patchmatch.costs import cheapest
from colorcli.methods.multimodal.patchmatch.exact import exact
from colorcli.methods.multimodal.patchmatch.gathered import Gathered
from colorcli.methods.multimodal.patchmatch.match import Match, Matches, joined
from colorcli.methods.multimodal.patchmatch.patches import TAPS, refuse_unlike, unit
from colorcli.methods.multimodal.patchmatch.search import EVALUATIONS, Compare, search, windowed
from colorcli.methods.multimodal.patchmatch.start import spread

ENGINES = ("exact", "torch", "triton")
Starts = tuple[Tensor, Tensor]
Comparing = Callable[[Tensor, Tensor], Compare]  # a target and a reference of `patches.unit`
Find = Callable[[Tensor, tuple[int, int], Compare], Match]  # starts, sides of the other map

_HELD = {"cpu": 2**25}
"""Bytes of patches that are searched together, by the device's type: on a CPU what stays in its last cache."""
_HELD_ELSEWHERE = 2**31


def match(
    target: Tensor,
    reference: Tensor,
    *,
    engine: str = "auto",
    seed: int = 0,
    starts: Starts | None = None,
    reach: int | None = None,
) -> Matches:
    """For each 3x3 patch of each map the most similar one of the other: the nearest-neighbour fields, both ways.

    target: (B, C, H, W), reference: (B, C, h, w), features of any float type, computed with in that type; sides of 1
    upwards, not necessarily alike. Each pixel's features count with length 1, a border pixel is its own neighbour
    beyond the border, and similarity is the mean of the nine cosines of two patches, itself a cosine: -1..1. Pixels
    whose features are all 0 are like nothing, 0. No gradient comes back.

    engine: "exact" compares all with all; "torch" and "triton" (a GPU kernel) search, guided by chance: what they find
    is less similar by a few thousandths. "auto" takes what is fastest by the figures in `costs`.
    seed: of the searches' chance; the same seed, the same field. Photos of a batch do not influence each other.
    starts: fields of both directions, (B, 2, H, W) and (B, 2, h, w), that the searches begin with. Without a reach they
    begin with the best of patches spread over the whole other map as well, and "exact" has no use for starts.
    reach: rows and columns that a match may lie away from its start; None: any number. It needs starts.

    Errors: ValueError for features of other shapes or that are not finite, and for a reach without starts; UsageError
    for an engine that is not known or not here.
    """
    if engine not in ("auto", *ENGINES):
        raise UsageError(f"no PatchMatch engine is called {engine!r}: auto, {', '.join(ENGINES)}")
    ways = (unit(target, "target"), unit(reference, "reference"))
    refuse_unlike(target, reference)
    if reach is not None and (starts is None or reach < 0):
        raise ValueError(f"a reach of {reach} needs starts, and must be 0 or more")
    if engine == "auto":
        engine = _fastest(*ways, reach)
    with torch.no_grad(), torch.autocast(target.device.type, enabled=False):
        find: Find = partial(search, seed=seed, reach=reach)
        if engine == "exact":
            if reach is None:
                return exact(*ways)
            find = partial(windowed, reach=reach)
        comparing = _triton_compare(target.device) if engine == "triton" else Gathered
        there, back = (None, None) if starts is None else starts
        everywhere = reach is None
        forward = _searched(*ways, there, everywhere, comparing, find)
        return Matches(forward, _searched(*ways[::-1], back, everywhere, comparing, find))


def _searched(
    target: Tensor, reference: Tensor, start: Tensor | None, everywhere: bool, comparing: Comparing, find: Find
) -> Match:
    """One direction, a few pictures after the other. everywhere: begin with patches spread over the reference, too."""
    expected = (len(target), 2, *target.shape[1:3])
    if start is not None and start.shape != expected:
        raise ValueError(f"expected a start {expected}, got {tuple(start.shape)}")
    found = []
    for part in _parts(target, reference):
        own, other = target[part], reference[part]
        starts = [] if start is None else [start[part]]
        if everywhere:
            starts.append(spread(own, other))
        sides = (other.shape[1], other.shape[2])
        found.append(find(torch.stack(starts, dim=1), sides, comparing(own, other)))
    return joined(found)


def _parts(target: Tensor, reference: Tensor) -> Iterator[slice]:
    """As many pictures at a time as memory is meant for."""
    held = _HELD.get(target.device.type, _HELD_ELSEWHERE)
    one = TAPS * (target[0].numel() + reference[0].numel()) * target.element_size()
    count = max(held // one, 1)
    return (slice(first, first + count) for first in range(0, len(target), count))


def _fastest(target: Tensor, reference: Tensor, reach: int | None) -> str:
    """Of the engines that run here."""
    if reach is not None and (2 * reach + 1) ** 2 <= EVALUATIONS:
        return "exact"  # all within reach are fewer than a search looks at
    searches = ["triton"] * has_triton(target.device) + ["torch"]
    patches = (target[0, ..., 0].numel(), reference[0, ..., 0].numel())
    engines = searches if reach is not None else ["exact", *searches]
    return cheapest(engines, target.device.type, target.dtype, patches)


def has_triton(device: torch.device) -> bool:
    """Whether the kernel runs on the device."""
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


def _triton_compare(device: torch.device) -> Comparing:
    """The kernel's comparison; UsageError where it cannot run."""
    if importlib.util.find_spec("triton") is None:
        raise UsageError("the triton engine needs the package triton, which torch brings along on Linux: use torch")
    from colorcli.methods.multimodal.patchmatch.kernel import INTERPRETED, Kernel

    if device.type != "cuda" and not INTERPRETED:
        raise UsageError(f"the triton engine runs on a CUDA device, not on {device}: use torch")
    return Kernel
