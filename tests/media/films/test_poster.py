"""One frame of a film as a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorcli.media.films.poster import poster

from ...films import Recipe, pan, write_film


def test_it_is_the_frame_of_that_number(tmp_path: Path, photograph: Callable[..., Any]) -> None:
    """Oracle: the frames that were written, without loss; past the end it is the last."""
    frames = pan(photograph, "coffee", 6)
    film = write_film(tmp_path / "a.mkv", frames, Recipe(codec="ffv1", pixels="gray"))
    for number, truth in ((0, frames[0]), (4, frames[4]), (5, frames[5]), (99, frames[5])):
        shown = poster(film, number, 1000).numpy()
        assert shown.shape == (48, 64, 3)
        assert np.abs(shown[..., 0].astype(int) - truth).max() <= 3  # limited range has 219 steps, and is rounded twice
        assert np.ptp(shown, axis=2).max() == 0


@pytest.mark.parametrize(("turned", "size"), [(0, (24, 32)), (90, (32, 24))])
def test_it_is_upright_and_small(
    turned: int, size: tuple[int, int], tmp_path: Path, photograph: Callable[..., Any]
) -> None:
    """Oracle: the film's shape, seen upright; its long side as was asked for."""
    film = write_film(tmp_path / "a.mp4", pan(photograph, "coffee", 3), Recipe(rotation=turned))
    shown = poster(film, 1, 32)
    assert (shown.height, shown.width) == size
