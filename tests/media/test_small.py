"""Small pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from colorcli.media.small import encoded_alike, small_picture, within


@pytest.mark.parametrize("kind", ["L", "RGB", "RGBA", "I;16", "P"])
def test_any_mode_becomes_three_bands(kind: str, tmp_path: Path, photograph: Callable[..., Any]) -> None:
    """Oracle: Pillow's own conversion to RGB, opaque; one step for the rounding of a palette or of 16 bits."""
    picture = Image.fromarray(photograph("coffee", 60, 40))
    gray = np.asarray(picture.convert("L"))
    shown = Image.fromarray(gray.astype(np.uint16) * 257) if kind == "I;16" else picture.convert(kind)
    shown.save(tmp_path / "a.png")
    truth = np.repeat(gray[..., None], 3, 2) if kind == "I;16" else np.asarray(shown.convert("RGB"))
    small = small_picture(tmp_path / "a.png", 60, 40).numpy()
    assert small.shape == (40, 60, 3) and small.dtype == np.uint8
    assert np.abs(small.astype(int) - truth).max() <= 1


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    """Oracle: white."""
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save(tmp_path / "a.png")
    assert np.unique(small_picture(tmp_path / "a.png", 8, 8).numpy()).tolist() == [255]


@pytest.mark.parametrize("most", [2_000, 20_000, 200_000])
def test_files_are_as_short_as_was_asked(most: int, photograph: Callable[..., Any]) -> None:
    """Oracle: the lengths; both of one size and the photo's shape, read by libvips; more bytes, more pixels."""
    picture = pyvips.Image.new_from_array(photograph("astronaut", 480, 320))
    noise = pyvips.Image.new_from_array(np.random.default_rng(0).integers(0, 255, (320, 480, 3), dtype=np.uint8))
    files = encoded_alike([picture, noise], most)
    sizes = {(one.width, one.height) for one in (pyvips.Image.new_from_buffer(file, "") for file in files)}
    ((width, height),) = sizes
    assert sum(map(len, files)) <= most and width / height == pytest.approx(1.5, rel=0.05)
    assert width >= {2_000: 48, 20_000: 150, 200_000: 480}[most]


def test_the_smallest_is_returned_however_long(photograph: Callable[..., Any]) -> None:
    """Oracle: 48 pixels, which cannot be held in ten bytes."""
    (file,) = encoded_alike([pyvips.Image.new_from_array(photograph("astronaut", 96, 96))], 10)
    assert pyvips.Image.new_from_buffer(file, "").width == 48


def test_pictures_are_never_enlarged(photograph: Callable[..., Any]) -> None:
    """Oracle: the size that it had; the long side where it had more."""
    picture = pyvips.Image.new_from_array(photograph("astronaut", 30, 20))
    assert within(picture, 40).width == 30
    assert (within(picture, 15).width, within(picture, 15).height) == (15, 10)
