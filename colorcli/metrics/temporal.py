"""How steadily a film's chroma follows its motion: chroma warp error and its excess over the true film's.

Luma is left out: a method that keeps the film's lightness would only be compared with itself, and grain would count.
"""

from __future__ import annotations

from torch import Tensor


def chroma_change(carried: Tensor, own: Tensor) -> Tensor:
    """Per pixel, the distance in the ab plane between a frame's chroma and what motion carries from the frame before.

    carried: (B, 2, h, w) CIE ab of the frames before, warped along the flow to the frames of `own`, (B, 2, h, w).
    Returns (B, h, w) float64. Errors: ValueError for other shapes.
    """
    if own.dim() != 4 or own.shape[1] != 2 or carried.shape != own.shape:
        raise ValueError(f"expected chroma (B, 2, h, w) twice, got {tuple(carried.shape)} and {tuple(own.shape)}")
    return (own.double() - carried.double()).square().sum(1).sqrt()  # (B, 2, h, w) -> (B, h, w)


def chroma_warp_error(change: Tensor, reliable: Tensor) -> Tensor:
    """Mean change of chroma along the motion, units of ab, over reliable pixels.

    change: (B, h, w), as `chroma_change` gives. reliable: (B, h, w) bool. Returns (B,) float64, NaN where no pixel is
    reliable. The form is the warp error of Lai et al. (2018) with a distance in ab for the squared one in RGB.
    Errors: ValueError for shapes that differ.
    """
    _check(change, reliable)
    return _mean(change.double(), reliable)


def excess_warp_error(change: Tensor, true_change: Tensor, reliable: Tensor) -> Tensor:
    """Mean change of chroma beyond what the true film's own chroma changes by at the same place, units of ab.

    change, true_change: (B, h, w), of the coloured and of the true film along the same motion. reliable: (B, h, w)
    bool. Per pixel max(0, change - true change), then the mean over reliable pixels: (B,) float64, NaN where there are
    none. The difference of the two films' warp errors would not do: a muted film changes less than the true one
    wherever that has coloured detail, and this would pay for flicker elsewhere.
    Errors: ValueError for shapes that differ.
    """
    _check(change, reliable)
    _check(true_change, reliable)
    return _mean((change.double() - true_change.double()).clamp(min=0), reliable)


def _check(change: Tensor, reliable: Tensor) -> None:
    if change.dim() != 3 or change.shape != reliable.shape:
        raise ValueError(f"expected (B, h, w) twice, got {tuple(change.shape)} and {tuple(reliable.shape)}")


def _mean(values: Tensor, reliable: Tensor) -> Tensor:
    """(B, h, w) twice -> (B,)."""
    return (values * reliable).sum((1, 2)) / reliable.sum((1, 2))
