"""What the media tests share: pictures made here or carried by scikit-image's wheel, and a brute-force gamut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from skimage.color.colorconv import xyz_from_rgb

from colorcli.items import Job
from colorcli.media.results import ResultOptions, write_result

FloatArray = NDArray[np.float32]
Write = Callable[..., tuple[Path, tuple[str, ...]]]


@pytest.fixture(scope="session")
def gamut() -> FloatArray:
    """(101, 257) largest chroma inside sRGB, by bisection with scikit-image's lab2xyz and its sRGB matrix."""
    lightness = np.linspace(0, 100, 101)[:, None] * np.ones((1, 257))
    angle = np.linspace(0, 4, 257)[None, :] * np.ones((101, 1))
    a = np.where(angle <= 2, 1 - angle, angle - 3)
    b = np.where(angle <= 2, 1.0, -1.0) * (1 - np.abs(a))
    a, b = a / np.hypot(a, b), b / np.hypot(a, b)
    low, high = np.zeros_like(a), np.full_like(a, 200.0)
    to_rgb = np.linalg.inv(xyz_from_rgb)
    for _ in range(16):  # 200 / 2^16: to 0.003 of chroma
        middle = (low + high) / 2
        f_y = (lightness + 16) / 116
        f = np.stack([f_y + a * middle / 500, f_y, f_y - b * middle / 200], axis=-1)
        xyz = np.where(f > 6 / 29, f**3, (f - 16 / 116) / 7.787) * (0.95047, 1.0, 1.08883)
        linear = xyz @ to_rgb.T
        inside = ((linear > -1e-4) & (linear < 1 + 1e-4)).all(axis=-1)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low.astype(np.float32)


@pytest.fixture
def write(tmp_path: Path, gamut: FloatArray) -> Write:
    """Colours a file with constant ab (or given maps) and returns the result's path and notes."""

    def run(
        source: Path,
        name: str = "",
        ab: tuple[float, float] = (0.0, 0.0),
        slope: FloatArray | None = None,
        offset: FloatArray | None = None,
        **options: object,
    ) -> tuple[Path, tuple[str, ...]]:
        if offset is None:
            offset = np.full((6, 8, 2), ab, dtype=np.float32)
        if slope is None:
            slope = np.zeros_like(offset)
        target = tmp_path / "out" / (name or source.name)
        job = Job(source, target, source.name)
        notes = write_result(job, slope, offset, gamut, ResultOptions(**options))  # type: ignore[arg-type]
        return target, notes

    return run


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    return np.asarray(data.astronaut())  # (512, 512, 3)


@pytest.fixture(scope="session")
def camera() -> NDArray[np.uint8]:
    return np.asarray(data.camera())  # (512, 512)


@pytest.fixture
def gray_png(tmp_path: Path, camera: NDArray[np.uint8]) -> Path:
    path = tmp_path / "gray.png"
    Image.fromarray(camera).save(path)
    return path
