"""The self-references of Color2Embed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator
from torch import Tensor

from colorcli.methods.color2embed.augment import Augmentation, bent, draw, pixel_centres, self_reference, turned

STILL = Augmentation(noise=0.0, warp=False, turn=False)
WARPED = Augmentation(noise=0.0, turn=False)


def _picture(count: int = 2, side: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def _spline(controls: np.ndarray, values: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.asarray(RBFInterpolator(controls, values, kernel="thin_plate_spline", degree=1)(places))


def test_spline() -> None:
    """Oracle: scipy's thin plate splines; 1e-4 of the picture's side (float32 against float64)."""
    generator = torch.Generator().manual_seed(3)
    controls, values = (torch.rand(2, 6, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    places = pixel_centres(9, 12).expand(2, -1, -1, -1)
    found = bent(places, controls, values)
    for index in range(2):
        expected = _spline(
            controls[index].numpy(), values[index].numpy(), places[index].reshape(-1, 2).double().numpy()
        )
        assert np.abs(found[index].reshape(-1, 2).numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("augmentation", [WARPED, Augmentation(noise=0.0)])
def test_warp_as_the_published_control_points_say(augmentation: Augmentation) -> None:
    """Oracle: a picture whose red is x and green y shows where each pixel came from: scipy's spline from the drawn
    points of the reference to those of the picture, corners to themselves, where that is inside by a pixel; 2e-3 of the
    side (sampling in float32; between pixel centres a ramp is exact). Turned, too: from outside comes the warped
    picture, mirrored at its border."""
    side = 64
    ramp = torch.cat((pixel_centres(side, side).permute(0, 3, 1, 2), torch.zeros(1, 1, side, side)), dim=1)
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    for seed in range(4):
        found = self_reference(ramp, torch.tensor([seed]), augmentation)[0, :2].permute(1, 2, 0).numpy()
        drawn = draw(seed)
        after, before = (np.array([*corners, *((t, t) for t in pair)]) for pair in (drawn.after, drawn.before))
        places = pixel_centres(side, side)
        if augmentation.turn:
            places = turned(places, [drawn.mirrored], [drawn.angle])
        places = torch.where(places < 0, -places, torch.where(places > 1, 2 - places, places))
        expected = _spline(after, before, places.reshape(-1, 2).double().numpy())
        expected = expected.reshape(side, side, 2)
        inside = ((expected > 1 / side) & (expected < 1 - 1 / side)).all(-1)
        assert inside.mean() > 0.5
        assert np.abs(found - expected)[inside].max() < 2e-3
        assert np.abs(found - ramp[0, :2].permute(1, 2, 0).numpy()).max() > 0.02


def test_draws_are_in_the_published_ranges() -> None:
    """Oracle: methods.md: inner points at 0.3 .. 0.7, moved by up to 0.25; our reading keeps them 0.05 apart. Over 200
    seeds both flips, all quarters of the circle and both halves of the ranges come."""
    draws = [draw(seed) for seed in range(200)]
    before, after = (np.array([getattr(d, name) for d in draws]) for name in ("before", "after"))
    assert 0.3 <= before.min() < 0.35 and 0.65 < before.max() <= 0.7
    assert 0.2 < np.abs(after - before).max() <= 0.25
    assert np.abs(after[:, 0] - after[:, 1]).min() >= 0.05
    assert {d.mirrored for d in draws} == {(a, b) for a in (True, False) for b in (True, False)}
    assert {int(d.angle / (math.pi / 2)) for d in draws} == {0, 1, 2, 3}
    assert len({d.noise for d in draws}) == 200


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [(False, False), (True, False), (False, True)])
def test_quarter_turns_and_flips(quarters: int, mirrored: tuple[bool, bool]) -> None:
    """Oracle: torch.flip, then torch.rot90 (counterclockwise) of the pixels' places; 1e-5."""
    places = pixel_centres(8, 8)
    found = turned(places, [mirrored], [quarters * math.pi / 2])
    flipped = places.flip([axis for axis, flip in ((2, mirrored[0]), (1, mirrored[1])) if flip])
    assert torch.allclose(found, torch.rot90(flipped, quarters, (1, 2)), atol=1e-5)


def test_a_rotation_keeps_shapes_on_wide_pictures() -> None:
    """Oracle: distances in pixels between any two pixels of a 6 x 10 picture are kept; 1e-4."""
    places = pixel_centres(6, 10)
    sides = torch.tensor((10.0, 6.0))
    before = (places * sides).reshape(-1, 2)
    after = (turned(places, [(True, False)], [0.7]) * sides).reshape(-1, 2)
    exact = "donot_use_mm_for_euclid_dist"
    distances = [torch.cdist(places, places, compute_mode=exact) for places in (before, after)]
    assert torch.allclose(*distances, atol=1e-4)


def test_geometry_brings_in_no_other_colour() -> None:
    """Oracle: a plain picture stays plain (1e-6), without black corners; of two colours every value lies between."""
    plain = torch.tensor([0.8, 0.3, 0.1])[None, :, None, None].expand(8, 3, 24, 24)
    assert torch.allclose(self_reference(plain, torch.arange(8), Augmentation(noise=0.0)), plain, atol=1e-6)
    halves = torch.cat((torch.full((8, 3, 24, 12), 0.25), torch.full((8, 3, 24, 12), 0.75)), dim=3)
    found = self_reference(halves, torch.arange(8), Augmentation(noise=0.0))
    assert 0.25 - 1e-6 <= float(found.min()) < 0.3 and 0.7 < float(found.max()) <= 0.75 + 1e-6
    assert float((found - halves).abs().max()) > 0.4


def test_noise() -> None:
    """Oracle: the normal distribution: sigma of 5 / 255 within 3 %, mean 0, kurtosis 3 within 0.15 (a uniform one has
    1.8); each picture and seed its own."""
    gray = torch.full((2, 3, 96, 96), 0.5)
    found = (self_reference(gray, torch.tensor([1, 2]), Augmentation(warp=False, turn=False)) - gray).double()
    assert float(found.std()) == pytest.approx(5 / 255, rel=0.03)
    assert abs(float(found.mean())) < 3e-4
    assert float((found**4).mean() / found.var() ** 2) == pytest.approx(3, abs=0.15)
    assert abs(float(torch.corrcoef(found.flatten(1))[0, 1])) < 0.05


def test_range_is_kept() -> None:
    """Oracle: the contract, 0..1, for black and white under strong noise."""
    ends = torch.cat((torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)))
    found = self_reference(ends, torch.arange(2), Augmentation(noise=60.0))
    assert float(found.min()) == 0 and float(found.max()) == 1 and float(found.std(dim=(1, 2, 3)).min()) > 0.02


def test_a_reference_follows_from_its_own_seed() -> None:
    """Oracle: each picture alone; exact. Another seed gives another; with everything off it is the truth; exact."""
    pictures, seeds = _picture(4), torch.tensor([5, 6, 7, 5])
    together = self_reference(pictures, seeds, Augmentation())
    for index in range(4):
        alone = self_reference(pictures[index : index + 1], seeds[index : index + 1], Augmentation())
        assert torch.equal(together[index], alone[0])
    assert not torch.allclose(together[:1], self_reference(pictures[:1], torch.tensor([8]), Augmentation()), atol=0.1)
    assert torch.equal(self_reference(pictures, seeds, STILL), pictures)


def test_seeds_must_match() -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match="2 pictures need as many seeds, not 3"):
        self_reference(_picture(), torch.arange(3), Augmentation())
