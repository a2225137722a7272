"""Accuracy of a classifier."""

from __future__ import annotations

import torch
from torch import Tensor


def top1(logits: Tensor, labels: Tensor) -> float:
    """Share of pictures, 0..1, whose own class has the largest logit. logits: (B, classes); labels: (B,) int64.

    The first of equal logits counts as the largest. Shapes that do not fit, or no pictures, raise ValueError.
    """
    if logits.dim() != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(f"expected (B, classes) and (B,), got {tuple(logits.shape)} and {tuple(labels.shape)}")
    return float((torch.argmax(logits, dim=1) == labels).double().mean())
