"""EXIF from and into TIFF: Pillow, tifffile and libvips read what another library wrote."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from numpy.typing import NDArray
from PIL import Image

from colorcli.errors import PhotoError
from colorcli.media.metadata.describe import DIGITAL_SOURCE_TYPE, Provenance
from colorcli.media.metadata.tiff_tags import add_exif, described, exif_of_tiff

from .conftest import Write

_TEXTS = {
    269: "Box 12",  # DocumentName
    270: "Grandmother, 1931",
    271: "Epson",
    272: "V850",
    305: "Scan 3",
    306: "2003:04:05 06:07:08",
    315: "A. Archivist",
    33432: "City archive",
}
_HOST = 316  # HostComputer, which libvips' EXIF library does not know
_CAPTURE = {0x9003: "1931:01:02 03:04:05", 0x829A: 0.0125, 0x9286: b"ASCII\0\0\0note", 0x9208: 4, 0x927C: b"\1\2maker"}
_PLACE = {1: "N", 2: (48.0, 51.0, 29.5), 29: "1931:01:02"}
_PROVENANCE = Provenance("colorize 0.1.0", "smsanet", "ab" * 32)


def _exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    for tag, value in {**_TEXTS, _HOST: "Scan station", 274: orientation}.items():
        exif[tag] = value
    exif.get_ifd(0x8769).update(_CAPTURE)
    exif.get_ifd(0x8825).update(_PLACE)
    return exif


def _found(path: Path) -> tuple[dict[int, object], dict[int, object], dict[int, object]]:
    """What Pillow reads of the three directories, of the tags above."""
    with Image.open(path) as picture:
        exif = picture.getexif()
        return (
            {tag: exif.get(tag) for tag in _TEXTS},
            {tag: exif.get_ifd(0x8769).get(tag) for tag in _CAPTURE},
            {tag: exif.get_ifd(0x8825).get(tag) for tag in _PLACE},
        )


def _tiff_tags(path: Path) -> dict[int, object]:
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages.first.tags}


@pytest.mark.parametrize("name", ["r.tif", "r.jpg", "r.png", "r.webp", "r.avif"])
@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
def test_tags_of_tiff_stay(big: bool, name: str, tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: Pillow reads from the result what it wrote into the source; resolution and sRGB; twice the same bytes;
    a note says of the one tag that only TIFF results hold."""
    source = tmp_path / "s.tif"
    Image.fromarray(camera[:40, :60]).save(source, exif=_exif().tobytes(), dpi=(300, 300), big_tiff=big)
    target, notes = write(source, name=name, ab=(20.0, 5.0), provenance=_PROVENANCE)
    assert _found(target) == (_TEXTS, _CAPTURE, _PLACE)
    image = pyvips.Image.new_from_file(str(target))
    assert DIGITAL_SOURCE_TYPE.encode() in bytes(image.get("xmp-data")) and image.get_typeof("icc-profile-data")
    with Image.open(target) as picture:
        assert picture.getexif().get_ifd(0x8769)[0xA001] == 1  # sRGB
        assert picture.getexif()[282] == picture.getexif()[283] == pytest.approx(300, abs=1)
        assert picture.getexif().get(_HOST) == ("Scan station" if name == "r.tif" else None)
    assert list(notes) == (
        [] if name == "r.tif" else ["EXIF tags were left out, --format tiff keeps them: HostComputer"]
    )
    assert write(source, name=f"2{name}", ab=(20.0, 5.0), provenance=_PROVENANCE)[0].read_bytes() == target.read_bytes()


@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", ["s.jpg", "s.png", "s.webp", "s.tif"])
def test_exif_becomes_tags(
    name: str,
    orientation: int,
    big: bool,
    tmp_path: Path,
    write: Write,
    camera: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Oracle: Pillow and tifffile read from the TIFF what Pillow wrote into the source, upright; libvips and tifffile
    decode the source's pixels (JPEG at quality 75: within 12 levels)."""
    monkeypatch.setattr("colorcli.media.results._CLASSIC_TIFF", 0 if big else 1e9)
    exif = _exif(orientation)
    exif.get_ifd(0x8769).update({0xA002: 60, 0xA003: 40, 0xA001: 65535})
    picture = Image.fromarray(camera[:40, :60])
    options = {"lossless": True} if name == "s.webp" else {}
    picture.save(tmp_path / name, exif=exif.tobytes(), **options)
    target, notes = write(tmp_path / name, name="r.tif", provenance=_PROVENANCE)
    assert notes == ()
    assert _found(target) == (_TEXTS, _CAPTURE, _PLACE)
    tags = _tiff_tags(target)
    assert {tag: tags[tag] for tag in _TEXTS} == _TEXTS and tags[_HOST] == "Scan station" and tags[274] == 1  # upright
    size = (60, 40) if orientation == 1 else (40, 60)
    capture, place = tags[0x8769], tags[0x8825]
    assert isinstance(capture, dict) and isinstance(place, dict)
    assert (capture["PixelXDimension"], capture["PixelYDimension"], capture["ColorSpace"]) == (*size, 1)
    assert capture["DateTimeOriginal"] == _CAPTURE[0x9003] and place["GPSLatitudeRef"] == "N"
    with tifffile.TiffFile(target) as file:
        assert file.is_bigtiff == big and len(file.pages) == 1
    pixels = tifffile.imread(target)
    upright = np.rot90(np.asarray(picture), 0 if orientation == 1 else -1)  # 6: to be turned clockwise
    assert np.abs(pixels.astype(int) - upright[..., None]).max() <= (12 if name == "s.jpg" else 0)
    image = pyvips.Image.new_from_file(str(target))
    assert np.array_equal(image.numpy(), pixels) and DIGITAL_SOURCE_TYPE.encode() in bytes(image.get("xmp-data"))


_EXTRA = [  # tifffile: code, type, count, value, whether once
    (315, 2, 0, b"Andr\xe9\0", True),  # Latin-1, as old scanners wrote
    (271, 2, 0, "Epson", True),
    (33434, 5, 1, (1, 80), True),
    (65000, 12, 2, (0.25, -1e9), True),
    (65001, 3, 3, (1, 2, 515), True),
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "deflate", "tile": (32, 32)}, {"compression": "deflate", "rowsperstrip": 7}],
    ids=["plain", "tiles", "strips"],
)
def test_every_kind_of_tiff(order: str, big: bool, options: dict[str, object], tmp_path: Path, write: Write) -> None:
    """Oracle: tifffile wrote the tags and reads them back, 16-bit colour with alpha stays as deep; alpha exact."""
    pixels = np.random.default_rng(0).integers(0, 65536, (48, 64, 4), dtype=np.uint16)
    source = tmp_path / "s.tif"
    shared = {"photometric": "rgb", "extrasamples": ["unassalpha"], "metadata": None, "software": False}
    tifffile.imwrite(source, pixels, bigtiff=big, byteorder=order, extratags=_EXTRA, **shared, **options)
    target, notes = write(source)
    assert notes == ()
    before, after = _tiff_tags(source), _tiff_tags(target)
    for code, *_ in _EXTRA:
        assert after[code] == before[code], code
    result = tifffile.imread(target)
    assert result.dtype == np.uint16 and np.array_equal(result[..., 3], pixels[..., 3])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("exif_order", ["<", ">"])
def test_tags_are_added_in_the_files_order(order: str, big: bool, exif_order: str, tmp_path: Path) -> None:
    """Oracle: tifffile's own reading of tags and pixels, in each byte order and layout; the old tags stay."""
    pixels = np.arange(600, dtype=np.uint8).reshape(20, 30)
    tifffile.imwrite(tmp_path / "s.tif", pixels, bigtiff=big, byteorder=order, description="old", metadata=None)
    exif = _exif()
    exif.endian = exif_order
    assert add_exif(tmp_path / "s.tif", exif.tobytes()) == ()
    tags = _tiff_tags(tmp_path / "s.tif")
    assert {tag: tags[tag] for tag in _TEXTS} == _TEXTS
    assert isinstance(tags[0x8769], dict) and tags[0x8769]["ExposureTime"] == 0.0125
    assert isinstance(tags[0x8825], dict) and tags[0x8825]["GPSLatitude"] == (48, 1, 51, 1, 59, 2)
    assert np.array_equal(tifffile.imread(tmp_path / "s.tif"), pixels)
    block, unreadable = exif_of_tiff(tmp_path / "s.tif")
    assert block is not None and unreadable == () and block[6:8] == (b"II" if order == "<" else b"MM")
    assert set(described(exif.tobytes())) < set(described(block))


def test_nothing_is_added_where_there_is_nothing(tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: no EXIF directory in results of photos that say nothing, or only how they lie."""
    Image.fromarray(camera[:40, :60]).save(tmp_path / "plain.tif")
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(camera[:40, :60]).save(tmp_path / "turned.jpg", exif=exif)
    for name in ("plain.tif", "turned.jpg"):
        target, notes = write(tmp_path / name, name=f"{name}.tif")
        assert notes == () and 0x8769 not in _tiff_tags(target)
        assert exif_of_tiff(target) == (None, ())
    assert exif_of_tiff(tmp_path / "plain.tif") == (None, ())


def _tiff_with(path: Path, entries: dict[int, tuple[int, int, int]], pixels: NDArray[np.uint8]) -> None:
    """A TIFF whose entries of these tags have been given that type, count and offset."""
    exif = Image.Exif()
    exif[271], exif[315], exif[33432] = "Epson", "A. Archivist", "City archive"
    exif.get_ifd(0x8769).update(_CAPTURE)
    Image.fromarray(pixels).save(path, exif=exif.tobytes())
    raw = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", raw, 4)
    (count,) = struct.unpack_from("<H", raw, first)
    for at in range(first + 2, first + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", raw, at)
        if tag in entries:
            struct.pack_into("<HII", raw, at + 2, *entries[tag])
    path.write_bytes(raw)


@pytest.mark.parametrize("name", ["r.tif", "r.jpg"])
@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ({315: (2, 40, 0xFFFFFFF0)}, "Artist"),  # beyond the end
        ({315: (2, 0x7FFFFFFF, 8)}, "Artist"),  # longer than the file
        ({33432: (77, 4, 8), 315: (5, 900, 8)}, "Artist, Copyright"),  # a type that does not exist
        ({0x8769: (4, 1, 0xFFFFFFF0)}, "ExifOffset"),
        ({0x8769: (2, 1, 8)}, "ExifOffset"),
    ],
)
def test_malformed_tags_are_named(
    entries: dict[int, tuple[int, int, int]],
    named: str,
    name: str,
    tmp_path: Path,
    write: Write,
    camera: NDArray[np.uint8],
) -> None:
    """Oracle: the contract: the photo is coloured, the sound tag stays, the others are in a note."""
    _tiff_with(tmp_path / "s.tif", entries, camera[:20, :30])
    target, notes = write(tmp_path / "s.tif", name=name)
    assert notes == (f"EXIF tags that are damaged or too long were left out: {named}",)
    with Image.open(target) as picture:
        assert picture.size == (30, 20) and picture.getexif()[271] == "Epson"


def test_what_is_too_long_is_named(tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: a private tag of 5 MB, and the note; the artist stays. more than 64 kB is for TIFF only."""
    tags = [(65000, 7, 5_000_000, b"x" * 5_000_000, True), (315, 2, 0, "A. Archivist", True)]
    tifffile.imwrite(tmp_path / "s.tif", camera[:20, :30], extratags=tags, metadata=None, software=False)
    target, notes = write(tmp_path / "s.tif")
    assert notes == ("EXIF tags that are damaged or too long were left out: tag 0xFDE8",)
    assert _tiff_tags(target)[315] == "A. Archivist" and target.stat().st_size < 100_000
    tags[0] = (270, 2, 0, "x" * 70_000, True)
    tifffile.imwrite(tmp_path / "s.tif", camera[:20, :30], extratags=tags, metadata=None, software=False)
    assert write(tmp_path / "s.tif")[1] == () and _tiff_tags(target)[270] == "x" * 70_000
    for name in ("r.jpg", "r.png"):
        _, notes = write(tmp_path / "s.tif", name=name)
        assert notes == ("EXIF tags were left out, --format tiff keeps them: Artist, ImageDescription",)


def test_any_damage_is_borne(tmp_path: Path, camera: NDArray[np.uint8]) -> None:
    """Oracle: the contract: no error from 400 random changes of a TIFF's directories and of an EXIF block."""
    Image.fromarray(camera[:4, :4]).save(tmp_path / "s.tif", exif=_exif().tobytes())
    sound, block = (tmp_path / "s.tif").read_bytes(), _exif().tobytes()
    whole = io.BytesIO()
    Image.fromarray(camera[:4, :4]).save(whole, "TIFF", exif=_exif().tobytes(), big_tiff=True)
    rng = np.random.default_rng(0)
    for turn in range(400):
        damaged = [bytearray(data) for data in (sound, whole.getvalue(), block)]
        for data in damaged:
            for at in rng.integers(0, len(data), 1 + turn % 8):
                data[at] = rng.integers(256)
        for data in damaged[:2]:
            (tmp_path / "d.tif").write_bytes(data[: len(data) - turn % 5 * 20])
            found, _ = exif_of_tiff(tmp_path / "d.tif")
            assert found is None or found.startswith(b"Exif\0\0")
        (tmp_path / "r.tif").write_bytes(sound)
        add_exif(tmp_path / "r.tif", bytes(damaged[2]))
        assert Image.open(tmp_path / "r.tif").size == (4, 4)
    (tmp_path / "r.tif").write_bytes(sound)
    assert add_exif(tmp_path / "r.tif", b"Exif\0\0junk") == ("EXIF",)
    assert (tmp_path / "r.tif").read_bytes() == sound


@pytest.mark.parametrize(("big", "size"), [(False, 4_000_000_000), (True, 5_000_000_000)])
def test_large_files_are_not_read(big: bool, size: int, tmp_path: Path, camera: NDArray[np.uint8]) -> None:
    """Oracle: Python's own count of its memory, below 1 MB, at files of 4 and 5 GB (sparse): their ends are reached."""
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, camera[:20, :30], bigtiff=big, metadata=None)
    os.truncate(path, size)
    tracemalloc.start()
    try:
        assert add_exif(path, _exif().tobytes()) == ()
        block, _ = exif_of_tiff(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert block is not None and set(described(_exif().tobytes())) <= set(described(block))
    assert peak < 1_000_000
    assert _tiff_tags(path)[315] == "A. Archivist" and _tiff_tags(path)[0x8769]["DateTimeOriginal"] == _CAPTURE[0x9003]


def test_several_pages_are_still_refused(tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: PhotoError by name, whatever the tags say."""
    page = Image.fromarray(camera[:20, :30])
    page.save(tmp_path / "s.tif", exif=_exif().tobytes(), save_all=True, append_images=[page])
    with pytest.raises(PhotoError, match="2 pages"):
        write(tmp_path / "s.tif")


def test_formats_without_exif_say_so(tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: the note; none where a TIFF has no tags to lose."""
    Image.fromarray(camera[:20, :30]).save(tmp_path / "s.tif", exif=_exif().tobytes())
    Image.fromarray(camera[:20, :30]).save(tmp_path / "plain.tif")
    assert any("EXIF was left out" in note for note in write(tmp_path / "s.tif", name="r.bmp")[1])
    assert write(tmp_path / "plain.tif", name="r.bmp")[1] == ()
