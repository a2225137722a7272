"""What the matches tell the colorization network: warped chroma and ten maps of similarity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.methods.multimodal.patchmatch.match import Match, Matches, enlarged, warp

LEVELS = ("conv1", "layer1", "layer2", "layer3", "layer4")  # of the similarity net, finest first
SIMILARITIES = 2 * len(LEVELS)


def from_reference(found: Sequence[Matches], chroma: Tensor, size: tuple[int, int]) -> Tensor:
    """R -> T: the reference's chroma where the finest level says that it belongs; what is used to colour.

    found: of all levels, finest first. chroma: of the reference, (B, 2, h, w) CIE ab, at the size that its features
    were made from. size: rows and columns of the target. Returns (B, 2, *size).
    """
    return _warped(found[0].forward, _sides(found[0].backward.field), chroma, size)


def there_and_back(found: Sequence[Matches], chroma: Tensor) -> Tensor:
    """T -> R -> T: the target's own chroma after a way through the reference's places; what training has the truth of.

    found: as above. chroma: of the target, (B, 2, H, W) CIE ab. Returns (B, 2, H, W).
    """
    size = _sides(chroma)
    return _warped(found[0].there_and_back(), _sides(found[0].forward.field), chroma, size)


def similarities(found: Sequence[Matches], size: tuple[int, int]) -> Tensor:
    """Similarity to the match of every level, T -> R and then T -> R -> T, enlarged to the target: (B, 10, *size).

    found: of the five levels, finest first.
    """
    ways = [[one.forward for one in found], [one.there_and_back() for one in found]]
    maps = [
        F.interpolate(match.similarity[:, None], size, mode="bilinear")  # (B, 1, h, w) -> (B, 1, *size)
        for way in ways
        for match in way
    ]
    return torch.cat(maps, dim=1)


def places(found: Sequence[Matches], size: tuple[int, int]) -> Tensor:
    """Where the finest level's matches lie in the reference: (B, 2, *size) float32, row and column, 0..1.

    0 is its first and 1 its last; of a reference of one row, or column, 0.5. Places are repeated, not mixed.
    """
    match, into = found[0].forward, found[0].backward.field
    last = into.new_tensor(_sides(into))[None, :, None, None] - 1
    shares = torch.where(last > 0, match.field / last.clamp(min=1), 0.5)
    return F.interpolate(shares, size, mode="nearest-exact")  # (B, 2, h, w) -> (B, 2, *size)


def _warped(match: Match, into: tuple[int, int], chroma: Tensor, size: tuple[int, int]) -> Tensor:
    """Chroma by a field between smaller maps. into: rows and columns that the field points into."""
    return warp(chroma, enlarged(match.field, into, size, _sides(chroma)))


def _sides(maps: Tensor) -> tuple[int, int]:
    return maps.shape[2], maps.shape[3]
