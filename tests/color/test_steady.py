"""Chroma that does not flicker, and leaves no trails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.color.steady import Steadiness, Steady

Photograph = Callable[[str, int, int], NDArray[np.uint8]]
_HEIGHT, _WIDTH = 64, 96


@pytest.fixture(scope="module")
def scene(photograph: Photograph) -> Tensor:
    """CIE Lab of a photograph, (3, 96, 144), wider than the frames that the tests cut out of it."""
    rgb = torch.from_numpy(photograph("rocket", 144, 96).copy()).permute(2, 0, 1)  # (h, w, 3) -> (3, h, w)
    return rgb_to_lab(rgb.float() / 255)


def _frame(scene: Tensor, left: int = 10, top: int = 20) -> Tensor:
    return scene[:, top : top + _HEIGHT, left : left + _WIDTH].clone()


def _tints(count: int) -> Tensor:
    """A tint of the whole frame for each, standard deviation 5 units: the usual flicker. (count, 2, 1, 1)."""
    return 5 * torch.randn(count, 2, 1, 1, generator=torch.Generator().manual_seed(0))


def _flicker(film: list[Tensor]) -> float:
    """Root mean square change from frame to frame."""
    return float((torch.stack(film[1:]) - torch.stack(film[:-1])).square().mean().sqrt())


def test_flicker_of_a_still_scene_falls_to_a_quarter(scene: Tensor) -> None:
    """Oracle: closed form: the mean of n frames changes by 1/n of a new frame's departure: of white flicker with the
    root mean square change sqrt(2) s, frame n has s / sqrt(n (n - 1)): from the ninth on below 1/8. Here with the
    first frames, which settle: below 0.4, and from the tenth on below 0.15."""
    frame, steady = _frame(scene), Steady()
    own = [frame[1:] + tint for tint in _tints(24)]
    steadied = [steady.step(frame[:1], one) for one in own]
    assert _flicker(steadied) < 0.4 * _flicker(own)
    assert _flicker(steadied[10:]) < 0.15 * _flicker(own[10:])
    assert torch.equal(steadied[0], own[0])


def test_memory_is_a_mean_at_first(scene: Tensor) -> None:
    """Oracle: numpy.mean of the first four predictions of a still scene; 0.02, as reliability is not quite 1."""
    frame, steady = _frame(scene), Steady()
    own = [frame[1:] + tint for tint in _tints(4)]
    last = [steady.step(frame[:1], one) for one in own][-1]
    np.testing.assert_allclose(last.numpy(), np.mean([one.numpy() for one in own], axis=0), rtol=0, atol=0.02)


def test_a_lasting_change_wins(scene: Tensor) -> None:
    """Oracle: closed form: with memory 8 a step of the prediction is left by (8/9)^k after k frames: 0.03 after 30."""
    frame, steady = _frame(scene), Steady()
    for _ in range(12):
        steady.step(frame[:1], frame[1:])
    for _ in range(30):
        found = steady.step(frame[:1], frame[1:] + 20)
    left = (frame[1:] + 20 - found).mean()
    assert float(left) == pytest.approx(20 * (8 / 9) ** 30, abs=0.1)


def test_flicker_of_a_pan_falls_and_the_colour_stays(scene: Tensor) -> None:
    """Oracle: the scene's own chroma, known at every place of a pan of 1 px a frame: the mean distance from it falls to
    below 0.65 of the predictions' (half of it is the mean of four independent tints), new columns included."""
    steady, apart, own_apart = Steady(), [], []
    for number, tint in enumerate(_tints(24)):
        frame = _frame(scene, left=10 + number)
        found = steady.step(frame[:1], frame[1:] + tint)
        apart.append(float((found - frame[1:]).norm(dim=0).mean()))
        own_apart.append(float(tint.norm()))
    assert np.mean(apart[4:]) < 0.65 * np.mean(own_apart[4:])


def _crossing(scene: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Frame `number`, Lab, of a textured orange disc that crosses the scene at 2 px a frame; and the disc's mask."""
    frame = _frame(scene)
    rows, columns = torch.meshgrid(torch.arange(_HEIGHT), torch.arange(_WIDTH), indexing="ij")
    centre = 16 + 2 * number
    disc = (columns - centre) ** 2 + (rows - 32) ** 2 < 11**2
    waves = 60 + 12 * torch.sin((columns - centre) / 2.0) * torch.sin(rows / 1.7)  # moves with the disc
    orange = torch.stack((waves, torch.full_like(waves, 45.0), torch.full_like(waves, 55.0)))
    return torch.where(disc, orange, frame), disc


def test_a_moving_thing_leaves_no_trail(scene: Tensor) -> None:
    """Oracle: the frames' own predictions, which do not flicker: what the disc uncovered, two pixels off its new edge,
    stays within 3 units of its own on the average and 12 anywhere (the disc is 71 units of chroma), and the whole
    picture within 0.5. Two pixels: there the small picture's pixels hold some of both."""
    steady, before = Steady(), torch.zeros(_HEIGHT, _WIDTH, dtype=torch.bool)
    worst, means, everywhere = [], [], []
    for number in range(24):
        frame, disc = _crossing(scene, number)
        apart = (steady.step(frame[:1], frame[1:]) - frame[1:]).norm(dim=0)
        near = torch.nn.functional.max_pool2d(disc[None].float(), 5, stride=1, padding=2)[0] > 0
        uncovered = before & ~near
        before |= disc
        if number >= 2:
            worst.append(float(apart[uncovered].max()))
            means.append(float(apart[uncovered].mean()))
            everywhere.append(float(apart.mean()))
    assert max(means) < 3 and max(worst) < 12 and max(everywhere) < 0.5, (max(means), max(worst), max(everywhere))


def test_reset_forgets(scene: Tensor) -> None:
    """Oracle: a fresh one; exact, for every frame after."""
    frame, used, fresh = _frame(scene), Steady(), Steady()
    used.step(frame[:1], frame[1:] + 30)
    used.step(frame[:1], frame[1:] - 30)
    used.reset()
    for tint in _tints(3):
        assert torch.equal(used.step(frame[:1], frame[1:] + tint), fresh.step(frame[:1], frame[1:] + tint))


def test_a_flash_relies_on_its_own_prediction(scene: Tensor) -> None:
    """Oracle: the contract: a step of the mean by 24 L is three times `exposure`: memory counts exp(-9); 0.02 of 40
    units. A step of 1 L, as flicker of old films has, keeps more than four fifths of what a still scene keeps."""
    frame = _frame(scene)
    lightness = 20 + 0.5 * frame[:1]

    def kept(step: float) -> float:
        steady = Steady()
        for _ in range(8):
            steady.step(lightness, frame[1:])
        return float((frame[1:] + 40 - steady.step(lightness + step, frame[1:] + 40)).mean())

    assert abs(kept(24)) < 0.02
    assert kept(1) > 0.8 * kept(0) > 0.8 * 0.85 * 40


def test_what_is_unlike_relies_on_its_own_prediction(scene: Tensor) -> None:
    """Oracle: a cut that nobody told of, to the scene's negative, of the same mean: most of a chroma 40 units away is
    the new frame's own; a fifth may stay, where lightness agrees by chance."""
    frame, steady = _frame(scene), Steady()
    for _ in range(8):
        steady.step(frame[:1], frame[1:])
    negative = (2 * frame[:1].mean() - frame[:1]).flip(2)
    found = steady.step(negative, frame[1:] + 40)
    assert float((frame[1:] + 40 - found).mean()) < 8


def test_the_same_twice_and_nothing_given_is_changed(scene: Tensor) -> None:
    """Oracle: a second run; exact. And copies of what was given: exact; the state does not lie in what was returned."""

    def run() -> list[Tensor]:
        steady, film = Steady(Steadiness(memory=4)), []
        for number, tint in enumerate(_tints(4)):
            frame = _frame(scene, left=10 + 2 * number)
            chroma = frame[1:] + tint
            copies = frame[:1].clone(), chroma.clone()
            found = steady.step(frame[:1], chroma)
            assert torch.equal(frame[:1], copies[0]) and torch.equal(chroma, copies[1])
            film.append(found.clone())
            found.zero_()
        return film

    assert all(torch.equal(one, other) for one, other in zip(run(), run(), strict=True))


def test_wrong_shapes_and_settings_are_named() -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=r"expected lightness \(1, h, w\) and chroma \(2, h, w\)"):
        Steady().step(torch.zeros(1, 16, 16), torch.zeros(2, 16, 20))
    steady = Steady()
    steady.step(torch.zeros(1, 16, 16), torch.zeros(2, 16, 16))
    with pytest.raises(ValueError, match=r"expected two frames"):
        steady.step(torch.zeros(1, 16, 20), torch.zeros(2, 16, 20))
    with pytest.raises(ValueError, match="memory must be 1 or more"):
        Steadiness(memory=0)
