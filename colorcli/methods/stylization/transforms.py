"""A style's feature statistics for a content's: AdaIN (Huang, Belongie 2017) and WCT (Li et al. 2017), by regions.

Either has two halves: `measure` looks at a style's map, which need not have the content's size, and `match` changes the
content's map after that. Statistics are of populations, and in float32 also under autocast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.errors import UsageError

# Added to a content's variances. The published 1e-5 is for ImageNet's VGG; in a backbone of ours the deepest maps have
# standard deviations under 0.1, and many channels would be muted.
_VARIANCE = 1e-8
_SHARE = 1e-5  # of the largest: what smaller eigenvalues of a content's covariance are raised to
_EIGENVALUE = 1e-8  # and this where all of them are small: a content of one colour
_FEWEST = 4  # pixels that a region of a style's map needs for a spread of its own: of one pixel it is 0 (our choice)


def labels_of(content: Tensor, style: Tensor) -> tuple[int, ...]:
    """The labels of a content's and a style's segment maps, ascending.

    content: (B, h, w) integers. style: (B, h', w'), or (1, h', w') for all. Each pair must have the same labels:
    UsageError names those that one side has alone, ValueError is for other shapes.
    """
    if content.dim() != 3 or style.dim() != 3 or len(style) not in (1, len(content)):
        raise ValueError(f"expected segment maps (B, h, w), not {tuple(content.shape)} and {tuple(style.shape)}")
    known: set[int] = set()
    for own, given in zip(content, style.expand(len(content), -1, -1), strict=True):
        ours, theirs = set(own.unique().tolist()), set(given.unique().tolist())
        for alone, side, other in ((ours - theirs, "target", "reference"), (theirs - ours, "reference", "target")):
            if alone:
                named = ", ".join(map(str, sorted(alone)[:8]))
                raise UsageError(
                    f"the {side}'s segment map has labels that the {other}'s lacks: {named}; expected the same ones "
                    "in both"
                )
        known |= ours
    return tuple(sorted(known))


def regions(labels: Tensor, known: Sequence[int], height: int, width: int) -> Tensor:
    """Where each label is in a map of another size: (B, h, w) -> (B, R, height, width) bool, by the nearest pixel.

    labels: integers below 2^24.
    """
    resized = F.interpolate(labels[:, None].float(), (height, width), mode="nearest-exact")
    # (B, 1, height, width) against (R, 1, 1)
    return resized == resized.new_tensor(known)[:, None, None]


@dataclass(frozen=True, slots=True)
class Transform:
    """Both halves, for one region: (B, C, H, W) and (B, H, W) bool, or None for the whole map."""

    length: Callable[[int], int]  # channels -> how many numbers a region's statistics are
    measure: Callable[[Tensor, Tensor | None], Tensor]  # style map, region -> (B, n)
    match: Callable[[Tensor, Tensor, Tensor | None], Tensor]  # content map, (B or 1, n), region -> content's shape


def measure(transform: Transform, style: Tensor, where: Tensor | None = None) -> Tensor:
    """The statistics of a style's map, of each of R regions: (B, R, n) float32, n as of `Transform.length`.

    style: (B, C, H, W). where: (B, R, H, W) bool; None: one region, all of it. A region of fewer than 4 pixels of the
    map (labels get lost as they are resized) has those of the whole map.
    """
    whole = transform.measure(style, None)
    if where is None:
        return whole[:, None]  # (B, n) -> (B, 1, n)
    enough = where.flatten(2).sum(2) >= _FEWEST  # (B, R, H, W) -> (B, R)
    numbers = [
        torch.where(enough[:, index, None], transform.measure(style, region), whole)
        for index, region in enumerate(where.unbind(1))
    ]
    return torch.stack(numbers, dim=1)  # R x (B, n) -> (B, R, n)


def match(transform: Transform, content: Tensor, style: Tensor, where: Tensor | None = None) -> Tensor:
    """A content's map with a style's statistics, in each region those of its like.

    content: (B, C, H, W). style: (B, R, n), what `measure` says of the same regions, or (1, R, n) for all. where:
    (B, R, H, W) bool; None: one region, all of it. Returns content's shape and type. Of a region of n pixels none comes
    further from the style's mean than sqrt(n) deviations, so the smallest need no care: one pixel becomes the mean.
    """
    if where is None:
        return transform.match(content, style[:, 0], None).to(content.dtype)
    matched = content
    for index, region in enumerate(where.unbind(1)):
        changed = transform.match(content, style[:, index], region).to(content.dtype)
        matched = torch.where(region[:, None], changed, matched)  # (B, H, W) -> (B, 1, H, W)
    return matched


def _centred(features: Tensor, region: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels of a map less a region's mean (B, C, N), that mean (B, C, 1), and each pixel's share of the region
    (B, 1, N), which is 0 outside of it.

    The mean's own rounding is taken off too: in a content of one colour it would be all that is left to be scaled up.
    """
    pixels = features.float().flatten(2)  # (B, C, H, W) -> (B, C, N)
    if region is None:
        shares = pixels.new_full((len(pixels), 1, pixels.shape[2]), 1 / pixels.shape[2])
    else:
        inside = region.flatten(1)[:, None].to(pixels)  # (B, H, W) -> (B, 1, N)
        shares = inside / inside.sum(2, keepdim=True).clamp(min=1)
    mean = (pixels * shares).sum(2, keepdim=True)
    centred = pixels - mean
    rest = (centred * shares).sum(2, keepdim=True)
    return centred - rest, mean + rest, shares


def _moments(style: Tensor, region: Tensor | None) -> Tensor:
    """Mean and standard deviation of each channel: (B, 2C)."""
    centred, mean, shares = _centred(style, region)
    deviation = (centred.square() * shares).sum(2).sqrt()
    return torch.cat((mean[:, :, 0], deviation), dim=1)


def _match_moments(content: Tensor, numbers: Tensor, region: Tensor | None) -> Tensor:
    """AdaIN: sigma(y) (x - mu(x)) / sigma(x) + mu(y), the paper's equation."""
    centred, _, shares = _centred(content, region)
    deviation = ((centred.square() * shares).sum(2, keepdim=True) + _VARIANCE).sqrt()
    wanted, spread = numbers[:, :, None].chunk(2, dim=1)  # (B, 2C, 1) -> twice (B, C, 1)
    return (spread * (centred / deviation) + wanted).reshape(content.shape)  # (B, C, N) -> (B, C, H, W)


def _spectrum(centred: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (B, C), ascending, and eigenvectors (B, C, C), its columns, of a covariance.

    In float64, since eigenvalues far below the largest decide what whitening does; on the CPU where the device has none
    (MPS). Pixels that are not finite stay so in what is made of them, and are no exception here.
    """
    covariance = ((centred * shares) @ centred.mT).nan_to_num(0, 0, 0)
    place = "cpu" if centred.device.type == "mps" else centred.device
    values, vectors = torch.linalg.eigh(covariance.to(place).double())
    return values, vectors


def _covariance(style: Tensor, region: Tensor | None) -> Tensor:
    """Mean of each channel and the root of the covariance, E D^(1/2) E^T: (B, C + C^2)."""
    with torch.autocast(style.device.type, enabled=False):
        centred, mean, shares = _centred(style, region)
        values, vectors = _spectrum(centred, shares)
        root = (vectors * values.clamp(min=0).sqrt()[:, None]) @ vectors.mT
    return torch.cat((mean[:, :, 0], root.flatten(1).to(mean)), dim=1)


def _match_covariance(content: Tensor, numbers: Tensor, region: Tensor | None) -> Tensor:
    """WCT: whitened by E D^(-1/2) E^T of the content's covariance, coloured by the style's root."""
    channels = content.shape[1]
    wanted = numbers[:, :channels, None]
    root = numbers[:, channels:].reshape(-1, channels, channels)  # (b, C^2) -> (b, C, C)
    with torch.autocast(content.device.type, enabled=False):
        centred, _, shares = _centred(content, region)
        values, vectors = _spectrum(centred, shares)
        floor = (_SHARE * values[:, -1:]).clamp(min=_EIGENVALUE)
        whitening = (vectors * values.maximum(floor).rsqrt()[:, None]) @ vectors.mT
        change = (root.to(whitening) @ whitening).to(centred)  # (B, C, C)
        return (change @ centred + wanted).reshape(content.shape)  # (B, C, N) -> (B, C, H, W)


TRANSFORMS = {
    "adain": Transform(lambda channels: 2 * channels, _moments, _match_moments),
    "wct": Transform(lambda channels: channels + channels**2, _covariance, _match_covariance),
}
