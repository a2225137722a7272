"""Hints as a person gives them: in words, and in sidecar files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from colorcli.errors import PhotoError, UsageError
from colorcli.items import Dot, Job, PhotoHeader
from colorcli.media.hints import open_hints, parse_dot, read_drawing

_HEADER = PhotoHeader(400, 301, "L 8-bit", 8, False)


@pytest.mark.parametrize(
    ("text", "dot"),
    [
        ("3,40,#0a80FF", Dot(3, 40, (10, 128, 255))),
        (" 0,0,#000000 ", Dot(0, 0, (0, 0, 0))),
        ("-1,7,#ffffff", Dot(-1, 7, (255, 255, 255))),
    ],
)
def test_dots_in_words(text: str, dot: Dot) -> None:
    """Oracle: the numbers as they stand there; a place outside is judged by the photo, not here."""
    assert parse_dot(text) == dot


@pytest.mark.parametrize("text", ["", "3,4", "3,4,red", "3,4,#fff", "3.5,4,#ffffff", "3 4 #ffffff", "3,4,#ffffff,5"])
def test_other_words_are_refused(text: str) -> None:
    """Oracle: the contract: UsageError with what was expected and what was found."""
    with pytest.raises(UsageError, match="x,y,#rrggbb") as caught:
        parse_dot(text)
    assert repr(text) in str(caught.value)


def _job(sidecar: Path | None = None, *dots: Dot) -> Job:
    return Job(Path("a.jpg"), Path("out/a.jpg"), "a.jpg", sidecar, dots)


def _drawing(path: Path, width: int, height: int, mode: str = "RGBA") -> Path:
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[height // 4 : height // 2, : width // 2] = (200, 90, 80, 255)
    Image.fromarray(pixels).convert(mode).save(path, "PNG")
    return path


@pytest.mark.parametrize(
    ("x", "y", "inside"), [(0, 0, 1), (399, 300, 1), (400, 0, 0), (0, 301, 0), (-1, 5, 0), (5, -1, 0)]
)
def test_a_dot_must_lie_in_the_photo(x: int, y: int, inside: int) -> None:
    """Oracle: the header's 400x301."""
    job = _job(None, Dot(1, 1, (0, 0, 0)), Dot(x, y, (0, 0, 0)))
    if inside:
        assert open_hints(job, _HEADER) is None
    else:
        with pytest.raises(PhotoError, match=rf"the hint at {x},{y} lies outside the photo, which is 400x301"):
            open_hints(job, _HEADER)


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ((400, 301), 1),
        ((200, 151), 1),
        ((200, 150), 1),
        ((800, 602), 1),
        ((301, 400), 0),
        ((400, 305), 0),
        ((40, 40), 0),
    ],
)
def test_a_sidecar_has_the_photos_aspect(tmp_path: Path, size: tuple[int, int], fits: int) -> None:
    """Oracle: 400x301 times a factor, rounded either way; turned or cropped ones are refused with both sizes."""
    sidecar = _drawing(tmp_path / "a.hints.png", *size)
    if fits:
        assert open_hints(_job(sidecar), _HEADER) is not None
    else:
        with pytest.raises(PhotoError, match=rf"a\.hints\.png are {size[0]}x{size[1]} pixels; expected .* 400x301"):
            open_hints(_job(sidecar), _HEADER)


def test_sidecars_that_are_none_are_named(tmp_path: Path) -> None:
    """Oracle: the contract: PhotoError that names the sidecar, for no alpha, no picture, none there, and too large."""
    opaque = _drawing(tmp_path / "a.hints.png", 400, 301, "RGB")
    with pytest.raises(PhotoError, match=r"its hints a\.hints\.png have no transparency"):
        open_hints(_job(opaque), _HEADER)
    opaque.write_bytes(b"no picture")
    with pytest.raises(PhotoError, match=r"its hints a\.hints\.png: not a photo"):
        open_hints(_job(opaque), _HEADER)
    opaque.unlink()
    with pytest.raises(PhotoError, match=r"its hints a\.hints\.png: the file cannot be opened"):
        open_hints(_job(opaque), _HEADER)
    _drawing(opaque, 400, 301)
    with pytest.raises(PhotoError, match=r"its hints a\.hints\.png: .*megapixels"):
        open_hints(_job(opaque), _HEADER, max_pixels=9999)


def test_a_damaged_sidecar_is_named(tmp_path: Path) -> None:
    """Oracle: the same, found when its pixels are read."""
    sidecar = _drawing(tmp_path / "a.hints.png", 400, 301)
    noise = np.random.default_rng(0).integers(0, 255, (301, 400, 4), dtype=np.uint8)
    Image.fromarray(noise).save(sidecar, "PNG")
    sidecar.write_bytes(sidecar.read_bytes()[:200_000])
    source = open_hints(_job(sidecar), _HEADER)
    assert source is not None
    with pytest.raises(PhotoError, match=r"its hints a\.hints\.png: the file is damaged or cut short"):
        read_drawing(source, 48, 64)


@pytest.mark.parametrize("kind", ["RGBA 8", "RGBA 16", "LA 8", "P 8"])
def test_a_drawing_is_read_premultiplied(kind: str, tmp_path: Path) -> None:
    """Oracle: the pixels that were written times their alpha, by hand: 1/255 (palettes hold alpha exactly too)."""
    pixels = np.zeros((30, 40, 4), np.uint8)
    pixels[5:20, 10:30] = (200, 90, 80, 255)
    pixels[20:25, 10:30] = (40, 90, 180, 255)
    if kind.startswith("RGBA"):
        pixels[20:25, 10:30, 3] = 128
    if kind == "LA 8":
        pixels[..., :3] = pixels[..., :1]
    sidecar = tmp_path / "a.hints.png"
    if kind == "RGBA 16":
        deep = pyvips.Image.new_from_array(pixels.astype(np.uint16) * 257).copy(interpretation="rgb16")
        deep.pngsave(str(sidecar))
    elif kind == "P 8":
        Image.fromarray(pixels).quantize(16).save(sidecar)
    else:
        Image.fromarray(pixels).convert(kind.split()[0]).save(sidecar)
    source = open_hints(_job(sidecar), PhotoHeader(40, 30, "L 8-bit", 8, False))
    assert source is not None
    found, each = read_drawing(source, 24, 32)
    alpha = pixels[..., 3:] / 255
    expected = np.concatenate([pixels[..., :3] / 255 * alpha, alpha], axis=2).transpose(2, 0, 1)
    assert each == 1 and found.shape == (4, 30, 40) and found.dtype == np.float32
    assert np.abs(found - expected).max() < 1.1 / 255


def test_a_large_drawing_is_reduced_by_its_mean(tmp_path: Path) -> None:
    """Oracle: the mean over blocks of 5x5, by numpy; 20 x 5 = 100 rows for 5 of the network's."""
    pixels = np.random.default_rng(1).integers(0, 256, (100, 200, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.hints.png")
    source = open_hints(_job(tmp_path / "a.hints.png"), PhotoHeader(200, 100, "L 8-bit", 8, False))
    assert source is not None
    found, each = read_drawing(source, 5, 10)
    alpha = pixels[..., 3:] / 255
    weighted = np.concatenate([pixels[..., :3] / 255 * alpha, alpha], axis=2)
    expected = weighted.reshape(20, 5, 40, 5, 4).mean((1, 3)).transpose(2, 0, 1)
    assert each == 25 and np.abs(found - expected).max() < 1e-5


def test_a_turned_drawing_is_upright(tmp_path: Path) -> None:
    """Oracle: EXIF orientation 6: numpy's turn of what is stored."""
    upright = np.zeros((20, 30, 4), np.uint8)
    upright[2:5, 20:28] = (200, 90, 80, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(tmp_path / "a.hints.png", exif=exif)
    source = open_hints(_job(tmp_path / "a.hints.png"), PhotoHeader(30, 20, "L 8-bit", 8, False))
    assert source is not None
    found, _ = read_drawing(source, 16, 24)
    assert np.abs(found[3] - upright[..., 3] / 255).max() < 1e-6
