"""The colours of maps."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab

from colorcli.color.heat import _STATIONS, heat_table


def test_equal_steps_look_equal() -> None:
    """Oracle: scikit-image's Lab: lightness rises all the way; steps of 1/16 differ by less than a tenth in delta E 76,
    but for the two that cut a corner of the way; the stations are met (rounding to 8 bits: 1.5)."""
    table = heat_table().numpy()
    assert table.shape == (256, 3) and table.dtype == np.uint8
    lab = rgb2lab(table[None])[0]
    assert (np.diff(lab[::4, 0]) > 0).all()
    steps = np.sort(np.linalg.norm(np.diff(lab[::16], axis=0), axis=1))[2:]
    assert steps.max() / steps.min() < 1.1
    for station in _STATIONS:
        assert np.linalg.norm(lab - station, axis=1).min() < 1.5
    assert np.linalg.norm(lab[[0, -1]] - np.array([_STATIONS[0], _STATIONS[-1]]), axis=1).max() < 1.5
