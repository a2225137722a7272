"""Tones aged at random for training."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.methods.aging import aged


def _ramp(count: int) -> Tensor:
    """Each photo: columns of L from 0 to 100."""
    return torch.linspace(0, 100, 101).expand(count, 1, 400, 101)


def test_half_are_spared_and_none_leaves_the_range() -> None:
    """Oracle: 300 photos: about half come back exactly (0.42 to 0.58, five standard deviations of the share), all stay
    in 0..100."""
    photos = torch.full((300, 1, 8, 8), 40.0)
    found = aged(photos, torch.arange(300), 1.0)
    spared = (found == photos).flatten(1).all(1).double().mean()
    assert 0.35 < float(spared) < 0.65
    assert 0 <= float(found.min()) < 20
    assert 60 < float(found.max()) <= 100


def test_tones_keep_their_order_and_grain_averages_out() -> None:
    """Oracle: the mean over 400 rows of a ramp is a rising curve (grain of at most 6 leaves 0.3, three times that is
    allowed between columns ten apart); black rises to at most 30 and white falls to at least 70 (and 2 of clipping)."""
    found = aged(_ramp(40), torch.arange(40), 1.0).mean(2)[:, 0]  # (40, 1, 400, 101) -> (40, 101)
    assert float((found[:, 10:] - found[:, :-10]).min()) > -0.9
    assert -0.1 <= float(found[:, 0].min()) <= float(found[:, 0].max()) < 32.5
    assert float(found[:, 100].min()) > 67.5
    assert float(found[:, 0].max()) > 15
    assert float(found[:, 100].min()) < 85
    middle = found[:, 50]
    assert float(middle.max() - middle.min()) > 20  # gamma from 1/2 to 2 takes 50 to 25..71


def test_it_follows_from_the_photo_s_own_seed() -> None:
    """Oracle: the same seed in another batch, at another place: the same picture, exactly; another seed: another."""
    photos = torch.full((4, 1, 8, 8), 50.0)
    first = aged(photos, torch.tensor([1, 2, 3, 4]), 0.7)
    second = aged(photos[:2], torch.tensor([4, 3]), 0.7)
    assert torch.equal(second, first[[3, 2]])
    others = aged(torch.full((40, 1, 8, 8), 50.0), torch.arange(40), 0.7)
    assert len({tuple(photo.flatten().tolist()) for photo in others}) > 10


def test_less_is_less() -> None:
    """Oracle: the mean change of 60 ramps grows with the amount, and is 0 at 0 (1e-4, the power's rounding)."""
    ramps = _ramp(60)
    changes = [float((aged(ramps, torch.arange(60), amount) - ramps).abs().mean()) for amount in (0.0, 0.3, 0.6, 1.0)]
    assert changes[0] < 1e-4
    assert changes == sorted(changes)
    assert changes[3] > 2.5 * changes[1] > 0.5
