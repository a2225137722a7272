"""Which TIFF files are cut short: their first directory against their length, whatever else they hold."""

from __future__ import annotations

import os
import struct
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from colorcli.errors import PhotoError
from colorcli.media.metadata.tiff_tags import first_numbers
from colorcli.media.sources import open_source

_SHORT, _LONG, _RATIONAL = 3, 4, 5  # types of TIFF's values
_FORMATS = {_SHORT: "H", _LONG: "I", _RATIONAL: "I"}


def _tiff(path: Path, tags: dict[int, tuple[int, tuple[int, ...]]], data: bytes) -> None:
    """A TIFF whose pixels stand at offset 8, with these tags and no other."""
    directory = 8 + len(data)
    values_at = directory + 2 + 12 * len(tags) + 4
    rows = values = b""
    for tag, (kind, numbers) in sorted(tags.items()):
        raw = struct.pack(f"<{len(numbers)}{_FORMATS[kind]}", *numbers)
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place, values = struct.pack("<I", values_at + len(values)), values + raw
        rows += struct.pack("<HHI", tag, kind, len(numbers) // (2 if kind == _RATIONAL else 1)) + place
    head = b"II*\0" + struct.pack("<I", directory)
    path.write_bytes(head + data + struct.pack("<H", len(tags)) + rows + bytes(4) + values)


def _gray() -> dict[int, tuple[int, tuple[int, ...]]]:
    """Tags of 40x30 gray pixels of 8 bits in one strip."""
    numbers = {256: 40, 257: 30, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 30, 279: 1200}
    return {tag: (_SHORT, (value,)) for tag, value in numbers.items()}


def test_ycbcr_with_shared_chroma_is_whole(tmp_path: Path) -> None:
    """Oracle: TIFF 6.0, section 21: of 2x2 pixels, four luma and two chroma samples are stored, half of 8, 8, 8."""
    tags = _gray() | {258: (_SHORT, (8, 8, 8)), 262: (_SHORT, (6,)), 277: (_SHORT, (3,)), 530: (_SHORT, (2, 2))}
    data = bytes([100, 100, 100, 100, 128, 128]) * (20 * 15)
    tags[279] = (_SHORT, (len(data),))
    _tiff(tmp_path / "y.tif", tags, data)
    source = open_source(tmp_path / "y.tif")
    assert (source.header.width, source.header.height) == (40, 30)
    assert source.image.extract_band(0).avg() == pytest.approx(100, abs=1)  # one level: rounding of YCbCr to RGB
    assert source.header.kind == "RGB 8-bit" and not source.notes  # libtiff adds an alpha, of which nobody spoke


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_ycbcr_as_it_is_stored_is_refused(
    compression: str | None, tmp_path: Path, astronaut: NDArray[np.uint8]
) -> None:
    """Oracle: the contract; libtiff converts JPEG's YCbCr and shared chroma, and hands this out as if it were RGB."""
    ycbcr = Image.fromarray(astronaut).convert("YCbCr")
    ycbcr.save(tmp_path / "y.tif", compression=compression, tiffinfo={530: (1, 1)})
    with pytest.raises(PhotoError, match="YCbCr without JPEG compression; expected gray, RGB or CMYK"):
        open_source(tmp_path / "y.tif")
    ycbcr.save(tmp_path / "j.tif", compression="jpeg", quality=95)
    found = open_source(tmp_path / "j.tif").image.numpy()
    assert np.abs(found - astronaut.astype(float)).mean() < 3  # JPEG's own losses


def test_a_strip_that_is_not_stored_is_not_cut_short(tmp_path: Path) -> None:
    """Oracle: GDAL's sparse files: offset 0 and length 0 stand for a strip of zeros; the other half is 77."""
    tags = _gray() | {273: (_LONG, (8, 0)), 278: (_SHORT, (15,)), 279: (_LONG, (600, 0))}
    _tiff(tmp_path / "s.tif", tags, bytes([77]) * 600)
    assert open_source(tmp_path / "s.tif").header.height == 30


@pytest.mark.parametrize("length", [1199, 600, 1])
def test_a_strip_beyond_the_end_is_cut_short(length: int, tmp_path: Path) -> None:
    """Oracle: 1200 pixels of one byte cannot stand in fewer; the strip is the last thing in the file."""
    _tiff(tmp_path / "g.tif", _gray() | {273: (_LONG, (8 + 2 + 9 * 12 + 4,))}, b"")
    with (tmp_path / "g.tif").open("ab") as file:
        file.write(bytes([77]) * length)
    with pytest.raises(PhotoError, match="cut short"):
        open_source(tmp_path / "g.tif")
    with (tmp_path / "g.tif").open("ab") as file:
        file.write(bytes([77]) * (1200 - length))
    assert open_source(tmp_path / "g.tif").image.avg() == 77


@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
def test_other_tags_are_not_read(big: bool, tmp_path: Path, camera: NDArray[np.uint8]) -> None:
    """Oracle: tifffile for the numbers; Python's own count of its memory, beside a tag of 20 MB (Photoshop's layers);
    no warning of Pillow's, which spoke of such tags on stderr."""
    path = tmp_path / "l.tif"
    layers = [(37724, 7, 20_000_000, b"l" * 20_000_000, False)]
    tifffile.imwrite(path, camera[:20, :30], extratags=layers, bigtiff=big, rowsperstrip=5, metadata=None)
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        expected = {256: (30,), 257: (20,), 273: tuple(page.dataoffsets)}
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert first_numbers(path, {256, 257, 273}) == expected
            open_source(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    os.truncate(path, 9)
    with pytest.raises(ValueError, match="malformed"):
        first_numbers(path, {256})


def test_a_value_that_cannot_be_read_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: what was written: the width; no numbers in the shares of chroma that are rationals, nor in 8 MB of strip
    offsets. libtiff passes over the former, so the file is judged by its length all the same. The directory is read
    once, for the length and for the colours."""
    path = tmp_path / "g.tif"
    _tiff(path, _gray() | {273: (_LONG, (8,) * 2_000_000), 530: (_RATIONAL, (1, 1))}, bytes([77]) * 1200)
    assert first_numbers(path, {256, 273, 530}) == {256: (40,), 273: (), 530: ()}
    read: list[Path] = []

    def counted(path: Path, wanted: frozenset[int]) -> dict[int, tuple[int, ...]]:
        read.append(path)
        return first_numbers(path, wanted)

    monkeypatch.setattr("colorcli.media.sources.first_numbers", counted)
    tags = _gray() | {530: (_RATIONAL, (1, 1))}
    _tiff(path, tags, bytes([77]) * 1200)
    assert open_source(path).image.avg() == 77 and read == [path]
    _tiff(path, tags | {257: (_SHORT, (3000,)), 278: (_SHORT, (3000,))}, bytes([77]) * 1200)
    with pytest.raises(PhotoError, match="cut short"):
        open_source(path)
