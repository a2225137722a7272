"""decode and encode: the two stages that touch files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from colorcli.items import Colored, Failure, Finished, Job, Photo
from colorcli.media.results import ResultOptions
from colorcli.stages.decode import decode
from colorcli.stages.encode import encode


@pytest.fixture
def photo(tmp_path: Path, put_photo: Callable[..., Path]) -> Photo:
    source = put_photo(tmp_path / "a.png", "chelsea", 128, 64)
    decoded = decode(Job(source, tmp_path / "out" / "a.png", "a.png"), 64, 8)
    assert isinstance(decoded, Photo)
    return decoded


def test_decode_gives_the_lightness_at_the_networks_size(photo: Photo, tmp_path: Path) -> None:
    """Oracle: scikit-image's L of Pillow's Lanczos reduction, mean within 0.8 L: another Lanczos implementation."""
    assert (photo.header.width, photo.header.height, photo.header.bits) == (128, 64, 8)
    assert photo.lightness.shape == (1, 48, 88) and photo.lightness.dtype == torch.float32  # 64 * 2^0.5 = 90.5, 45.3
    small = Image.open(tmp_path / "a.png").resize((88, 48), Image.Resampling.LANCZOS).convert("RGB")
    expected = rgb2lab(np.asarray(small))[..., 0]
    assert np.abs(photo.lightness[0].numpy() - expected).mean() < 0.8


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n"], ids=["empty", "text", "header"])
def test_decode_makes_unreadable_files_a_failure(tmp_path: Path, content: bytes) -> None:
    """Oracle: the contract; the Failure names the file and the stage and gives a reason."""
    (tmp_path / "bad.png").write_bytes(content)
    failure = decode(Job(tmp_path / "bad.png", tmp_path / "out.png", "bad.png"), 64, 8)
    assert isinstance(failure, Failure)
    assert (failure.name, failure.stage) == ("bad.png", "decode") and len(failure.reason) > 10


def test_decode_refuses_what_is_larger_than_allowed(photo: Photo) -> None:
    """Oracle: 128 x 64 = 8192 pixels; 0 is no limit."""
    assert isinstance(decode(photo.job, 64, 8, 8191), Failure)
    assert isinstance(decode(photo.job, 64, 8, 8192), Photo) and isinstance(decode(photo.job, 64, 8, 0), Photo)


def test_encode_writes_the_chroma_onto_the_photos_lightness(photo: Photo) -> None:
    """Oracle: constant ab = (20, 30) read back by scikit-image: median within 1.5 (8-bit rounding reaches that in
    dark pixels); the photo's L within 1 for 99.9 %."""
    chroma = torch.tensor([20.0, 30.0])[:, None, None].expand(2, 48, 88).clone()
    outcome = encode(Colored(photo, chroma), ResultOptions())
    assert outcome == Finished(photo.job, ())
    before = rgb2lab(np.asarray(Image.open(photo.job.source).convert("RGB")))
    after = rgb2lab(np.asarray(Image.open(photo.job.target)))
    assert np.abs(np.median(after[..., 1:], axis=(0, 1)) - (20, 30)).max() < 1.5
    assert (np.abs(after[..., 0] - before[..., 0]) <= 1).mean() >= 0.999


@pytest.mark.parametrize(
    ("size", "saturation", "told"), [(1.0, 1.0, True), (20.0, 1.0, False), (1.0, 9.0, False), (20.0, 0.0, False)]
)
def test_encode_warns_of_a_nearly_gray_result(photo: Photo, size: float, saturation: float, told: bool) -> None:
    """Oracle: mean chroma below 4, where a person sees gray; not where a person asked for gray."""
    chroma = torch.full((2, 48, 88), size)
    outcome = encode(Colored(photo, chroma), ResultOptions(saturation=saturation))
    assert isinstance(outcome, Finished)
    assert any("nearly gray" in note for note in outcome.notes) is told


def test_encode_makes_a_target_that_cannot_be_written_a_failure(photo: Photo, tmp_path: Path) -> None:
    """Oracle: the contract: a Failure, and nothing is left behind."""
    (tmp_path / "blocked").touch()
    job = replace(photo.job, target=tmp_path / "blocked" / "a.png")
    failure = encode(Colored(replace(photo, job=job), torch.zeros(2, 48, 88)), ResultOptions())
    assert isinstance(failure, Failure) and failure.stage == "encode"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "blocked"]
