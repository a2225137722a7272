"""Writing: the promises of product.md about size, lightness, depth, alpha, metadata, names and failures."""

from __future__ import annotations

import io
import resource
import tracemalloc
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage import color, data

from colorcli.errors import PhotoError
from colorcli.items import Job
from colorcli.media.metadata.describe import DIGITAL_SOURCE_TYPE, Provenance, extend_xmp
from colorcli.media.places import comparison_path
from colorcli.media.results import ResultOptions, write_result

from .conftest import FloatArray, Write
from .profiles import ADOBE_GAMMA, adobe_lightness, adobe_rgb_profile, gray_profile, lightness

PROVENANCE = Provenance("colorize 0.1.0", "smsanet", "ab" * 32)
_IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


def _lightness(path: Path) -> NDArray[np.float64]:
    with Image.open(path) as picture:
        return np.asarray(color.rgb2lab(np.asarray(picture.convert("RGB")))[..., 0])


@pytest.mark.parametrize("picture", ["astronaut", "camera", "coffee", "chelsea", "rocket", "page", "coins", "moon"])
def test_lightness_is_untouched(picture: str, tmp_path: Path, write: Write) -> None:
    """Oracle: scikit-image's L of the source; |dL| <= 1 for 99.9 % of pixels, strong chroma of mixed hue."""
    pixels = getattr(data, picture)()
    source = tmp_path / "s.png"
    Image.fromarray(pixels).save(source)
    rng = np.random.default_rng(1)
    offset = rng.normal(0, 40, (12, 16, 2)).astype(np.float32)
    slope = rng.normal(0, 0.3, (12, 16, 2)).astype(np.float32)
    target, notes = write(source, offset=offset, slope=slope)
    with Image.open(target) as result:
        assert result.size == pixels.shape[1::-1] and result.mode == "RGB"
    assert np.mean(np.abs(_lightness(target) - _lightness(source)) <= 1) >= 0.999
    assert notes == ()


def test_no_chroma_gives_the_gray_photo_back(gray_png: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: the source's own values in three equal channels; exact."""
    target, _ = write(gray_png)
    assert np.array_equal(np.asarray(Image.open(target)), np.dstack([camera] * 3))


def test_small_chroma_is_what_was_asked(gray_png: Path, write: Write) -> None:
    """Oracle: scikit-image's ab of the result at medium lightness; 1.0 (8-bit steps of sRGB)."""
    target, _ = write(gray_png, ab=(12.0, -7.0), saturation=1.5)
    lab = color.rgb2lab(np.asarray(Image.open(target)))
    medium = (lab[..., 0] > 30) & (lab[..., 0] < 70)
    assert np.abs(lab[medium][:, 1:] - (18.0, -10.5)).max() < 1.0


def test_gamut_keeps_hue_and_never_exceeds(write: Write, tmp_path: Path) -> None:
    """Oracle: the Lab hue asked for, against scikit-image's of the result; 2.5 degrees where chroma > 20 (8-bit)."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None], 64, axis=0)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    for degrees in range(0, 360, 30):
        ab = (150 * np.cos(np.radians(degrees)), 150 * np.sin(np.radians(degrees)))
        target, _ = write(tmp_path / "ramp.png", name=f"{degrees}.png", ab=ab)
        lab = color.rgb2lab(np.asarray(Image.open(target)))
        strong = np.hypot(lab[..., 1], lab[..., 2]) > 20
        hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))[strong]
        assert np.abs((hue - degrees + 180) % 360 - 180).max() < 2.5
        assert np.abs(lab[..., 0] - _lightness(tmp_path / "ramp.png")).max() < 1.0
        assert strong.any()


@pytest.mark.parametrize("size", [(300, 200), (301, 199), (97, 640)])
def test_chroma_does_not_shift(size: tuple[int, int], tmp_path: Path, write: Write) -> None:
    """Oracle: closed form, a linear ramp of ab stays that ramp, pixel centres aligned; 0.7 (8-bit steps)."""
    width, height = size
    Image.new("L", size, 128).save(tmp_path / "flat.png")
    h, w = 20, 30
    offset = np.zeros((h, w, 2), dtype=np.float32)
    offset[..., 0] = ((np.arange(w) + 0.5) / w * 40 - 20)[None, :]
    offset[..., 1] = ((np.arange(h) + 0.5) / h * 40 - 20)[:, None]
    target, _ = write(tmp_path / "flat.png", offset=offset)
    lab = color.rgb2lab(np.asarray(Image.open(target)))
    inner = (slice(height // h, -height // h), slice(width // w, -width // w))  # borders repeat the last cell
    a = np.broadcast_to(((np.arange(width) + 0.5) / width * 40 - 20)[None, :], (height, width))
    b = np.broadcast_to(((np.arange(height) + 0.5) / height * 40 - 20)[:, None], (height, width))
    assert np.abs(lab[..., 1] - a)[inner].max() < 0.7
    assert np.abs(lab[..., 2] - b)[inner].max() < 0.7


def test_slope_follows_lightness_without_halo(tmp_path: Path, write: Write) -> None:
    """Oracle: closed form, ab = slope * L + offset on both sides of a hard edge, up to the edge itself; 0.7."""
    edge = np.full((128, 128), 90, dtype=np.uint8)
    edge[:, 61:] = 170
    Image.fromarray(edge).save(tmp_path / "edge.png")
    slope = np.zeros((8, 8, 2), dtype=np.float32)
    slope[..., 0] = 0.8
    offset = np.zeros_like(slope)
    offset[..., 0] = -45
    target, _ = write(tmp_path / "edge.png", slope=slope, offset=offset)
    lab = color.rgb2lab(np.asarray(Image.open(target)))
    assert np.abs(lab[..., 1] - (0.8 * _lightness(tmp_path / "edge.png") - 45)).max() < 0.7


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay(suffix: str, tmp_path: Path, write: Write) -> None:
    """Oracle: the source's own 16-bit values; 4 of 65535 (float32 through Lab); not only multiples of 257."""
    ramp = np.linspace(0, 65535, 300 * 200).astype(np.uint16).reshape(200, 300)
    source = tmp_path / f"deep{suffix}"
    Image.fromarray(ramp).save(source)
    target, notes = write(source)
    image = pyvips.Image.new_from_file(str(target))
    assert (image.format, image.bands, image.interpretation) == ("ushort", 3, "rgb16")
    assert np.abs(image.numpy().astype(int) - ramp[..., None]).max() <= 4
    assert notes == ()
    _, notes = write(source, name="deep.jpg")
    assert any("16 bits became 8" in note for note in notes)


def test_alpha_is_kept(tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: the source's alpha; exact. JPEG: white where it was transparent, and a note."""
    alpha = np.tile(np.arange(256, dtype=np.uint8), (512, 2))
    for mode, pixels in (("LA", [camera, alpha]), ("RGBA", [camera, camera, camera, alpha])):
        source = tmp_path / f"{mode}.png"
        Image.fromarray(np.dstack(pixels), mode).save(source)
        target, _ = write(source, ab=(20.0, 5.0))
        result = np.asarray(Image.open(target))
        assert result.shape == (512, 512, 4) and np.array_equal(result[..., 3], alpha)
    target, notes = write(tmp_path / "LA.png", name="flat.jpg", quality=100)
    assert np.asarray(Image.open(target))[:, 0].min() > 250  # alpha 0
    assert any("transparency" in note for note in notes)


def _jpeg(path: Path, pixels: NDArray[np.uint8], orientation: int = 1, **options: object) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "Grandmother, 1931"
    Image.fromarray(pixels).save(path, exif=exif, quality=97, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_reset(orientation: int, tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow's exif_transpose of the source; mean 1 level (two JPEG codings); EXIF kept; tag 1."""
    from PIL import ImageOps

    source = tmp_path / "o.jpg"
    _jpeg(source, np.asarray(data.camera())[:300], orientation, dpi=(300, 200))
    target, _ = write(source, quality=97)
    result = Image.open(target)
    upright = ImageOps.exif_transpose(Image.open(source))
    assert result.size == upright.size
    assert np.abs(np.asarray(result.convert("L")).astype(int) - np.asarray(upright)).mean() < 1
    assert result.getexif()[0x0112] == 1
    assert result.getexif()[0x010E] == "Grandmother, 1931"
    expected = (300, 200) if orientation < 5 else (200, 300)
    image = pyvips.Image.new_from_file(str(target))  # Pillow reads the first of two densities only
    assert (image.xres * 25.4, image.yres * 25.4) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("orientation", [3, 6])
def test_large_turned_photos_are_held_on_disk(
    orientation: int, tmp_path: Path, write: Write, camera: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the bytes of the result that was held in memory: pixels, alpha, EXIF, XMP; and no file is left over."""
    alpha = np.tile(np.arange(256, dtype=np.uint8), (512, 2))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, "Grandmother\x01, 1931"
    Image.fromarray(np.dstack([camera, alpha]), "LA").save(tmp_path / "o.png", exif=exif, dpi=(300, 200))
    Image.fromarray(camera[:300]).save(tmp_path / "o.jpg", exif=exif, xmp=_PACKET)
    for name in ("o.png", "o.jpg"):
        in_memory = write(tmp_path / name, ab=(20.0, 5.0), provenance=PROVENANCE)[0].read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr("colorcli.media.results._HELD_IN_MEMORY", 0)
            target, _ = write(tmp_path / name, ab=(20.0, 5.0), provenance=PROVENANCE)
        assert target.read_bytes() == in_memory
    assert sorted(path.name for path in target.parent.iterdir()) == ["o.jpg", "o.png"]


@pytest.mark.parametrize("name", ["d.jpg", "d.png", "d.tif", "d.bmp"])
def test_dpi_is_kept(name: str, tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: Pillow's dpi of the source; 1 dpi (formats store pixels per metre or whole numbers)."""
    Image.fromarray(camera).save(tmp_path / name, dpi=(600, 600))
    target, _ = write(tmp_path / name)
    assert Image.open(target).info["dpi"] == pytest.approx((600, 600), abs=1)


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.tif", "p.webp"])
def test_result_carries_srgb_not_the_gray_profile(name: str, tmp_path: Path, write: Write) -> None:
    """Oracle: closed form, linear gray 0.5 is sRGB 188 in each channel; 2 levels; the profile is an RGB one."""
    source = tmp_path / "g.tif"
    Image.new("L", (64, 64), 128).save(source, icc_profile=gray_profile(1))
    target, _ = write(source, name=name)
    result = Image.open(target)
    assert np.abs(np.asarray(result).astype(int) - 188).max() <= 2
    profile = result.info["icc_profile"]
    assert profile[16:20] == b"RGB "
    assert "srgb" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).lower()


# Inside sRGB's gamut too; read as sRGB they would be up to 4 L off.
_ADOBE_COLOURS = [(60, 60, 60), (200, 200, 200), (200, 120, 110), (110, 120, 190), (150, 180, 130), (230, 200, 90)]


@pytest.mark.parametrize(("name", "tolerance"), [("p.png", 0.4), ("p.tif", 0.4), ("p.jpg", 0.7)])
def test_adobe_rgb_is_honoured(name: str, tolerance: float, tmp_path: Path, write: Write) -> None:
    """Oracle: closed form from the profile's own matrix and gamma; 8-bit gray is 0.2 L near, JPEG twice that."""
    pixels = np.repeat(np.array([_ADOBE_COLOURS], dtype=np.uint8), 32, axis=1).repeat(32, axis=0)  # (32, 192, 3)
    options = {"quality": 100, "subsampling": 0} if name == "p.jpg" else {}
    Image.fromarray(pixels).save(tmp_path / name, icc_profile=adobe_rgb_profile(), **options)
    target, _ = write(tmp_path / name, quality=100)
    inner = np.arange(192) % 32 // 8 % 3 > 0  # JPEG's blocks at the patches' borders are left out
    expected = adobe_lightness(pixels)[:, inner]
    assert np.abs(_lightness(target)[:, inner] - expected).max() < tolerance
    assert np.abs(color.rgb2lab(pixels)[..., 0][:, inner] - expected).max() > 2


@pytest.mark.parametrize("name", ["p.png", "p.tif", "p.jpg"])
def test_gray_of_gamma_2_2_is_honoured(name: str, tmp_path: Path, write: Write) -> None:
    """Oracle: closed form, all 256 values; 0.4 L (8-bit result, JPEG at 100); read as sRGB it would be 1 L off."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None].repeat(8, axis=1), 16, axis=0)  # (16, 2048)
    options = {"quality": 100} if name == "p.jpg" else {}
    Image.fromarray(ramp).save(tmp_path / name, icc_profile=gray_profile(ADOBE_GAMMA), **options)
    target, _ = write(tmp_path / name, quality=100)
    expected = lightness((ramp / 255) ** ADOBE_GAMMA)
    assert np.abs(_lightness(target) - expected).max() < 0.4
    assert np.abs(_lightness(tmp_path / name) - expected).max() > 1


def _long_exif(size: int) -> bytes:
    """An EXIF block with a comment, `size` bytes altogether."""
    exif = Image.Exif()
    exif[0x010E] = "Grandmother, 1931"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0"
    exif.get_ifd(0x8769)[0x9286] += b"x" * (size - len(exif.tobytes()))
    return exif.tobytes()


@pytest.mark.parametrize(("size", "fits"), [(60_000, True), (65_300, True), (65_500, False), (65_532, False)])
def test_exif_near_64_kilobytes(size: int, fits: bool, tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow reads both fields from the result, or a note says that they are gone. JPEG's segment holds 65,533
    bytes (ITU-T T.81, B.1.1.4), of which libvips' own fields take some 130; PNG, WebP and TIFF have no such limit."""
    raw = _long_exif(size)
    assert len(raw) == size
    Image.new("L", (32, 32), 100).save(tmp_path / "e.jpg", exif=raw)
    for name, kept in (("e.jpg", fits), ("e.png", True), ("e.webp", True), ("e.tif", True), ("e.bmp", False)):
        target, notes = write(tmp_path / "e.jpg", name=name, provenance=PROVENANCE)
        with Image.open(target) as result:
            exif = result.getexif()
            found = exif.get(0x010E) == "Grandmother, 1931" and len(exif.get_ifd(0x8769).get(0x9286, b"")) > 59_000
        assert found == kept, name
        assert any("EXIF was left out" in note for note in notes) != kept, name


def test_exif_above_libvips_limit(tmp_path: Path, write: Write) -> None:
    """Oracle: libvips refuses to write blocks above 8 MiB ("exif too large"): a result all the same, and the note."""
    Image.new("L", (32, 32), 100).save(tmp_path / "e.png", exif=_long_exif(2**23 + 100))
    for name in ("r.jpg", "r.png", "r.webp", "r.avif", "r.tif"):
        target, notes = write(tmp_path / "e.png", name=name, provenance=PROVENANCE)
        assert Image.open(target).size == (32, 32)
        assert any("EXIF was left out in part: 8,388,7" in note for note in notes), name


def test_cmyk_becomes_positive_rgb(tmp_path: Path, write: Write, astronaut: NDArray[np.uint8]) -> None:
    """Oracle: correlation with the original's L above 0.97 (Pillow's CMYK is Adobe's, inverted)."""
    Image.fromarray(astronaut).convert("CMYK").save(tmp_path / "c.jpg", quality=95)
    target, _ = write(tmp_path / "c.jpg")
    assert Image.open(target).mode == "RGB"
    original = color.rgb2lab(astronaut)[..., 0]
    assert np.corrcoef(_lightness(target).ravel(), original.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.avif", "a.gif", "a.bmp", "a.jp2", "a.ppm", "a.tga"]
)
def test_every_format_is_written(name: str, tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow reads it back as what it is called; mean |dL| below 3 (GIF's 256 colours); no .part."""
    Image.fromarray(np.asarray(data.coffee())[::4, ::4]).save(tmp_path / "s.png")
    target, notes = write(tmp_path / "s.png", name=name, ab=(8.0, 12.0), provenance=PROVENANCE)
    expected = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000", "ppm": "PPM"}.get(name[2:], name[2:].upper())
    assert Image.open(target).format == expected
    assert np.abs(_lightness(target) - _lightness(tmp_path / "s.png")).mean() < 3
    assert [path.name for path in target.parent.iterdir()] == [name]
    assert bool(notes) == (name[2:] in ("gif", "bmp", "jp2", "ppm", "tga"))


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tif", "x.webp", "x.avif"])
def test_provenance_is_in_the_file(name: str, gray_png: Path, write: Write) -> None:
    """Oracle: an XML parser finds IPTC's term, software, method and hash; same input, same bytes."""
    first, _ = write(gray_png, name=name, ab=(5.0, 5.0), provenance=PROVENANCE)
    again, _ = write(gray_png, name=f"again{first.suffix}", ab=(5.0, 5.0), provenance=PROVENANCE)
    assert first.read_bytes() == again.read_bytes()
    packet = bytes(pyvips.Image.new_from_file(str(first)).get("xmp-data"))
    root = ElementTree.fromstring(packet)
    assert [node.text for node in root.iter(_IPTC)] == [DIGITAL_SOURCE_TYPE]
    for text in ("colorize 0.1.0", "smsanet", "ab" * 32):
        assert text in packet.decode()
    silent, _ = write(gray_png, name=f"silent{first.suffix}")
    assert b"DigitalSourceType" not in silent.read_bytes()


_PACKET = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="uuid:1"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Scanner 1"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="old">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">F\xc3\xaate</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def test_existing_xmp_is_extended() -> None:
    """Oracle: ElementTree: the title stays, one DigitalSourceType, orientation 1, the first tool stays."""
    packet, damaged = extend_xmp(_PACKET, PROVENANCE)
    assert not damaged
    text = packet.decode()
    root = ElementTree.fromstring(packet)
    assert "F\N{LATIN SMALL LETTER E WITH CIRCUMFLEX}te" in text and 'tiff:Orientation="1"' in text
    assert "Scanner 1" in text and '"old"' not in text
    assert [node.text for node in root.iter(_IPTC)] == [DIGITAL_SOURCE_TYPE]
    about = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
    assert {node.attrib[about] for node in root.iter() if about in node.attrib} == {"uuid:1"}
    assert extend_xmp(packet, PROVENANCE)[0].count(b"DigitalSourceType>") == 2  # one element after a second run


@pytest.mark.parametrize("packet", [b"", b"<x", b"<a/>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"\xff\xfe\x00"])
def test_broken_xmp_is_replaced(packet: bytes) -> None:
    """Oracle: the contract: a valid packet, and the caller is told."""
    result, damaged = extend_xmp(packet, PROVENANCE)
    assert damaged and DIGITAL_SOURCE_TYPE.encode() in result


def test_a_document_type_is_seen_in_any_encoding() -> None:
    """Oracle: a packet in UTF-16, whose bytes do not spell the word; without the document type it is read."""
    body = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
    )
    for text, bad in ((body, False), ('<!DOCTYPE x [<!ENTITY b "c">]>' + body, True)):
        assert extend_xmp(b"\xfe\xff" + text.encode("utf-16-be"), PROVENANCE)[1] == bad


def test_long_xmp_is_not_parsed(tmp_path: Path, write: Write) -> None:
    """Oracle: Python's own count of its memory, far below that of a tree; the note, and the provenance all the same."""
    long = _PACKET.replace(b"</rdf:Alt>", b"<rdf:li>x</rdf:li>" * 200_000 + b"</rdf:Alt>")
    image = pyvips.Image.black(32, 32).copy()
    image.set_type(pyvips.GValue.blob_type, "xmp-data", long)
    image.pngsave(str(tmp_path / "x.png"))
    tracemalloc.start()
    try:
        target, notes = write(tmp_path / "x.png", provenance=PROVENANCE)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    assert notes == (f"the source's XMP was left out: {len(long):,} bytes, of which at most 2,000,000 are read",)
    packet = bytes(pyvips.Image.new_from_file(str(target)).get("xmp-data"))
    assert DIGITAL_SOURCE_TYPE.encode() in packet and len(packet) < 2_000
    assert write(tmp_path / "x.png")[1] == notes


def test_thumbnails_in_xmp_are_dropped() -> None:
    """Oracle: ElementTree: no thumbnail of the gray picture, the title stays."""
    thumbnail = b"<xmp:Thumbnails><rdf:Alt><rdf:li>/9j/</rdf:li></rdf:Alt></xmp:Thumbnails></rdf:Description>"
    packet, damaged = extend_xmp(_PACKET.replace(b"</rdf:Description>", thumbnail), None)
    assert not damaged and "x-default" in packet.decode()
    assert not list(ElementTree.fromstring(packet).iter("{http://ns.adobe.com/xap/1.0/}Thumbnails"))


def test_xmp_of_a_photo_survives(tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: the title is found in the result's packet."""
    Image.fromarray(camera).save(tmp_path / "x.jpg", xmp=_PACKET)
    target, notes = write(tmp_path / "x.jpg", provenance=PROVENANCE)
    packet = bytes(pyvips.Image.new_from_file(str(target)).get("xmp-data")).decode()
    assert "x-default" in packet and 'tiff:Orientation="1"' in packet and DIGITAL_SOURCE_TYPE in packet
    assert notes == ()


def test_palette_and_one_bit_become_rgb(tmp_path: Path, write: Write, astronaut: NDArray[np.uint8]) -> None:
    """Oracle: mode RGB and more than 2 colours after colouring; L as the source's within 1."""
    Image.fromarray(astronaut).quantize(16).save(tmp_path / "P.png")
    Image.fromarray(astronaut).convert("1").save(tmp_path / "1.png")
    Image.fromarray(astronaut).convert("1").save(tmp_path / "1.tif", compression="group4")
    for name in ("P.png", "1.png", "1.tif"):
        target, _ = write(tmp_path / name, ab=(20.0, 10.0))
        assert Image.open(target).mode == "RGB"
        assert np.abs(_lightness(target) - _lightness(tmp_path / name)).max() < 1, name


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_damaged_source_leaves_nothing(
    suffix: str, tmp_path: Path, write: Write, astronaut: NDArray[np.uint8]
) -> None:
    """Oracle: PhotoError, and an empty folder."""
    whole = io.BytesIO()
    Image.fromarray(astronaut).save(whole, {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[suffix])
    source = tmp_path / f"cut{suffix}"
    source.write_bytes(whole.getvalue()[: len(whole.getvalue()) * 2 // 3])
    with pytest.raises(PhotoError):
        write(source)
    assert not list((tmp_path / "out").rglob("*"))


def test_unwritable_places_fail_by_name(gray_png: Path, write: Write, tmp_path: Path) -> None:
    """Oracle: PhotoError: the folder is a file; the format cannot be written."""
    (tmp_path / "out").touch()
    with pytest.raises(PhotoError, match="cannot be written"):
        write(gray_png)
    (tmp_path / "out").unlink()
    with pytest.raises(PhotoError, match="HEIC"):
        write(gray_png, name="a.heic")


def test_an_old_result_stays_until_the_new_one_is_whole(gray_png: Path, write: Write) -> None:
    """Oracle: bytes of the earlier result, after a failed run over it."""
    target, _ = write(gray_png)
    before = target.read_bytes()
    gray_png.write_bytes(gray_png.read_bytes()[:5000])
    with pytest.raises(PhotoError):
        write(gray_png)
    assert target.read_bytes() == before


def test_comparison(gray_png: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: left half is the source (mean 2 levels, JPEG 90), right half is not gray; at most 2000 wide."""
    target, _ = write(gray_png, ab=(30.0, 30.0), compare=True)
    pair = np.asarray(Image.open(comparison_path(target))).astype(int)
    assert comparison_path(target).name == "gray.png.compare.jpg"
    assert pair.shape == (512, 512 * 2 + 8, 3)
    assert np.abs(pair[:, :512] - camera[..., None]).mean() < 2
    assert np.abs(pair[:, -512:, 0] - pair[:, -512:, 2]).mean() > 20


def test_comparison_says_that_its_colour_is_synthetic(tmp_path: Path, write: Write, camera: NDArray[np.uint8]) -> None:
    """Oracle: ElementTree finds IPTC's term and nothing of the source's; none of it where provenance is off."""
    Image.fromarray(camera).save(tmp_path / "x.jpg", xmp=_PACKET)
    target, _ = write(tmp_path / "x.jpg", compare=True, provenance=PROVENANCE)
    with Image.open(comparison_path(target)) as picture:
        packet = picture.info["xmp"]
        assert "exif" not in picture.info and "icc_profile" in picture.info
    assert [node.text for node in ElementTree.fromstring(packet).iter(_IPTC)] == [DIGITAL_SOURCE_TYPE]
    assert b"x-default" not in packet
    target, _ = write(tmp_path / "x.jpg", compare=True)
    with Image.open(comparison_path(target)) as picture:
        assert "xmp" not in picture.info


@pytest.mark.parametrize("size", [(5000, 40), (1, 1), (1, 3000)])
def test_comparison_of_odd_shapes(size: tuple[int, int], tmp_path: Path, write: Write) -> None:
    """Oracle: the contract: at most 2000 pixels wide, result of the source's size."""
    Image.new("L", size, 100).save(tmp_path / "s.bmp")
    target, _ = write(tmp_path / "s.bmp", ab=(10.0, 10.0), compare=True)
    assert Image.open(target).size == size
    assert Image.open(comparison_path(target)).width <= 2000


def test_long_and_odd_names(tmp_path: Path, gray_png: Path, gamut: FloatArray) -> None:
    """Oracle: the file is there under its name: 255 bytes, a newline, a leading dash, brackets."""
    flat = np.zeros((4, 4, 2), dtype=np.float32)
    for name in ("n" * 251 + ".png", "new\nline.png", "-q.png", "a [1].png", "\N{SNOWMAN}.png"):
        target = tmp_path / "out" / name
        write_result(Job(gray_png, target, name), flat, flat, gamut, ResultOptions())
        assert Image.open(target).size == (512, 512)


def test_options_are_validated() -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match="saturation"):
        ResultOptions(saturation=-1)
    with pytest.raises(ValueError, match="quality"):
        ResultOptions(quality=0)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_a_full_disk_is_not_the_photos_fault(name: str, tmp_path: Path, write: Write) -> None:
    """Oracle: the system refuses files of more than 20 kB (RLIMIT_FSIZE); the message names the place."""
    noise = np.random.default_rng(0).integers(0, 255, (600, 600), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(PhotoError, match=r"result cannot be written \(File too large\); check the output folder"):
            write(tmp_path / "noise.png", name=name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "out").iterdir())


def test_a_disk_too_full_to_hold_a_turned_photo(
    tmp_path: Path, write: Write, camera: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: as above, for the file that holds the lightness (512x512x2 bytes); it does not stay."""
    monkeypatch.setattr("colorcli.media.results._HELD_IN_MEMORY", 0)
    _jpeg(tmp_path / "o.jpg", camera, 6)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(PhotoError, match=r"result cannot be written \(File too large\)"):
            write(tmp_path / "o.jpg")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "out").iterdir())


def test_a_photo_that_breaks_off_is_not_the_disks_fault(
    tmp_path: Path, write: Write, camera: NDArray[np.uint8]
) -> None:
    """Oracle: the contract; pngsave says "unable to write" then too."""
    whole = io.BytesIO()
    Image.fromarray(camera).save(whole, "PNG")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) * 2 // 3])
    with pytest.raises(PhotoError, match=r"damaged or cut short .*read error"):
        write(tmp_path / "cut.png")


def test_comparison_of_a_name_in_an_old_encoding(
    tmp_path: Path, gray_png: Path, gamut: FloatArray, camera: NDArray[np.uint8]
) -> None:
    """Oracle: left half is the source (mean 2 levels), under a name that is no UTF-8."""
    source = tmp_path / b"latin-\xe9.png".decode("utf-8", "surrogateescape")
    try:
        source.write_bytes(gray_png.read_bytes())
    except OSError:  # file systems that take UTF-8 only
        pytest.skip("names are UTF-8 here")
    flat = np.zeros((4, 4, 2), dtype=np.float32)
    target = tmp_path / "out" / source.name
    write_result(Job(source, target, source.name), flat, flat, gamut, ResultOptions(compare=True))
    with comparison_path(target).open("rb") as file:
        pair = np.asarray(Image.open(file)).astype(int)
    assert np.abs(pair[:, :512] - camera[..., None]).mean() < 2


def test_comparison_of_long_names(gray_png: Path, write: Write) -> None:
    """Oracle: both files are there; two long names have two comparisons."""
    names = ["n" * 250 + "a.png", "n" * 250 + "b.png", "\N{SNOWMAN}" * 83 + ".png"]
    targets = [write(gray_png, name=name, compare=True)[0] for name in names]
    comparisons = {comparison_path(target) for target in targets}
    assert len(comparisons) == 3 and all(path.exists() for path in [*targets, *comparisons])
    assert all(path.name.endswith(".compare.jpg") for path in comparisons)


@pytest.mark.parametrize("size", [59_800, 63_000, 65_400])
def test_long_xmp_in_jpeg_leaves_the_provenance(
    size: int, tmp_path: Path, write: Write, camera: NDArray[np.uint8]
) -> None:
    """Oracle: the packet is in the file and says what it must; a note where the source's went; PNG holds all of it."""
    filler = b"<!--" + b"x" * (size - len(_PACKET)) + b"-->"
    Image.fromarray(camera).save(
        tmp_path / "x.jpg", xmp=_PACKET.replace(b"</rdf:Description>", b"</rdf:Description>" + filler)
    )
    for name, kept in (("x.jpg", False), ("x.png", True)):
        target, notes = write(tmp_path / "x.jpg", name=name, provenance=PROVENANCE)
        packet = bytes(pyvips.Image.new_from_file(str(target)).get("xmp-data"))
        assert DIGITAL_SOURCE_TYPE.encode() in packet and (b"x-default" in packet) == kept
        assert any("XMP was left out" in note for note in notes) != kept


@pytest.mark.parametrize("source", ["s.jpg", "s.png", "s.tif", "s.webp", "s.avif", "s.ppm"])
def test_no_resolution_is_invented(source: str, tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow finds none in JPEG, EXIF's "unknown" (72) in PNG and TIFF, and no EXIF block."""
    Image.new("L", (20, 20), 100).save(tmp_path / source)
    for name, expected in (("r.jpg", None), ("r.png", 72), ("r.tif", 72), ("r.webp", None)):
        target, _ = write(tmp_path / source, name=f"{source}.{name}", provenance=PROVENANCE)
        with Image.open(target) as result:
            dpi = result.info.get("dpi")
            assert "exif" not in result.info and "icc_profile" in result.info
            assert dpi == (None if expected is None else pytest.approx((expected, expected), abs=0.1)), name


def test_failures_under_a_name_in_an_old_encoding(tmp_path: Path, write: Write) -> None:
    """Oracle: the same messages as under a plain name, for the photo and for the place."""
    noise = np.random.default_rng(0).integers(0, 255, (600, 600), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, "PNG")
    source = tmp_path / b"latin-\xe9.png".decode("utf-8", "surrogateescape")
    try:
        source.write_bytes(whole.getvalue()[:200_000])
    except OSError:  # file systems that take UTF-8 only
        pytest.skip("names are UTF-8 here")
    with pytest.raises(PhotoError, match="damaged or cut short"):
        write(source)
    source.write_bytes(whole.getvalue())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(PhotoError, match=r"\(File too large\)"):
            write(source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
