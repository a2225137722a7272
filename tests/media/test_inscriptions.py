"""What libvips passes over: comments, PNG's text, XMP where it belongs, JPEG's further segments; kept, or told."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, IptcImagePlugin, PngImagePlugin

from colorcli.media.metadata.describe import DIGITAL_SOURCE_TYPE, Provenance, extend_xmp
from colorcli.media.metadata.gif_comments import gif_comments
from colorcli.media.metadata.inscriptions import read_inscriptions
from colorcli.media.metadata.insertion import insert

from .conftest import Write

PROVENANCE = Provenance("colorize 0.1.0", "smsanet", "ab" * 32)
_KEYWORD = b"XML:com.adobe.xmp\0"
_RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
_DC = "http://purl.org/dc/elements/1.1/"


def _packet(attributes: str = "", inside: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_RDF}><rdf:Description rdf:about="" xmlns:dc="{_DC}"'
        f' dc:source="attic" {attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def _chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """A PNG's chunks by the specification (third edition, 5.3): length, type, data, CRC-32 of the last two."""
    whole = path.read_bytes()
    at, found = 8, []
    while at < len(whole):
        (length,) = struct.unpack_from(">I", whole, at)
        kind, data = whole[at + 4 : at + 8], whole[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", whole, at + 8 + length) == (zlib.crc32(kind + data),)
        found.append((kind, data))
        at += 12 + length
    assert found[0][0] == b"IHDR" and found[-1] == (b"IEND", b"")
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(path: Path, early: bytes = b"", late: bytes = b"") -> Path:
    """A gray PNG with further chunks before and behind its pixels."""
    whole = io.BytesIO()
    Image.new("L", (24, 16), 120).save(whole, "PNG")
    raw = whole.getvalue()
    path.write_bytes(raw[:33] + early + raw[33:-12] + late + raw[-12:])
    return path


def _jpeg(path: Path, *segments: tuple[int, bytes], **options: object) -> Path:
    """A gray JPEG with further segments behind those that Pillow writes."""
    whole = io.BytesIO()
    Image.new("L", (24, 16), 120).save(whole, "JPEG", **options)
    raw = whole.getvalue()
    tables = raw.index(b"\xff\xdb")  # the quantization tables
    added = b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments)
    path.write_bytes(raw[:tables] + added + raw[tables:])
    return path


def _comments(path: Path) -> list[bytes]:
    with Image.open(path) as picture:
        picture.load()
        return [data for name, data in picture.applist if name == "COM"]  # type: ignore[attr-defined]


def _source_text(packet: bytes) -> list[str]:
    return [
        node.attrib[f"{{{_DC}}}source"]
        for node in ElementTree.fromstring(packet).iter()
        if node.attrib.get(f"{{{_DC}}}source")
    ]


@pytest.mark.parametrize("source", ["x.jpg", "x.png", "none.png"])
def test_xmp_of_png_stands_where_readers_look(source: str, tmp_path: Path, write: Write) -> None:
    """Oracle: a chunk parser and XMP part 3, 1.1.5: one uncompressed iTXt; Pillow finds it without decoding."""
    if source == "x.jpg":
        _jpeg(tmp_path / source, xmp=_packet())
    else:
        _png(
            tmp_path / source,
            b"" if source == "none.png" else _chunk(b"zTXt", _KEYWORD + b"\0" + zlib.compress(_packet())),
        )
    target, notes = write(tmp_path / source, name="r.png", provenance=PROVENANCE)
    chunks = _chunks(target)
    found = [(kind, data) for kind, data in chunks if data.startswith(_KEYWORD)]
    assert [kind for kind, _ in found] == [b"iTXt"] and found[0][1].startswith(_KEYWORD + b"\0\0\0\0")
    assert [kind for kind, _ in chunks].index(b"iTXt") < [kind for kind, _ in chunks].index(b"IDAT")
    with Image.open(target) as result:
        packet = result.info["xmp"]
        assert result.size == (24, 16)
        result.load()
    assert packet == found[0][1][len(_KEYWORD) + 4 :] and DIGITAL_SOURCE_TYPE.encode() in packet
    assert _source_text(packet) == ([] if source == "none.png" else ["attic"])
    assert notes == ()
    assert not any(data.startswith(_KEYWORD) for _, data in _chunks(write(_png(tmp_path / "plain.png"))[0]))


@pytest.mark.parametrize("kind", ["plain", "packed", "zTXt", "tEXt"])
def test_xmp_behind_the_pixels_is_kept(kind: str, tmp_path: Path, write: Write) -> None:
    """Oracle: the packet that was put there, as ExifTool does by default; libvips itself sees none."""
    chunk = {
        "plain": _chunk(b"iTXt", _KEYWORD + b"\0\0en\0key\0" + _packet()),
        "packed": _chunk(b"iTXt", _KEYWORD + b"\1\0\0\0" + zlib.compress(_packet())),
        "zTXt": _chunk(b"zTXt", _KEYWORD + b"\0" + zlib.compress(_packet())),
        "tEXt": _chunk(b"tEXt", _KEYWORD + _packet()),
    }[kind]
    source = _png(tmp_path / "late.png", late=chunk)
    assert not pyvips.Image.new_from_file(str(source)).get_typeof("xmp-data")
    for name in ("r.png", "r.jpg", "r.tif"):
        target, notes = write(source, name=name)
        assert _source_text(bytes(pyvips.Image.new_from_file(str(target)).get("xmp-data"))) == ["attic"]
        assert notes == ()


def test_png_text_stays_as_it_was(tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow's texts of the source, which stand before and behind the pixels, in every kind of chunk."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Description", "Бабушка, 1931", lang="ru", tkey="Описание")
    info.add_itxt("Comment", "Привет" * 50, zip=True)
    info.add_text("Author", "Käthe")  # Latin-1
    info.add_text("Copyright", "x" * 3000, zip=True)
    Image.new("L", (24, 16), 120).save(tmp_path / "t.png", pnginfo=info)
    raw = (tmp_path / "t.png").read_bytes()
    (tmp_path / "t.png").write_bytes(raw[:-12] + _chunk(b"tEXt", b"Title\0late") + raw[-12:])
    target, notes = write(tmp_path / "t.png", provenance=PROVENANCE)
    texts = {b"tEXt", b"zTXt", b"iTXt"}
    before = [chunk for chunk in _chunks(tmp_path / "t.png") if chunk[0] in texts]
    after = [chunk for chunk in _chunks(target) if chunk[0] in texts]
    assert len(before) == 5 and after[1:] == before and notes == ()
    with Image.open(tmp_path / "t.png") as source, Image.open(target) as result:
        source.load()
        assert {key: result.text[key] for key in source.text} == source.text
        assert result.text["Description"].lang == "ru"
    _, notes = write(tmp_path / "t.png", name="r.jpg")
    assert notes == ("text was left out, --format png keeps it: Author, Comment, Copyright, Description, Title",)


def test_damaged_or_long_text_is_told(tmp_path: Path, write: Write) -> None:
    """Oracle: the note; a result all the same, without the damaged chunk, and with the others."""
    wrong = bytearray(_chunk(b"tEXt", b"Title\0damaged"))
    wrong[-1] ^= 1
    unpackable = _chunk(b"iTXt", _KEYWORD + b"\1\0\0\0no zlib")
    long = _chunk(b"tEXt", b"Title\0" + b"x" * 8_000_000)
    for late in (bytes(wrong), unpackable, long):
        source = _png(tmp_path / "d.png", _chunk(b"tEXt", b"Author\0Berta"), late)
        target, notes = write(source)
        assert notes == ("text that is damaged or too long was left out",)
        assert [data for kind, data in _chunks(target) if kind == b"tEXt"] == [b"Author\0Berta"]


def test_comments_of_jpeg_are_kept(tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow's list of the segments: two comments in JPEG, behind EXIF, XMP and profile; texts in PNG."""
    exif = Image.Exif()
    exif[0x010E] = "Grandmother"
    comments = ["Käthe".encode("latin-1"), "Бабушка\0".encode()]
    source = _jpeg(tmp_path / "c.jpg", *((0xFE, text) for text in (*comments, b"\0 ")), exif=exif, xmp=_packet())
    target, notes = write(source, name="r.jpg", provenance=PROVENANCE)
    assert _comments(target) == comments and notes == ()
    with Image.open(target) as result:
        assert [name for name, _ in result.applist][-2:] == ["COM", "COM"]  # type: ignore[attr-defined]
        assert result.getexif()[0x010E] == "Grandmother" and "icc_profile" in result.info
        assert _source_text(result.info["xmp"]) == ["attic"]
    target, notes = write(source, name="r.png", provenance=PROVENANCE)
    found = [
        data.removeprefix(b"Comment\0\0\0\0\0").decode() for _, data in _chunks(target) if data.startswith(b"Comment")
    ]
    assert found == ["Käthe", "Бабушка"] and notes == ()
    for name in ("r.tif", "r.webp", "r.bmp", "r.gif"):
        assert "the source's comment was left out: --format jpg or png keeps it" in write(source, name=name)[1]


def test_comments_of_gif_are_kept(tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow's own reading of a comment that is longer than a block and than a JPEG segment; and one behind
    the pixels, placed there by the specification (GIF89a, 24 and 27)."""
    comment = bytes(range(32, 127)) * 700
    Image.new("L", (24, 16), 120).save(tmp_path / "c.gif", comment=comment)
    with Image.open(tmp_path / "c.gif") as picture:
        assert picture.info["comment"] == comment
    raw = (tmp_path / "c.gif").read_bytes()
    (tmp_path / "c.gif").write_bytes(raw[:-1] + b"!\xfe\x05later\0;")
    target, notes = write(tmp_path / "c.gif", name="r.jpg")
    assert _comments(target) == [comment[:65_533], comment[65_533:], b"later"] and notes == ()


def test_extended_xmp_is_told_and_not_pointed_at(tmp_path: Path, write: Write) -> None:
    """Oracle: ElementTree finds no HasExtendedXMP, as attribute or element, and the rest; the note has the size."""
    extension = _packet(inside="<dc:rights>" + "x" * 70_000 + "</dc:rights>")
    digest = hashlib.md5(extension).hexdigest().upper()
    note = 'xmlns:xmpNote="http://ns.adobe.com/xmp/note/"'
    inside = f"<xmpNote:HasExtendedXMP {note}>{digest}</xmpNote:HasExtendedXMP>"
    pieces = [
        (
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0" + digest.encode() + struct.pack(">II", len(extension), at) + part,
        )
        for at, part in ((0, extension[:60_000]), (60_000, extension[60_000:]))
    ]
    for packet in (_packet(f'{note} xmpNote:HasExtendedXMP="{digest}"'), _packet(inside=inside)):
        source = _jpeg(tmp_path / "e.jpg", *pieces, xmp=packet)
        for name in ("r.jpg", "r.png"):
            target, notes = write(source, name=name)
            kept = bytes(pyvips.Image.new_from_file(str(target)).get("xmp-data"))
            assert digest.encode() not in target.read_bytes() and _source_text(kept) == ["attic"]
            assert notes == (f"the source's extended XMP was left out: {len(extension):,} bytes",)


def _resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


def test_iptc_of_further_segments_is_kept(tmp_path: Path, write: Write) -> None:
    """Oracle: Pillow reads captions from JPEG, of which libvips saw the first segment alone; a resource may be split;
    what is no resource of Photoshop's does not become IPTC."""
    caption, byline = b"\x1c\x02\x78\0\x0bGrandmother", b"\x1c\x02\x50\0\x05Berta"
    mark, path = b"Photoshop 3.0\0", _resource(0x07D0, b"path")
    whole = path + _resource(0x0404, caption) + _resource(0x0404, byline)
    layouts = [
        [mark + path, mark + whole[len(path) :]],
        [mark + whole[:25], mark + whole[25:]],
        [mark + path + _resource(0x0404, caption), mark + _resource(0x0404, byline)],
        [b"Adobe_CM\0\0", mark + whole],
    ]
    for segments in layouts:
        source = _jpeg(tmp_path / "i.jpg", *((0xED, segment) for segment in segments))
        target, notes = write(source, name="r.jpg")
        with Image.open(target) as result:
            assert IptcImagePlugin.getiptcinfo(result) == {(2, 120): b"Grandmother", (2, 80): b"Berta"}
            assert result.info["photoshop"][0x07D0] == b"path" and notes == ()
        assert any("IPTC was left out" in note for note in write(source, name="r.png")[1])
    source = _jpeg(tmp_path / "n.jpg", (0xED, b"Adobe_CM\0\0"))
    target, notes = write(source, name="r.jpg")
    assert b"Adobe_CM" not in target.read_bytes() and notes == ()


def test_line_ends_in_xmp_stay() -> None:
    """Oracle: ElementTree reads the same from the packet before and after, twice over."""
    attributes = 'dc:rights="a&#10;b&#9;c&#13;d &lt;&amp;&quot;\'"'
    packet = _packet(attributes, "<dc:title>one&#13;\ntwo ]]&gt; &amp;<!-- kept --><![CDATA[<raw>]]></dc:title>")
    for _ in range(2):
        (before, after) = (ElementTree.fromstring(packet), ElementTree.fromstring(extend_xmp(packet, None)[0]))
        for one, other in zip(before.iter(), after.iter(), strict=True):
            assert (one.tag, one.attrib, one.text, one.tail) == (other.tag, other.attrib, other.text, other.tail)
        assert after[0][0].attrib[f"{{{_DC}}}rights"] == "a\nb\tc\rd <&\"'"
        packet = extend_xmp(packet, None)[0]
    assert b"<!-- kept -->" in packet


def test_xmp_of_great_depth_is_replaced() -> None:
    """Oracle: the contract of `extend_xmp`: what cannot be read is replaced, and the caller is told."""
    packet, damaged = extend_xmp(_packet(inside="<dc:a>" * 5_000 + "</dc:a>" * 5_000), PROVENANCE)
    assert damaged and DIGITAL_SOURCE_TYPE.encode() in packet


@pytest.mark.parametrize("block", [1, 7, 1000, 4_000_000])
def test_insertion(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: slices of the bytes; blocks shorter and longer than the file and than what is put in."""
    monkeypatch.setattr("colorcli.media.metadata.insertion._BLOCK", block)
    whole = bytes(np.random.default_rng(0).integers(0, 256, 2000, dtype=np.uint8))
    for at in (0, 33, 2000):
        for data in (b"", b"new", whole * 2):
            (tmp_path / "f").write_bytes(whole)
            insert(tmp_path / "f", at, data)
            assert (tmp_path / "f").read_bytes() == whole[:at] + data + whole[at:]


def test_pixels_of_a_png_of_many_blocks(
    gray_png: Path, write: Write, camera: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the source's own values; exact."""
    monkeypatch.setattr("colorcli.media.metadata.insertion._BLOCK", 5000)
    target, _ = write(gray_png, provenance=PROVENANCE)
    assert np.array_equal(np.asarray(Image.open(target)), np.dstack([camera] * 3))
    assert len(_chunks(target)) > 3


def test_any_damage_is_borne(tmp_path: Path) -> None:
    """Oracle: the contract: no error from 200 random changes and cuts of each kind of file."""
    jpeg = _jpeg(tmp_path / "s.jpg", (0xFE, b"comment"), (0xED, b"Photoshop 3.0\0" + _resource(0x0404, b"\x1c")))
    png = _png(tmp_path / "s.png", _chunk(b"tEXt", b"Title\0x"), _chunk(b"iTXt", _KEYWORD + b"\0\0\0\0" + _packet()))
    gif = tmp_path / "s.gif"
    Image.new("L", (24, 16), 120).save(gif, comment=b"comment")
    rng = np.random.default_rng(0)
    for sound in (path.read_bytes() for path in (jpeg, png, gif)):
        for turn in range(200):
            data = bytearray(sound[: len(sound) - int(rng.integers(0, len(sound) // 2))])
            for at in rng.integers(4, len(data), turn % 6):
                data[at] = rng.integers(256)
            (tmp_path / "damaged").write_bytes(bytes(data))
            read_inscriptions(tmp_path / "damaged")
    (tmp_path / "damaged").write_bytes(b"")
    assert read_inscriptions(tmp_path / "damaged") == read_inscriptions(_png(tmp_path / "plain.png"))
    assert not list(gif_comments(tmp_path / "damaged"))
