"""Coarse to fine: matches on one level of features are where the next finer level begins."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from colorcli.methods.multimodal.patchmatch.engines import match
from colorcli.methods.multimodal.patchmatch.match import Matches, enlarged


def match_levels(
    target: Sequence[Tensor],
    reference: Sequence[Tensor],
    *,
    engine: str = "auto",
    seed: int = 0,
    reach: int | None = None,
) -> list[Matches]:
    """PatchMatch on every level of a pyramid of features, the coarsest first, each starting from the one before.

    target, reference: finest level first, (B, C, H, W) and (B, C, h, w) each; levels may differ in everything but B.
    engine, seed: as of `match`. reach: how many rows and columns a match may lie away from where the coarser level's
    points, on all levels but the coarsest; None: any number, so that a finer level may contradict.
    Returns the matches in the same order. ValueError as of `match`, and for another number of levels.
    """
    if not target or len(target) != len(reference):
        raise ValueError(f"expected as many levels of both, at least one, got {len(target)} and {len(reference)}")
    found: list[Matches] = []
    sizes: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for own, other in zip(reversed(target), reversed(reference), strict=True):
        starts = None
        size = ((own.shape[2], own.shape[3]), (other.shape[2], other.shape[3]))
        if found:
            coarse, (coarse_own, coarse_other) = found[-1], sizes[-1]
            starts = (
                enlarged(coarse.forward.field, coarse_other, size[0], size[1]),
                enlarged(coarse.backward.field, coarse_own, size[1], size[0]),
            )
        bound = reach if found else None
        found.append(match(own, other, engine=engine, seed=seed, starts=starts, reach=bound))
        sizes.append(size)
    return found[::-1]
