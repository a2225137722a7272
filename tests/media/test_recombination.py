"""The pixel arithmetic by itself."""

from __future__ import annotations

import numpy as np
import pytest

from colorcli.media.recombination import enlarge, gamut_by_taxicab


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
