"""How well a saliency map finds the object: mean absolute error and F-measure, beta^2 = 0.3 (Achanta et al. 2009).

Two F-measures are in use. `f_measure` is the adaptive one: each map at its own threshold, twice its mean. `max_f` is
the largest over fixed thresholds; the field pools it by averaging precision and recall over the pictures first.
"""

from __future__ import annotations

import torch
from torch import Tensor

BETA_SQUARED = 0.3  # precision counts for more than recall
_STEPS = 256  # thresholds of the curves: 0, 1/255, ..., 1, as 8-bit maps have


def mean_absolute_error(truth: Tensor, saliency: Tensor) -> Tensor:
    """Per picture: (B, 1, H, W) twice, 0..1. Returns (B,) float64. Pooled over a data set it is the mean of these."""
    return (truth.double() - saliency.double()).abs().flatten(1).mean(1)  # (B, 1, H, W) -> (B, HW) -> (B,)


def f_score(precision: Tensor, recall: Tensor) -> Tensor:
    """(1 + beta^2) P R / (beta^2 P + R), elementwise, 0 where both are 0."""
    weighted = BETA_SQUARED * precision + recall
    return torch.where(weighted > 0, (1 + BETA_SQUARED) * precision * recall / weighted.clamp(min=1e-12), 0.0)


def _at(truth: Tensor, saliency: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Precision and recall per picture, of the pixels at or above its threshold: (B, HW), (B, HW), (B, 1) -> (B,)."""
    chosen, real = saliency >= threshold, truth > 0.5
    hits = (chosen & real).sum(1).double()
    return hits / chosen.sum(1).clamp(min=1), hits / real.sum(1).clamp(min=1)


def f_measure(truth: Tensor, saliency: Tensor) -> Tensor:
    """The adaptive F-measure per picture: (B, 1, H, W) twice, 0..1. Returns (B,) float64.

    The threshold is twice the map's mean, at most 1. A map that chooses nothing and a mask without an object give 0.
    Pooled over a data set it is the mean of these.
    """
    truth, saliency = truth.flatten(1), saliency.double().flatten(1)  # (B, 1, H, W) -> (B, HW)
    threshold = (2 * saliency.mean(1, keepdim=True)).clamp(max=1)
    return f_score(*_at(truth, saliency, threshold))


def curves(truth: Tensor, saliency: Tensor) -> tuple[Tensor, Tensor]:
    """Precision and recall per picture at the thresholds 0, 1/255, ..., 1: (B, 1, H, W) twice, 0..1, -> (B, 256) twice.

    float64. Where nothing is at or above a threshold, precision is 0.
    """
    truth, saliency = truth.flatten(1), saliency.double().flatten(1)
    thresholds = torch.arange(_STEPS, dtype=torch.float64, device=saliency.device) / (_STEPS - 1)
    at = [_at(truth, saliency, threshold.expand(len(truth), 1)) for threshold in thresholds]
    precision, recall = (torch.stack(values, dim=1) for values in zip(*at, strict=True))  # 256 x (B,) -> (B, 256)
    return precision, recall


def max_f(precision: Tensor, recall: Tensor) -> float:
    """The maximal F-measure of a data set from the curves of all its pictures, (N, 256) each: pooled, then maximised.

    Of one picture: give its two rows alone.
    """
    return float(f_score(precision.mean(0), recall.mean(0)).max())
