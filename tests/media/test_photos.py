"""Reading: every mode gives the lightness that scikit-image gives, upright; what cannot be read says so."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage import color

from colorcli.errors import PhotoError
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.photos import network_size, read_photo
from colorcli.media.sources import plain_reason

from .profiles import gray_profile

Bytes = NDArray[np.uint8]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 512), (256, 256)),
        ((4000, 3000), (224, 288)),  # 256 / sqrt(4/3) = 221.7, 256 * sqrt(4/3) = 295.6, to the nearest 32
        ((3000, 4000), (288, 224)),
        ((10, 10), (256, 256)),
        ((1, 5000), (736, 96)),  # 8:1 at most: 256 * sqrt(8) = 724, 256 / sqrt(8) = 90.5
        ((5000, 1), (96, 736)),
    ],
)
def test_network_size_keeps_area_and_aspect(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """Oracle: closed form in the comments; exact."""
    assert network_size(*size, 256, 32) == expected


def test_network_size_is_never_below_one_multiple() -> None:
    """Oracle: the contract; exact."""
    assert network_size(1, 100, 16, 32) == (32, 32)
    with pytest.raises(ValueError):
        network_size(0, 10, 256, 32)


def _lightness_at(pixels: Bytes, side: int) -> NDArray[np.float64]:
    """scikit-image's L of Pillow's Lanczos reduction: the same filter family as libvips'."""
    small = Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(color.rgb2lab(np.asarray(small.convert("RGB")))[..., 0])


_ENCODING = {"jpg": {"quality": 95}, "avif": {"quality": 95}, "webp": {"lossless": True}}


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.avif", "a.jpg", "a.bmp", "a.jp2", "a.ppm", "a.tga"])
def test_rgb_lightness_in_every_format(name: str, tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: scikit-image's rgb2lab of a Pillow thumbnail; mean within 0.8 L (libwebp reduces by itself)."""
    Image.fromarray(astronaut).save(tmp_path / name, **_ENCODING.get(name[2:], {}))
    header, lightness = read_photo(tmp_path / name, side=128, multiple=32)
    assert (header.width, header.height, header.kind, header.alpha) == (512, 512, "RGB 8-bit", False)
    assert lightness.shape == (128, 128) and lightness.dtype == np.float32
    assert lightness.min() >= 0 and lightness.max() <= 100
    assert np.abs(lightness - _lightness_at(astronaut, 128)).mean() < 0.8


def test_gray_modes_have_the_same_lightness(tmp_path: Path, camera: Bytes) -> None:
    """Oracle: scikit-image's rgb2lab; mean within 0.3 L (reduction filters), 16 bit and alpha as 8 bit."""
    expected = _lightness_at(camera, 128)
    Image.fromarray(camera).save(tmp_path / "L.png")
    Image.fromarray(camera).convert("LA").save(tmp_path / "LA.png")
    Image.fromarray(camera.astype(np.uint16) * 257).save(tmp_path / "I16.png")
    Image.fromarray(camera.astype(np.uint16) * 257).save(tmp_path / "I16.tif")
    Image.fromarray(camera).save(tmp_path / "L.pgm")
    Image.fromarray(camera).save(tmp_path / "L.gif")
    kinds = {}
    for path in sorted(p for p in tmp_path.iterdir() if p.is_file()):
        header, lightness = read_photo(path, side=128, multiple=32)
        kinds[path.name] = header.kind
        assert np.abs(lightness - expected).mean() < 0.3, path.name
    assert kinds["L.png"] == kinds["L.pgm"] == "L 8-bit"
    assert kinds["LA.png"] == "LA 8-bit"
    assert kinds["I16.png"] == kinds["I16.tif"] == "L 16-bit"


@pytest.mark.parametrize("name", ["1.png", "1.tif"])
def test_one_bit(name: str, tmp_path: Path, camera: Bytes) -> None:
    """Oracle: share of white pixels; mean L within 3 (the reduction filter works on encoded values)."""
    picture = Image.fromarray(camera).convert("1")
    picture.save(tmp_path / name)
    _, lightness = read_photo(tmp_path / name, side=512, multiple=32)  # no reduction
    assert abs(float(lightness.mean()) - 100 * np.asarray(picture).mean()) < 3


def test_palette(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: scikit-image on the palette's own colours, no reduction; 0.02 L (rounding in the tables)."""
    picture = Image.fromarray(astronaut).quantize(32)
    picture.save(tmp_path / "p.png")
    _, lightness = read_photo(tmp_path / "p.png", side=512, multiple=32)
    expected = color.rgb2lab(np.asarray(picture.convert("RGB")))[..., 0]
    assert np.abs(lightness - expected).max() < 0.02


def test_cmyk_is_not_negative(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: correlation with the RGB original's L above 0.97; an inverted reading would give about -1."""
    Image.fromarray(astronaut).convert("CMYK").save(tmp_path / "c.jpg", quality=95)
    header, lightness = read_photo(tmp_path / "c.jpg", side=128, multiple=32)
    assert header.kind == "CMYK 8-bit"
    assert np.corrcoef(lightness.ravel(), _lightness_at(astronaut, 128).ravel())[0, 1] > 0.97


def test_orientation_is_applied(tmp_path: Path, camera: Bytes) -> None:
    """Oracle: Pillow's exif_transpose; mean within 0.6 L (JPEG and reduction)."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(camera[:, :256]).save(tmp_path / "o.jpg", exif=exif, quality=95)
    header, lightness = read_photo(tmp_path / "o.jpg", side=128, multiple=16)
    upright = np.rot90(camera[:, :256], -1)
    assert (header.width, header.height) == (512, 256)
    expected = Image.fromarray(upright).resize(lightness.shape[::-1], Image.Resampling.LANCZOS)
    assert np.abs(lightness - color.rgb2lab(np.asarray(expected.convert("RGB")))[..., 0]).mean() < 0.6


def test_linear_gray_profile_is_honoured(tmp_path: Path) -> None:
    """Oracle: closed form, L of luminance 0.5 (gamma-1 gray profile): 76.07; 0.5 L (the profile's 16-bit table)."""
    _save_linear_gray(tmp_path / "g.png", 128)
    _, lightness = read_photo(tmp_path / "g.png", side=64, multiple=32)
    assert lightness == pytest.approx(116 * np.cbrt(128 / 255) - 16, abs=0.5)


def _save_linear_gray(path: Path, value: int) -> None:
    Image.new("L", (64, 64), value).save(path, icc_profile=gray_profile(1))


def test_profile_of_another_colour_space_is_left_out(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the same RGB without a profile; exact."""
    Image.fromarray(astronaut).save(tmp_path / "plain.png")
    Image.fromarray(astronaut).save(tmp_path / "odd.png", icc_profile=gray_profile(1))
    plain = read_photo(tmp_path / "plain.png", side=128, multiple=32)[1]
    assert np.array_equal(read_photo(tmp_path / "odd.png", side=128, multiple=32)[1], plain)


def test_damaged_profile_is_left_out(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the same RGB without a profile; 0.1 L (libvips goes through its own sRGB profile at 16 bits)."""
    broken = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    broken[140:] = bytes(len(broken) - 140)
    Image.fromarray(astronaut).save(tmp_path / "plain.tif")
    Image.fromarray(astronaut).save(tmp_path / "odd.tif", icc_profile=bytes(broken))
    plain = read_photo(tmp_path / "plain.tif", side=128, multiple=32)[1]
    assert np.abs(read_photo(tmp_path / "odd.tif", side=128, multiple=32)[1] - plain).max() < 0.1


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (3, 5)])
def test_tiny_and_thin(size: tuple[int, int], tmp_path: Path) -> None:
    """Oracle: a constant gray 128 has L 53.585 (closed form) whatever the shape; 0.01."""
    Image.new("L", size, 128).save(tmp_path / "t.png")
    _, lightness = read_photo(tmp_path / "t.png", side=128, multiple=32)
    assert lightness == pytest.approx(53.585, abs=0.01)


def _refusal(path: Path, **options: int) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(path, side=128, multiple=32, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ["t.jpg", "t.png", "t.tif", "t.webp", "t.gif", "t.bmp"])
def test_truncated_files_are_refused(name: str, tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the contract: PhotoError in plain words."""
    whole = io.BytesIO()
    Image.fromarray(astronaut).save(whole, {"tif": "TIFF", "jpg": "JPEG"}.get(name[2:], name[2:].upper()))
    (tmp_path / name).write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    message = _refusal(tmp_path / name)
    assert "damaged or cut short" in message or (name == "t.bmp" and "truncated" in message)


@pytest.mark.parametrize("kept", [20, 100, 0.5, 0.99])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_cut_anywhere_is_called_damaged(kept: float, lossless: bool, tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the contract; from 20 bytes on the file is known for a WebP."""
    whole = io.BytesIO()
    Image.fromarray(astronaut).save(whole, "WEBP", lossless=lossless)
    length = int(kept if kept > 1 else kept * len(whole.getvalue()))
    (tmp_path / "t.webp").write_bytes(whole.getvalue()[:length])
    assert "damaged or cut short" in _refusal(tmp_path / "t.webp")


def test_what_is_refused_by_name(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the contract: found, expected, what to do."""
    picture = Image.fromarray(astronaut)
    flipped = Image.fromarray(astronaut[::-1])
    picture.save(tmp_path / "pages.tif", save_all=True, append_images=[flipped])
    picture.save(tmp_path / "film.gif", save_all=True, append_images=[flipped])
    picture.save(tmp_path / "film.webp", save_all=True, append_images=[flipped])
    picture.save(tmp_path / "film.png", save_all=True, append_images=[flipped])
    Image.fromarray(astronaut[..., 0].astype(np.float32)).save(tmp_path / "float.tif")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "drawing.jpg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    assert "2 pages" in _refusal(tmp_path / "pages.tif")
    assert "animation of 2 frames" in _refusal(tmp_path / "film.gif")
    assert "animation of 2 frames" in _refusal(tmp_path / "film.webp")
    assert "animation of 2 frames" in _refusal(tmp_path / "film.png")
    assert "float" in _refusal(tmp_path / "float.tif")
    assert "empty" in _refusal(tmp_path / "empty.jpg")
    assert "not a photo: its content is no known format" in _refusal(tmp_path / "text.jpg")
    assert "no photo" in _refusal(tmp_path / "drawing.jpg")
    assert "cannot be opened" in _refusal(tmp_path / "missing.jpg")
    picture.save(tmp_path / "big.png")
    picture.save(tmp_path / "big.bmp")
    assert "the limit is 1,000 pixels: make it smaller, or raise --max-pixels" in _refusal(
        tmp_path / "big.png", max_pixels=1000
    )
    assert "the limit is 1,000 pixels: make it smaller, or raise --max-pixels" in _refusal(
        tmp_path / "big.bmp", max_pixels=1000
    )


def _claim(path: Path, astronaut: Bytes) -> None:
    """A small file whose header says 60000x60000."""
    if path.suffix == ".png":
        chunk = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
        pixels = b"IDAT" + zlib.compress(bytes(1000))
        content = b"\x89PNG\r\n\x1a\n"
        for block in (chunk, pixels, b"IEND"):
            content += struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block))
        path.write_bytes(content)
        return
    width, height = (struct.pack("<HHI", tag, 3, 1) for tag in (256, 257))  # SHORT: TIFF 6.0
    kind, true, claimed = {
        ".jpg": ("JPEG", [struct.pack(">HH", 512, 500)], [struct.pack(">HH", 60_000, 60_000)]),  # SOF: height, width
        ".bmp": ("BMP", [struct.pack("<ii", 500, 512)], [struct.pack("<ii", 60_000, 60_000)]),
        ".gif": ("GIF", [struct.pack("<HH", 500, 512)], [struct.pack("<HH", 60_000, 60_000)]),
        ".tif": (
            "TIFF",
            [width + struct.pack("<I", 500), height + struct.pack("<I", 512)],
            [width + struct.pack("<I", 60_000), height + struct.pack("<I", 60_000)],
        ),
    }[path.suffix]
    whole = io.BytesIO()
    options = {"compression": "tiff_deflate"} if kind == "TIFF" else {}
    Image.fromarray(astronaut[:, :500]).save(whole, kind, **options)
    content = whole.getvalue()
    for before, after in zip(true, claimed, strict=True):
        assert before in content
        content = content.replace(before, after)
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["b.png", "b.jpg", "b.tif", "b.gif", "b.bmp"])
def test_the_header_alone_decides_what_is_too_large(name: str, tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the file's bytes hold a thousandth of the 3600 megapixels that it claims: whoever decoded it would speak
    of damage (as the second reading, without a limit, may), not of the limit; 100 and 500 megapixels are allowed."""
    _claim(tmp_path / name, astronaut)
    assert re.search(r"3,600 megapixels \(60000x60000\); the limit is 600,000,000", _refusal(tmp_path / name))
    assert MAX_PIXELS > 22_400 * 22_400


def test_scanner_preview_pages_are_no_pages(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the contract: a second page that is the first made small does not make the file a document."""
    picture = Image.fromarray(astronaut)
    picture.save(tmp_path / "scan.tif", save_all=True, append_images=[picture.resize((128, 128))])
    header, _ = read_photo(tmp_path / "scan.tif", side=128, multiple=32)
    assert (header.width, header.height) == (512, 512)


def test_awkward_names(tmp_path: Path, gray_png: Path) -> None:
    """Oracle: the same pixels under a plain name; exact."""
    plain = read_photo(gray_png, side=64, multiple=32)[1]
    for name in (b"-dash.png", b"new\nline.png", b"a [1].png", b"x.png[page=2].png", b"latin-\xe9.png"):
        path = Path(str(tmp_path)) / name.decode("utf-8", "surrogateescape")
        try:
            path.write_bytes(gray_png.read_bytes())
        except OSError:  # file systems that take UTF-8 only
            continue
        assert np.array_equal(read_photo(path, side=64, multiple=32)[1], plain)


def test_a_name_is_no_reason(tmp_path: Path) -> None:
    """Oracle: the contract: what the message says counts, not the file's name in it."""
    path = tmp_path / "corrupt eof.jpg"
    assert "damaged" not in plain_reason(ValueError(f"{path}: odd thing"), path)
    assert "damaged" in plain_reason(ValueError(f"{path}: corrupt header"), path)


def test_a_large_bmp_is_read_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder, astronaut: Bytes
) -> None:
    """Oracle: the contract: max_pixels counts, not Pillow's own limit, which stays as it was."""
    Image.fromarray(astronaut).save(tmp_path / "big.bmp")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    header, _ = read_photo(tmp_path / "big.bmp", side=128, multiple=32)
    assert header.width == 512 and Image.MAX_IMAGE_PIXELS == 1000
    assert not [warning for warning in recwarn if warning.category is Image.DecompressionBombWarning]
