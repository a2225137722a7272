"""Segment maps: what their labels are, how they are brought to another size, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from colorcli.errors import PhotoError, UsageError
from colorcli.items import Failure, Job, Reference
from colorcli.media import segments as module
from colorcli.media.discover import Discovery
from colorcli.media.references import Pairing
from colorcli.media.segments import read_regions, with_segments

Bytes = NDArray[np.uint8]
_GRAY = 1 << 32 | 1 << 16 | 1


def _blocks(height: int, width: int, count: int = 6, seed: int = 0) -> Bytes:
    """Labels 0 .. count - 1 in blocks of 3x3 pixels, all of them there."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, count, (height // 3, width // 3), dtype=np.uint8)
    small.ravel()[:count] = np.arange(count)
    return small.repeat(3, 0).repeat(3, 1)


def _saved(path: Path, pixels: NDArray[np.generic], mode: str | None = None, **how: object) -> Path:
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path, **how)  # type: ignore[arg-type]
    return path


@pytest.fixture
def checked(tmp_path: Path) -> Callable[..., Discovery]:
    """checked(MAP, MAP): with_segments for a photo of 12x9 and a reference of 6x15."""
    photo = _saved(tmp_path / "photo.png", np.zeros((9, 12), np.uint8))
    ref = _saved(tmp_path / "ref.png", np.zeros((15, 6, 3), np.uint8))

    def check(target: Path, reference: Path, **change: object) -> Discovery:
        job = Job(photo, tmp_path / "out.png", "photo.png")
        found = {"jobs": [job], "failures": [], "skipped": [], **change}
        pairing = Pairing((Reference(ref, "ref.png", "aa"),), None)
        return with_segments(Discovery(**found), pairing, (target, reference), 0)  # type: ignore[arg-type]

    return check


@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_are_the_nearest_pixels_upright(
    tmp_path: Path, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: Pillow's exif_transpose, of which the middle of each 3x3 block is taken; exact, whatever the strips."""
    monkeypatch.setattr(module, "_STRIP", 100)  # pixels: two rows
    stored = 40 * _blocks(36, 48)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = _saved(tmp_path / "map.png", stored, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    found = read_regions(path, [40 * n * _GRAY for n in range(6)], upright.shape[0] // 3, upright.shape[1] // 3)
    assert found.dtype == np.uint8 and np.array_equal(40 * found, upright[1::3, 1::3])


def test_regions_of_any_size(tmp_path: Path) -> None:
    """Oracle: NumPy, the pixel under the middle of each; larger, smaller, one pixel."""
    stored = _blocks(30, 21)
    path = _saved(tmp_path / "map.png", stored)
    for height, width in ((64, 8), (8, 64), (1, 1), (30, 21)):
        rows = [int((row + 0.5) * 30 / height) for row in range(height)]
        columns = [int((column + 0.5) * 21 / width) for column in range(width)]
        found = read_regions(path, [n * _GRAY for n in range(6)], height, width)
        assert np.array_equal(found, stored[np.ix_(rows, columns)])


@pytest.mark.parametrize("kind", ["L", "RGB", "RGBA", "P", "I;16", "bmp"])
def test_labels_are_colours_whatever_the_file(tmp_path: Path, kind: str, checked: Callable[..., Discovery]) -> None:
    """Oracle: the values that were drawn: gray is gray in every kind of file, so that they may be mixed."""
    plain = np.array([0, 3, 200], np.uint8)[np.arange(108).reshape(9, 12) % 3]
    other = _saved(tmp_path / "other.png", np.resize(plain, (15, 6)))
    deep = plain.astype(np.uint16) if kind == "I;16" else plain
    path = tmp_path / ("map.bmp" if kind == "bmp" else "map.png")
    _saved(path, deep, kind if kind in ("RGB", "RGBA", "P") else None)
    (job,) = checked(path, other).jobs
    assert job.segments is not None and job.segments.labels == (0, 3 * _GRAY, 200 * _GRAY)
    assert np.array_equal(read_regions(path, job.segments.labels, 9, 12), np.searchsorted([0, 3, 200], plain))


def test_palettes_are_their_colours(tmp_path: Path, checked: Callable[..., Discovery]) -> None:
    """Oracle: by hand: two palettes in another order, the same colours: the same labels."""
    red, green = (200, 0, 10), (0, 180, 20)
    indices = np.arange(108).reshape(9, 12) % 2
    maps = []
    for name, colours, labels in (
        ("a.png", (red, green), indices),
        ("b.png", (green, red), np.resize(indices, (15, 6))),
    ):
        image = Image.fromarray(labels.astype(np.uint8), "P")
        image.putpalette([value for colour in colours for value in colour])
        image.save(tmp_path / name)
        maps.append(tmp_path / name)
    (job,) = checked(*maps).jobs
    assert job.segments is not None and job.segments.labels == (180 << 16 | 20, 200 << 32 | 10)
    assert read_regions(maps[0], job.segments.labels, 9, 12)[0, :2].tolist() == [1, 0]
    assert read_regions(maps[1], job.segments.labels, 15, 6)[0, :2].tolist() == [0, 1]


def test_every_job_has_them_and_their_content(tmp_path: Path, checked: Callable[..., Discovery]) -> None:
    """Oracle: the contract: samples of one photo all have the maps; another content has another digest."""
    one, other = _saved(tmp_path / "a.png", _blocks(9, 12, 2)), _saved(tmp_path / "b.png", _blocks(15, 6, 2))
    job = Job(tmp_path / "photo.png", tmp_path / "out.png", "photo.png")
    found = checked(one, other, jobs=[job, job]).jobs
    assert found[0] == found[1] and found[0].segments is not None
    assert (found[0].segments.target, found[0].segments.reference) == (one, other)
    _saved(other, _blocks(15, 6, 2, seed=1))
    (changed,) = checked(one, other).jobs
    assert changed.segments is not None and changed.segments.sha256 != found[0].segments.sha256


def _smooth(height: int, width: int) -> Bytes:
    return np.arange(height * width, dtype=np.uint8).reshape(height, width)


@pytest.mark.parametrize(
    ("target", "reference", "message"),
    [
        (_blocks(12, 9, 2), _blocks(15, 6, 2), r"a\.png: it is 9x12 pixels; expected 12x9, the size of photo\.png as"),
        (_blocks(9, 12, 2), _blocks(15, 9, 2), r"b\.png: it is 9x15 pixels; expected 6x15, the size of ref\.png as"),
        (_smooth(9, 12), _blocks(15, 6, 2), r"a\.png: it has more than 64 labels; .*as PNG .*antialiasing"),
        (_blocks(9, 12, 4), _blocks(15, 6, 2), r"a\.png has labels that .*b\.png lacks: 2, 3; expected the same"),
        (_blocks(9, 12, 2), _blocks(15, 6, 3), r"b\.png has labels that .*a\.png lacks: 2; expected the same"),
        (
            np.zeros((9, 12, 3), np.uint8) + np.array([255, 0, 16], np.uint8),
            _blocks(15, 6, 1),
            r"a\.png has labels that .*b\.png lacks: #ff0010;",
        ),
        (np.full((9, 12, 4), 254, np.uint8), _blocks(15, 6, 2), r"a\.png: it is transparent in places; .* without"),
    ],
)
def test_what_cannot_be_a_pair_of_maps(
    target: Bytes, reference: Bytes, message: str, tmp_path: Path, checked: Callable[..., Discovery]
) -> None:
    """Oracle: house rule 9: the map, what was found, what was expected."""
    maps = _saved(tmp_path / "a.png", target), _saved(tmp_path / "b.png", reference)
    with pytest.raises(UsageError, match=message):
        checked(*maps)


def test_files_that_are_no_maps(tmp_path: Path, checked: Callable[..., Discovery]) -> None:
    """Oracle: as above: missing, damaged, CMYK; a JPEG has hundreds of labels where it was drawn with two."""
    good = _saved(tmp_path / "b.png", _blocks(15, 6, 2))
    cut = _saved(tmp_path / "cut.png", _blocks(9, 12, 2))
    cut.write_bytes(cut.read_bytes()[:-30])
    inks = tmp_path / "inks.tif"
    Image.new("CMYK", (12, 9)).save(inks)
    for path, message in (
        (tmp_path / "none.png", r"none\.png: the file cannot be opened \(No such file"),
        (cut, r"cut\.png: the file is damaged"),
        (inks, r"inks\.tif: its pixels are CMYK"),
    ):
        with pytest.raises(UsageError, match=message):
            checked(path, good)


def test_one_photo_and_one_reference(tmp_path: Path, checked: Callable[..., Discovery]) -> None:
    """Oracle: the contract: several are refused, whether they can be read or not, and --pair-by is; a photo that
    cannot be read is left to the run, and nothing to do is nothing."""
    maps = _saved(tmp_path / "a.png", _blocks(9, 12, 2)), _saved(tmp_path / "b.png", _blocks(15, 6, 2))
    job = Job(tmp_path / "photo.png", tmp_path / "out.png", "photo.png")
    other, failure = Job(tmp_path / "x.png", tmp_path / "x.png", "x.png"), Failure("x.png", "discover", "not found")
    for change in ({"jobs": [job, other]}, {"failures": [failure]}):
        with pytest.raises(UsageError, match=r"one photo and one --ref.*there are 2 photos and 1 references"):
            checked(*maps, **change)
    assert checked(*maps, jobs=[other]).jobs == [other]
    assert checked(*maps, jobs=[], failures=[failure]).failures == [failure]
    one = Reference(tmp_path / "ref.png", "ref.png", "aa")
    for pairing in (Pairing((one, one), None), Pairing((one,), "best")):
        with pytest.raises(UsageError, match="without --pair-by"):
            with_segments(Discovery([job], [], []), pairing, maps, 0)


def test_a_map_that_is_changed_during_the_run(tmp_path: Path) -> None:
    """Oracle: the contract: a label that is new, or a file that is gone, is a PhotoError with the map's name."""
    path = _saved(tmp_path / "a.png", _blocks(9, 12, 3))
    with pytest.raises(PhotoError, match=r"its segment map a\.png: it was changed during the run"):
        read_regions(path, (0, _GRAY), 9, 12)
    path.unlink()
    with pytest.raises(PhotoError, match=r"its segment map a\.png: the file cannot be opened"):
        read_regions(path, (0, _GRAY), 9, 12)
