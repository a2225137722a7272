"""Mean absolute error and F-measures of saliency maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from colorcli.metrics.saliency import curves, f_measure, f_score, max_f, mean_absolute_error


def _maps(count: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = (torch.rand(count, 1, 12, 10, generator=generator) > 0.7).float()
    return truth, (0.3 * truth + 0.6 * torch.rand(count, 1, 12, 10, generator=generator)).clamp(0, 1)


def _by_hand(truth: np.ndarray, saliency: np.ndarray, threshold: float) -> tuple[float, float]:
    """Precision and recall, pixel by pixel."""
    hits = chosen = real = 0
    for wanted, value in zip(truth.ravel(), saliency.astype(float).ravel(), strict=True):
        chosen += value >= threshold
        real += wanted > 0.5
        hits += value >= threshold and wanted > 0.5
    return (hits / chosen if chosen else 0.0), (hits / real if real else 0.0)


def test_mean_absolute_error() -> None:
    """Oracle: numpy, picture by picture; 1e-9, both in double precision."""
    truth, saliency = _maps()
    expected = [np.abs(a.double().numpy() - b.double().numpy()).mean() for a, b in zip(truth, saliency, strict=True)]
    assert mean_absolute_error(truth, saliency).tolist() == pytest.approx(expected, abs=1e-9)


def test_adaptive_f_measure() -> None:
    """Oracle: Achanta et al. 2009 in a loop: threshold of twice the mean, (1 + 0.3) P R / (0.3 P + R); 1e-9."""
    truth, saliency = _maps()
    expected = []
    for a, b in zip(truth.numpy(), saliency.numpy(), strict=True):
        precision, recall = _by_hand(a, b, min(2 * b.astype(float).mean(), 1))
        expected.append(1.3 * precision * recall / (0.3 * precision + recall))
    assert f_measure(truth, saliency).tolist() == pytest.approx(expected, abs=1e-9)
    assert len(set(expected)) == 3


def test_curves_and_the_pooled_maximum() -> None:
    """Oracle: the loop at thresholds k / 255; precision and recall averaged over the pictures, then F, then its largest
    value; 1e-9. The mean of the pictures' own maxima is another (larger) number."""
    truth, saliency = _maps()
    precision, recall = curves(truth, saliency)
    assert precision.shape == recall.shape == (3, 256)
    for k in (0, 1, 77, 128, 200, 255):
        for picture in range(3):
            expected = _by_hand(truth[picture].numpy(), saliency[picture].numpy(), k / 255)
            assert (float(precision[picture, k]), float(recall[picture, k])) == pytest.approx(expected, abs=1e-9)
    p, r = precision.mean(0).numpy(), recall.mean(0).numpy()
    found = max_f(precision, recall)
    assert found == pytest.approx(np.nanmax(1.3 * p * r / np.maximum(0.3 * p + r, 1e-12)), abs=1e-9)
    own = np.mean([max_f(precision[i : i + 1], recall[i : i + 1]) for i in range(3)])
    assert own > found


def test_perfect_and_worst() -> None:
    """Oracle: closed form: the mask itself has an error of 0 and F 1, its inverse an error of 1 and F 0."""
    truth, _ = _maps()
    precision, recall = curves(truth, truth)
    assert mean_absolute_error(truth, truth).tolist() == [0, 0, 0]
    assert f_measure(truth, truth).tolist() == [1, 1, 1]
    assert max_f(precision, recall) == 1
    assert mean_absolute_error(truth, 1 - truth).tolist() == [1, 1, 1]
    assert f_measure(truth, 1 - truth).tolist() == [0, 0, 0]


def test_edges_of_the_definition() -> None:
    """Oracle: closed form: no object gives 0; a blank map has the threshold 0, so it chooses all: precision is the
    mask's share, recall 1; a map of ones keeps the threshold 1; nothing to weigh is 0, not a NaN."""
    truth = torch.zeros(1, 1, 4, 4)
    assert f_measure(truth, torch.ones_like(truth)).tolist() == [0]
    truth[..., 0] = 1
    for blank in (torch.zeros_like(truth), torch.ones_like(truth)):
        assert f_measure(truth, blank).tolist() == pytest.approx([1.3 * 0.25 / (0.3 * 0.25 + 1)])
    assert float(f_score(torch.tensor(0.0), torch.tensor(0.0))) == 0
