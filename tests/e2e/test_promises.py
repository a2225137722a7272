"""product.md's promises, from file to file, with another library as the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import io
from skimage.color import rgb2lab

Call = Callable[..., "object"]


def _lightness(path: Path) -> np.ndarray:
    pixels = io.imread(path)
    return rgb2lab(pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1))[..., 0]


@pytest.mark.parametrize("saturation", ["1", "3"])
@pytest.mark.parametrize("gray", [True, False], ids=["gray", "colour"])
def test_size_and_lightness_stay(
    gray: bool, saturation: str, tmp_path: Path, photograph: Call, put_photo: Call, auto: Call
) -> None:
    """Oracle: scikit-image's rgb2lab of both PNGs: |dL| <= 1 for 99.9 % (8-bit rounding alone reaches 0.3), also
    where --saturation 3 pushes most colours out of gamut."""
    folder = tmp_path / "photos"
    for name, size in {"astronaut": (200, 301), "coffee": (310, 97), "chelsea": (33, 33)}.items():
        path = put_photo(folder / f"{name}.png", name, *size)
        if not gray:
            Image.fromarray(photograph(name, *size)).save(path)
    assert auto(folder, "--saturation", saturation, out=tmp_path / "out").code == 0
    for source in sorted(folder.iterdir()):
        result = tmp_path / "out" / source.name
        before, after = _lightness(source), _lightness(result)
        assert before.shape == after.shape
        assert (np.abs(before - after) <= 1).mean() >= 0.999
        pixels = io.imread(result).astype(int)
        assert (pixels.max(-1) - pixels.min(-1)).mean() > 10  # it was coloured


def test_16_bit_stays_16_bit(tmp_path: Path, photograph: Call, auto: Call) -> None:
    """Oracle: for TIFF scikit-image's reading (tifffile): uint16, L within 0.05 for 99.9 %, where an 8-bit path is off
    by up to 0.2, and more levels than 8 bits have; for PNG, which it reads at 8 bits, the header's depth and kind."""
    fine = np.tile(np.linspace(3000, 62000, 3000).astype(np.uint16), (40, 1))
    photo = photograph("coffee", 120, 90)[..., 1].astype(np.uint16) * 257 + 13
    sources = {"photo.tif": photo, "ramp.tif": fine, "ramp.png": fine}
    (tmp_path / "photos").mkdir()
    for name, pixels in sources.items():
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    assert auto(tmp_path / "photos", out=tmp_path / "out").code == 0
    for name in ("photo.tif", "ramp.tif"):
        result = io.imread(tmp_path / "out" / name)
        assert result.dtype == np.uint16 and result.shape == (*sources[name].shape, 3)
        difference = np.abs(_lightness(tmp_path / "photos" / name) - _lightness(tmp_path / "out" / name))
        assert np.percentile(difference, 99.9) < 0.05
    assert len(np.unique(io.imread(tmp_path / "out" / "ramp.tif")[..., 1])) > 1000
    depth, kind = (tmp_path / "out" / "ramp.png").read_bytes()[24:26]  # IHDR: PNG specification, 11.2.2
    assert (depth, kind) == (16, 2)  # 2: truecolour without alpha


@pytest.mark.parametrize("format", ["same", "jpg", "png", "webp"])
def test_the_tags_of_tiff_stay(format: str, tmp_path: Path, photograph: Call, auto: Call) -> None:
    """Oracle: Pillow reads from the result what it wrote into the source: first directory, EXIF's and GPS's."""
    exif = Image.Exif()
    exif[271], exif[315], exif[306], exif[33432] = "Epson", "A. Archivist", "2003:04:05 06:07:08", "City archive"
    exif.get_ifd(0x8769)[0x9003] = "1931:01:02 03:04:05"
    exif.get_ifd(0x8825)[1] = "N"
    (tmp_path / "photos").mkdir()
    Image.fromarray(photograph("coffee", 60, 40)).save(tmp_path / "photos" / "a.tif", exif=exif.tobytes())
    assert auto(tmp_path / "photos", "--format", format, out=tmp_path / "out").code == 0
    (result,) = (tmp_path / "out").glob("a.*")
    with Image.open(result) as picture:
        found = picture.getexif()
        assert {tag: found[tag] for tag in (271, 315, 306, 33432)} == {tag: exif[tag] for tag in (271, 315, 306, 33432)}
        assert found.get_ifd(0x8769)[0x9003] == "1931:01:02 03:04:05" and found.get_ifd(0x8825)[1] == "N"


def test_trees_are_mirrored(tmp_path: Path, put_photo: Call, auto: Call, files_in: Call) -> None:
    """Oracle: the tree's own names: every photo, a.jpg and a.png both, no text file, no hidden file."""
    folder = tmp_path / "photos"
    names = ["a.jpg", "a.png", "1930/a.jpg", "1930/june/a.tif", "été/b c.jpg"]
    for index, name in enumerate(names):
        put_photo(folder / name, ("astronaut", "coffee")[index % 2], 40 + index, 40)
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.jpg").write_bytes(b"no photo")
    (folder / "1930" / "Thumbs.db").write_bytes(b"no photo")
    answer = auto(folder, out=tmp_path / "out")
    assert answer.code == 0 and "5 coloured, 0 done before, 0 failed, 3 skipped" in answer.out
    assert sorted(files_in(tmp_path / "out")) == sorted(names)
    for index, name in enumerate(names):
        assert Image.open(tmp_path / "out" / name).size == (40 + index, 40)  # its own photo's, not a namesake's


def test_one_format_keeps_namesakes_apart(tmp_path: Path, put_photo: Call, auto: Call, files_in: Call) -> None:
    """Oracle: two photos, two results, also where --format gives both the same extension."""
    put_photo(tmp_path / "photos" / "a.jpg", "coffee", 40, 40)
    put_photo(tmp_path / "photos" / "a.png", "coffee", 50, 40)
    assert auto(tmp_path / "photos", "--format", "png", out=tmp_path / "out").code == 0
    assert len(files_in(tmp_path / "out")) == 2
    assert sorted(Image.open(path).width for path in (tmp_path / "out").glob("*.png")) == [40, 50]


def test_results_are_the_same_at_another_time(photos: Path, tmp_path: Path, auto: Call, files_in: Call) -> None:
    """Oracle: no clock time in metadata: bytes of two runs, a second apart in the sources' own times."""
    assert auto(photos, "--format", "tiff", "--compare", out=tmp_path / "a").code == 0
    assert auto(photos, "--format", "tiff", "--compare", "--seed", "9", out=tmp_path / "b").code == 0
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")


def test_an_output_folder_inside_the_input_is_not_coloured_again(photos: Path, auto: Call) -> None:
    """Oracle: the count of the second run."""
    assert "4 coloured" in auto(photos, out=photos / "coloured").out
    again = auto(photos, out=photos / "coloured")
    assert again.code == 0 and "0 coloured, 4 done before, 0 failed, 0 skipped" in again.out
