"""Shots and frames' times: what was made is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorcli.errors import PhotoError
from colorcli.media.films.reading import header_of
from colorcli.media.films.scan import Scan, Shot, scan, scan_from

from ...films import Recipe, pan, write_film

Photograph = Callable[..., Any]
_LOSSLESS = Recipe("ffv1", "gray")


def _shots(frames: list[Any], tmp_path: Path) -> list[tuple[int, int]]:
    found = scan(header_of(write_film(tmp_path / "film.mkv", frames, _LOSSLESS)))
    return [(shot.first, shot.end) for shot in found.shots]


def test_cuts_are_found_where_they_were_made(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: the film was joined of three pieces."""
    pieces = [pan(photograph, name, 7) for name in ("astronaut", "coffee", "rocket")]
    assert _shots([frame for piece in pieces for frame in piece], tmp_path) == [(0, 7), (7, 14), (14, 21)]


@pytest.mark.parametrize("step", [0, 4])
def test_motion_is_no_cut(step: int, photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: one pan, still or fast from its first frame on."""
    assert _shots(pan(photograph, "chelsea", 10, step=step), tmp_path) == [(0, 10)]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length: int, photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: a pan with some frames of white in it."""
    frames = pan(photograph, "astronaut", 16)
    frames[6 : 6 + length] = [np.full_like(frames[0], 255)] * length
    assert _shots(frames, tmp_path) == [(0, 16)]


def test_fades_are_no_cuts(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: a picture that comes up from black and goes there again, and one that dissolves into another."""
    frames = pan(photograph, "astronaut", 24)
    faded = [(frame * np.sin(n / 23 * np.pi)).astype(np.uint8) for n, frame in enumerate(frames)]
    assert _shots(faded, tmp_path) == [(0, 24)]
    other = pan(photograph, "coffee", 24)
    mixed = [
        (one + (two.astype(float) - one) * n / 23).astype(np.uint8)
        for n, (one, two) in enumerate(zip(frames, other, strict=True))
    ]
    assert _shots(mixed, tmp_path) == [(0, 24)]


def test_a_scan_is_read_back() -> None:
    """Oracle: what was written; anything else is an error that the caller knows."""
    found = Scan((Shot(0, 2), Shot(2, 3)), [0, 40, 90], [40, 50, 0], {1: "missing"}, 2)
    assert scan_from(found.as_json()) == found
    with pytest.raises((ValueError, KeyError, TypeError)):
        scan_from("{}")


def test_times_are_the_files_own(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: the times that the film was written with, of a variable rate, in its own unit."""
    times = [0, 100, 5000, 5001, 90_000]
    frames = pan(photograph, "astronaut", 5)
    header = header_of(write_film(tmp_path / "a.mp4", frames, Recipe(times=times)))
    assert [time * header.unit * 90_000 for time in scan(header).times] == times


def test_no_frame_is_an_error(tmp_path: Path) -> None:
    """Oracle: PhotoError, of a film whose header is all that it has."""
    import av

    with av.open(str(tmp_path / "a.avi"), "w") as output:
        output.add_stream("mpeg4", rate=24)
        output.start_encoding()
    with pytest.raises(PhotoError, match="no frame that can be decoded"):
        header_of(tmp_path / "a.avi")
