"""The quality protocol. Oracle: the same figures computed with scikit-image in float64."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from skimage.color import lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from colorcli.bench.quality import measure, photographs
from colorcli.errors import UsageError
from colorcli.loader import LoadedMethod
from colorcli.methods.registry import METHODS


def _method(predict: Callable[[Tensor], Tensor]) -> LoadedMethod:
    return LoadedMethod(METHODS["smsanet"], predict, torch.device("cpu"), torch.float32, "0" * 64, 64, {})


def _no_colour(lightness: Tensor) -> Tensor:
    return torch.zeros(len(lightness), 2, *lightness.shape[2:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("astronaut", "chelsea"):
        Image.fromarray(getattr(skimage.data, name)()[:200, :300]).save(tmp_path / f"{name}.png")
    return tmp_path


def test_gray_and_flat_tint_rows_are_those_of_scikit_image(folder: Path) -> None:
    """PSNR within 0.01 dB: the two conversions differ below 1e-3 of Lab, which moves few pixels by one 8-bit step."""
    rows, left_out = measure(_method(_no_colour), folder)
    assert left_out == []
    expected: dict[str, list[tuple[float, float]]] = {"gray": [], "flat tint": []}
    for _, picture in photographs(folder):
        truth = picture[0].permute(1, 2, 0).numpy()
        lab = rgb2lab(truth)
        for name, tint in (("gray", 0.0), ("flat tint", lab[..., 1:].mean((0, 1)))):
            flat = lab.copy()
            flat[..., 1:] = tint
            result = np.rint(255 * lab2rgb(flat).clip(0, 1)).astype(np.uint8)
            expected[name].append(
                (
                    peak_signal_noise_ratio(truth, result, data_range=255),
                    structural_similarity(truth, result, channel_axis=2, data_range=255),
                )
            )
    for row in rows[:2]:
        decibels, likeness = np.mean(expected[row.name], axis=0)
        assert row.psnr == pytest.approx(decibels, abs=0.01)
        assert row.ssim == pytest.approx(likeness, abs=1e-3)


def test_a_method_without_colour_scores_as_gray(folder: Path) -> None:
    """Closed form: ab = 0 through the product's recombination is the gray row; exact but for rounding at 8 bits."""
    rows, _ = measure(_method(_no_colour), folder)
    by_name = {row.name: row for row in rows}
    assert by_name["smsanet"].psnr == pytest.approx(by_name["gray"].psnr, abs=0.01)
    assert by_name["smsanet"].colourfulness < 0.5


def test_photos_that_are_gray_at_source_are_left_out_by_name(folder: Path) -> None:
    Image.fromarray(skimage.data.camera()).save(folder / "camera.png")
    rows, left_out = measure(_method(_no_colour), folder)
    assert left_out == ["camera.png"]
    assert rows[0].photos == 2


def test_fewer_than_two_colour_photos_are_refused(tmp_path: Path) -> None:
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="at least two colour photos"):
        measure(_method(_no_colour), tmp_path)


def test_json_holds_only_what_json_knows(tiny_weights: Path, colorize: Callable[..., Any]) -> None:
    """Oracle: RFC 8259 has no NaN and no Infinity; the truth's PSNR is infinite."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    answer = colorize("bench", "--json", "--limit", "2", "--weights", tiny_weights)
    rows = json.loads(answer.out, parse_constant=refuse)["rows"]
    assert [row["name"] for row in rows] == ["gray", "flat tint", "smsanet", "the truth"]
    assert rows[-1]["psnr"] is None and rows[-1]["photos"] == 2


def test_a_method_that_needs_a_reference_is_refused(colorize: Callable[..., object], exemplar_weights: Path) -> None:
    """Oracle: exit 2 and the reason, not a TypeError of the predictor's."""
    answer = colorize("bench", "-m", "color2embed", "--weights", exemplar_weights, "-d", "cpu")
    assert answer.code == 2 and "color2embed needs one" in answer.err and answer.out == ""
