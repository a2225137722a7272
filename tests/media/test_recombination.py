"""The pixel arithmetic by itself."""

from __future__ import annotations

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import color

from colorcli.media.recombination import enlarge, gamut_by_taxicab, recombine
from colorcli.stages.encode import gamut as gamut_of_the_product


@pytest.mark.parametrize(("width", "height"), [(100, 40), (333, 97), (12, 5), (7, 3)])
def test_enlarge_is_centred(width: int, height: int) -> None:
    """Oracle: closed form, a ramp sampled at (x + 0.5) / scale - 0.5, borders repeated; 1e-4 (float32)."""
    small = np.zeros((5, 12, 2), dtype=np.float32)
    small[..., 0] = np.arange(12)[None, :]
    small[..., 1] = np.arange(5)[:, None]
    large = enlarge(small, width, height).numpy()
    across = np.clip((np.arange(width) + 0.5) * 12 / width - 0.5, 0, 11)
    down = np.clip((np.arange(height) + 0.5) * 5 / height - 0.5, 0, 4)
    assert large.shape == (height, width, 2)
    assert np.abs(large[..., 0] - across[None, :]).max() < 1e-4 + (width >= 32 * 12) / 16
    assert np.abs(large[..., 1] - down[:, None]).max() < 1e-4


def test_enlarge_in_blocks_stays_close_and_centred() -> None:
    """Oracle: closed form as above; a sixteenth of a cell at most, and no mean shift (0.002 of a cell)."""
    small = np.repeat(np.arange(10, dtype=np.float32)[None, :, None], 4, axis=0)
    width = 640 + 1  # blocks of 4 pixels, and a cut one at the end
    row = enlarge(small, width, 256).numpy().reshape(256, width)[100]
    exact = np.clip((np.arange(width) + 0.5) * 10 / width - 0.5, 0, 9)
    assert np.abs(row - exact).max() < 1 / 16
    assert abs(float((row - exact)[40:-40].mean())) < 0.002


def test_taxicab_of_a_circle() -> None:
    """Oracle: closed form: chroma 1 at 45 degrees is sqrt(2) in |a| + |b|, on the axes 1; 1e-6."""
    table = gamut_by_taxicab(np.ones((2, 9), dtype=np.float32))
    assert table[0] == pytest.approx([1, 2**0.5, 1, 2**0.5, 1, 2**0.5, 1, 2**0.5, 1], abs=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=12), st.floats(-128, 127), st.floats(-128, 127))
def test_any_chroma_comes_out_at_its_lightness_and_hue(lightness: list[float], a: float, b: float) -> None:
    """Oracle: scikit-image's Lab of the 16-bit result: L within 1, the promise (a cell of the gamut's table may hold a
    ridge of it); chroma no more than was asked for, and of its hue: 1.5 off the ray to (a, b), which clipping to 0..1
    costs near yellow (see `color/gamut.py`)."""
    row = np.array([lightness], dtype=np.float32)
    offset = np.full((1, 1, 2), (a, b), dtype=np.float32)
    image = recombine(pyvips.Image.new_from_array(row), np.zeros_like(offset), offset, gamut_of_the_product(), 16)
    pixels: NDArray[np.uint16] = image.numpy()
    lab = color.rgb2lab(pixels.reshape(1, -1, 3) / 65_535)[0]
    assert np.abs(lab[:, 0] - row[0]).max() < 1
    chroma = float(np.hypot(a, b))
    assert np.hypot(lab[:, 1], lab[:, 2]).max() <= chroma + 1.5
    across = (lab[:, 1] * b - lab[:, 2] * a) / max(chroma, 1e-9)  # the distance from the ray
    assert np.abs(across).max() < 1.5 and (lab[:, 1] * a + lab[:, 2] * b >= -1.5 * chroma).all()
