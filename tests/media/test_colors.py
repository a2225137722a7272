"""read_colors: a reference's colours as a person sees them, whatever its mode, size, profile and orientation."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms

from colorcli.errors import PhotoError
from colorcli.media.photos import read_colors

from .profiles import adobe_rgb_profile

Bytes = NDArray[np.uint8]


def _expected(pixels: Bytes, height: int, width: int) -> NDArray[np.float64]:
    """Pillow's Lanczos reduction, the same filter family as libvips', (3, height, width) 0..1."""
    small = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(small).transpose(2, 0, 1) / 255


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.webp", "a.bmp", "a.ppm", "16.png", "16.tif"])
def test_every_format_and_depth(name: str, tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: Pillow's reduction of the pixels that went in, mean within 0.01 (filters, JPEG, WebP); 512x384 at about
    128x128 is 148x111."""
    pixels = astronaut[:384]
    if name.startswith("16"):
        deep = np.ascontiguousarray(pixels.astype(np.uint16) * 257)
        pyvips.Image.new_from_array(deep, interpretation="rgb16").write_to_file(str(tmp_path / name))
    else:
        Image.fromarray(pixels).save(tmp_path / name)
    found = read_colors(tmp_path / name, side=128)
    assert found.shape == (3, 111, 148) and found.dtype == np.float32 and found.flags.c_contiguous
    assert np.abs(found - _expected(pixels, 111, 148)).mean() < 0.01


def test_gray_has_three_equal_bands(gray_png: Path, camera: Bytes) -> None:
    """Oracle: the picture's own values, within 0.01 in the mean."""
    found = read_colors(gray_png, side=64)
    assert found.shape == (3, 64, 64) and (found == found[:1]).all()
    assert abs(float(found.mean()) - camera.mean() / 255) < 0.01


@pytest.mark.parametrize("depth", [8, 16])
def test_what_is_transparent_lies_on_white(depth: int, tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: alpha times colour plus the rest in white, of halves that are full, half and nothing; 0.01."""
    alpha = np.repeat([255, 128, 0], [200, 200, 112]).astype(np.uint8)[None, :, None] * np.ones((512, 1, 1), np.uint8)
    pixels = np.concatenate([astronaut, alpha], axis=2)
    if depth == 16:
        deep = np.ascontiguousarray(pixels.astype(np.uint16) * 257)
        pyvips.Image.new_from_array(deep, interpretation="rgb16").write_to_file(str(tmp_path / "a.png"))
    else:
        Image.fromarray(pixels).save(tmp_path / "a.png")
    share = alpha / 255
    white = (share * astronaut + 255 * (1 - share)).round().astype(np.uint8)
    found = read_colors(tmp_path / "a.png", side=256)
    assert np.abs(found - _expected(white, 256, 256)).mean() < 0.01
    assert float(found[:, :, 205:].min()) > 0.98


def test_cmyk_is_read_as_its_colours(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the correlation with the original, per channel, above 0.9; an inverted reading would be about -1."""
    Image.fromarray(astronaut).convert("CMYK").save(tmp_path / "c.jpg", quality=95)
    found = read_colors(tmp_path / "c.jpg", side=128)
    for channel, expected in zip(found, _expected(astronaut, 128, 128), strict=True):
        assert np.corrcoef(channel.ravel(), expected.ravel())[0, 1] > 0.9


def test_profiles_are_honoured(tmp_path: Path) -> None:
    """Oracle: LittleCMS through Pillow for an Adobe RGB colour inside sRGB, two 8-bit steps; plain it is another."""
    color = (120, 140, 90)
    picture = Image.new("RGB", (40, 40), color)
    picture.save(tmp_path / "a.png", icc_profile=adobe_rgb_profile())
    picture.save(tmp_path / "plain.png")
    adobe = ImageCms.ImageCmsProfile(io.BytesIO(adobe_rgb_profile()))
    converted = ImageCms.profileToProfile(picture, adobe, ImageCms.createProfile("sRGB"))
    assert converted is not None
    found, plain = (255 * read_colors(tmp_path / name, side=32).mean((1, 2)) for name in ("a.png", "plain.png"))
    assert np.abs(found - np.array(converted.getpixel((5, 5)))).max() < 2
    assert np.abs(plain - color).max() < 0.5 and np.abs(plain - found).max() > 5


def test_it_is_upright(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: Pillow's own turning for EXIF orientation 6 (a quarter to the right)."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(astronaut[:256]).save(tmp_path / "a.png", exif=exif)
    found = read_colors(tmp_path / "a.png", side=64)
    assert found.shape == (3, 91, 45)
    assert np.abs(found - _expected(np.ascontiguousarray(np.rot90(astronaut[:256], -1)), 91, 45)).mean() < 0.01


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty"), (b"no picture", "expected"), (None, "cannot be opened")]
)
def test_what_cannot_be_read(content: bytes | None, words: str, tmp_path: Path, gray_png: Path) -> None:
    """Oracle: the contract of `read_photo`; a size above the limit, too."""
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(PhotoError, match=words):
        read_colors(tmp_path / "a.jpg", side=64)
    with pytest.raises(PhotoError, match="megapixels"):
        read_colors(gray_png, side=64, max_pixels=512 * 512 - 1)
