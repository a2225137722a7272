"""IPTC and Photoshop's resources: what describes the photo stays, what pictures it as it was goes."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, IptcImagePlugin

from colorcli.media.metadata.photoshop import keep_resources

from .conftest import Write

_CAPTION = {(2, 120): b"Grandmother", (2, 80): b"A. Archivist"}  # IIM 4.1: record 2, Caption and By-line
_IIM = b"".join(b"\x1c" + struct.pack(">BBH", *key, len(text)) + text for key, text in _CAPTION.items())
_RESOLUTION, _THUMBNAIL, _OLD_THUMBNAIL, _PROFILE, _IPTC = 0x03ED, 0x040C, 0x0409, 0x040F, 0x0404
_STALE = {_THUMBNAIL: b"thumb" * 9, _OLD_THUMBNAIL: b"older" * 9, _PROFILE: b"gray profile"}
_KEPT = {_RESOLUTION: b"\0\x48\0\0\0\1\0\1" * 2, 0x0406: b"odd"}


def _packed(resources: dict[int, bytes]) -> bytes:
    packed = b""
    for number, data in resources.items():
        head = b"8BIM" + struct.pack(">H", number) + b"\x03abc" + struct.pack(">I", len(data))
        packed += head + data + b"\0" * (len(data) % 2)
    return packed


def _photo(path: Path, resources: dict[int, bytes], iptc: bytes = b"", order: str = "<") -> Path:
    """A gray JPEG with the resources in its APP13, or a TIFF with them and IPTC in tags of their own."""
    pixels = np.full((16, 24), 120, np.uint8)
    if path.suffix == ".jpg":
        whole = io.BytesIO()
        Image.fromarray(pixels).save(whole, "JPEG")
        segment = b"Photoshop 3.0\0" + _packed(resources)
        marker = b"\xff\xed" + struct.pack(">H", len(segment) + 2)
        path.write_bytes(whole.getvalue()[:2] + marker + segment + whole.getvalue()[2:])
        return path
    padded = iptc + bytes(-len(iptc) % 4)
    numbers = struct.unpack(f"{order}{len(padded) // 4}I", padded)
    tags = [(34377, 1, len(_packed(resources)), _packed(resources), True)] if resources else []
    tags += [(33723, 4, len(numbers), numbers, True)] if iptc else []
    tifffile.imwrite(path, pixels, extratags=tags, byteorder=order, metadata=None)
    return path


def _found(path: Path) -> tuple[dict[int, bytes], object]:
    """Pillow's reading of a JPEG's APP13; of a TIFF, the same from tifffile's tags."""
    if path.suffix == ".jpg":
        with Image.open(path) as picture:
            return dict(picture.info.get("photoshop", {})), IptcImagePlugin.getiptcinfo(picture)
    with tifffile.TiffFile(path) as file:
        tags = {tag.code: tag.value for tag in file.pages.first.tags}
    carrier = _photo(path.with_name("carrier.jpg"), {})
    packed = bytes(tags.get(34377, b""))
    raw = carrier.read_bytes().replace(b"Photoshop 3.0\0", b"Photoshop 3.0\0" + packed, 1)
    carrier.write_bytes(raw[:4] + struct.pack(">H", 16 + len(packed)) + raw[6:])
    iptc = tags.get(33723, b"")
    if isinstance(iptc, tuple):
        iptc = struct.pack(f"<{len(iptc)}I", *iptc)
    with Image.open(path) as picture:
        assert bool(IptcImagePlugin.getiptcinfo(picture)) == bool(iptc)
    return _found(carrier)[0], bytes(iptc)


@pytest.mark.parametrize("source", ["s.jpg", "s.tif"])
@pytest.mark.parametrize("name", ["r.jpg", "r.tif"])
def test_what_describes_stays(source: str, name: str, tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow and tifffile read IPTC and the other resources from the result, byte for byte, and no thumbnail
    or profile; nothing is lost that a note would tell."""
    resources = _KEPT | _STALE | ({_IPTC: _IIM} if source == "s.jpg" else {})
    target, notes = write(_photo(tmp_path / source, resources, _IIM), name=name)
    found, iptc = _found(target)
    assert notes == ()
    assert {number: found.get(number) for number in _KEPT if number != _RESOLUTION} == {0x0406: b"odd"}
    assert _RESOLUTION in found  # Pillow takes it apart
    assert not set(_STALE) & set(found)
    assert iptc == _CAPTION if name == "r.jpg" else bytes(iptc).rstrip(b"\0") == _IIM  # type: ignore[call-overload]
    assert b"thumb" not in target.read_bytes() and b"gray profile" not in target.read_bytes()


def test_iptc_in_the_other_byte_order() -> None:
    """Oracle: IPTC is bytes, which some writers call numbers of four: read in either order it is the same."""
    image = pyvips.Image.black(8, 8).copy()
    padded = _IIM + bytes(-len(_IIM) % 4)
    swapped = struct.pack(f"<{len(padded) // 4}I", *struct.unpack(f">{len(padded) // 4}I", padded))
    for given in (padded, swapped):
        image.set_type(pyvips.GValue.blob_type, "iptc-data", given)
        kept, notes = keep_resources(image, "tiffsave")
        assert bytes(kept.get("iptc-data")).startswith(padded) and notes == ()


@pytest.mark.parametrize("name", ["r.png", "r.webp", "r.bmp"])
def test_formats_without_iptc_say_so(name: str, tmp_path: Path, write: Write) -> None:
    """Oracle: the note; none where there was no IPTC to lose."""
    described = _photo(tmp_path / "s.jpg", {_IPTC: _IIM})
    assert any("IPTC was left out" in note for note in write(described, name=name)[1])
    plain = _photo(tmp_path / "p.jpg", {_THUMBNAIL: b"thumb"})
    assert not any("IPTC" in note for note in write(plain, name=name)[1])


def test_what_is_too_long_for_jpeg(tmp_path: Path, write: Write) -> None:
    """Oracle: a JPEG segment holds 64 kB: the paths in a TIFF's resources go with a note, its IPTC stays; IPTC that is
    too long itself goes with a note."""
    source = _photo(tmp_path / "s.tif", {0x07D0: b"p" * 70_000}, _IIM)
    target, notes = write(source, name="r.jpg")
    assert _found(target) == ({_IPTC: _IIM + bytes(-len(_IIM) % 4)}, _CAPTION)
    assert notes == ("Photoshop's resources were left out: they do not fit into JPEG, --format tiff keeps them",)
    source = _photo(tmp_path / "l.tif", {}, b"\x1c\x02\x78\x84\0\x01\x11\x70" + b"x" * 70_000)
    assert any("IPTC was left out" in note for note in write(source, name="r.jpg")[1])


def test_any_damage_is_borne() -> None:
    """Oracle: the contract: no error from 500 random changes and cuts; what is cut off is told."""
    image = pyvips.Image.black(8, 8)
    sound = _packed({_IPTC: _IIM, **_KEPT, **_STALE})
    rng = np.random.default_rng(0)
    for turn in range(500):
        data = bytearray(sound[: len(sound) - int(rng.integers(0, 60))])
        for at in rng.integers(0, len(data), turn % 6):
            data[at] = rng.integers(256)
        for field, head in (("iptc-data", b"Photoshop 3.0\0"), ("photoshop-data", b"")):
            damaged = image.copy()
            damaged.set_type(pyvips.GValue.blob_type, field, head + bytes(data))
            for saver in ("jpegsave", "tiffsave", "pngsave"):
                keep_resources(damaged, saver)
    cut = image.copy()
    cut.set_type(pyvips.GValue.blob_type, "photoshop-data", sound[:-20])
    assert keep_resources(cut, "tiffsave")[1] == ("Photoshop's resources were damaged and were left out in part",)
