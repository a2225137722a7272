"""Reading: every mode gives the lightness that scikit-image gives, upright; what cannot be read says so."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage import color

from colorcli.errors import PhotoError
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.photos import network_size, read_photo
from colorcli.media.sources import open_source, plain_reason

from .profiles import gray_profile, linear_srgb_profile

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


@pytest.mark.parametrize("ink", [(0, 0, 0, 255), (255, 255, 255, 255), (200, 40, 30, 60), (0, 0, 0, 0)])
def test_cmyk_has_the_lightness_of_its_result(ink: tuple[int, int, int, int], tmp_path: Path) -> None:
    """Oracle: LittleCMS through Pillow with black point compensation, libvips' own CMYK profile; 0.5 L, which is two
    8-bit steps of black."""
    picture = Image.new("CMYK", (40, 30), ink)
    picture.save(tmp_path / "c.tif")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(bytes(pyvips.Image.profile_load("cmyk"))))
    expected = ImageCms.profileToProfile(
        picture,
        profile,
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert expected is not None
    _, lightness = read_photo(tmp_path / "c.tif", side=64, multiple=32)
    assert lightness == pytest.approx(color.rgb2lab(np.asarray(expected))[0, 0, 0], abs=0.5)


def test_cmyk_is_turned_and_shrunk(tmp_path: Path, camera: Bytes) -> None:
    """Oracle: black ink is the inverse of a gray photo, turned by Pillow; correlation above 0.97."""
    ink = np.zeros((512, 256, 4), dtype=np.uint8)
    ink[..., 3] = 255 - camera[:, :256]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(ink, mode="CMYK").save(tmp_path / "c.jpg", exif=exif, quality=95)
    header, lightness = read_photo(tmp_path / "c.jpg", side=128, multiple=16)
    assert (header.width, header.height) == (512, 256)
    upright = Image.fromarray(np.rot90(camera[:, :256], -1)).resize(lightness.shape[::-1], Image.Resampling.LANCZOS)
    assert np.corrcoef(lightness.ravel(), np.asarray(upright).ravel())[0, 1] > 0.97


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


def test_a_profile_is_what_it_does_not_what_it_is_called(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: closed form, L of luminance 128/255 under a linear profile that calls itself sRGB; 0.3 L (16-bit tables).
    The profile that is sRGB changes nothing; exact."""
    Image.new("RGB", (64, 64), (128, 128, 128)).save(tmp_path / "g.png", icc_profile=linear_srgb_profile())
    _, lightness = read_photo(tmp_path / "g.png", side=64, multiple=32)
    assert lightness == pytest.approx(116 * np.cbrt(128 / 255) - 16, abs=0.3)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(astronaut).save(tmp_path / "plain.png")
    Image.fromarray(astronaut).save(tmp_path / "srgb.png", icc_profile=srgb)
    plain, same = (read_photo(tmp_path / name, side=64, multiple=32)[1] for name in ("plain.png", "srgb.png"))
    assert np.array_equal(plain, same)


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


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    "name", ["t.jpg", "t.png", "t.tif", "lzw.tif", "t.webp", "t.gif", "t.bmp", "t.jp2", "t.j2k", "t.ppm", "t.tga"]
)
def test_truncated_files_are_refused(
    name: str, kept: float, tmp_path: Path, astronaut: Bytes, recwarn: pytest.WarningsRecorder
) -> None:
    """Oracle: the contract: PhotoError in plain words, and nothing else that names no photo."""
    options = {"compression": "tiff_lzw"} if name == "lzw.tif" else {}  # Pillow puts the directory behind LZW's pixels
    Image.fromarray(astronaut).save(tmp_path / name, **options)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(kept * len(whole))])
    assert "damaged or cut short" in _refusal(tmp_path / name)
    assert not [warning for warning in recwarn if warning.category is UserWarning]


@pytest.mark.parametrize("name", ["h.tif", "h.bmp", "h.jp2", "h.ppm"])
def test_files_that_end_in_their_header_are_called_damaged(name: str, tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the contract; twelve bytes are enough to know the format and not the picture."""
    Image.fromarray(astronaut).save(tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:12])
    assert "damaged or cut short" in _refusal(tmp_path / name)


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
    of damage, not of the limit."""
    _claim(tmp_path / name, astronaut)
    assert re.search(r"3,600 megapixels \(60000x60000\); the limit is 500,000,000", _refusal(tmp_path / name))


@pytest.mark.parametrize(
    ("width", "height", "passes"), [(20_000, 20_000, True), (25_000, 20_000, True), (25_000, 20_001, False)]
)
def test_400_megapixels_pass(width: int, height: int, passes: bool, tmp_path: Path) -> None:
    """Oracle: the contract: 500 million pixels by default, that many pass; the TIFF's pixels are a hole in its file."""
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 200),
        (278, 4, height),
    ]
    entries.append((279, 4, width * height))
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in entries)
    with (tmp_path / "scan.tif").open("wb") as file:
        file.write(b"II*\0\x08\0\0\0" + directory)
        file.truncate(200 + width * height)
    if passes:
        header = open_source(tmp_path / "scan.tif").header
        assert (header.width, header.height) == (width, height) and width * height <= MAX_PIXELS
    else:
        with pytest.raises(PhotoError, match=r"the limit is 500,000,000 pixels"):
            open_source(tmp_path / "scan.tif")


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


@pytest.mark.parametrize("colors", [1, 3])
def test_a_tiffs_unspecified_channel_is_no_transparency(colors: int, tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: the same pixels without the channel, exact: TIFF 6.0, ExtraSamples 0 says nothing of it, here an
    infrared channel of nothing; 2 is transparency."""
    pixels = astronaut[..., :colors]
    kind = "rgb" if colors == 3 else "minisblack"
    more = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=2)
    plain = pixels if colors == 3 else pixels[..., 0]
    tifffile.imwrite(tmp_path / "plain.tif", plain, photometric=kind, metadata=None)
    tifffile.imwrite(tmp_path / "more.tif", more, photometric=kind, extrasamples=["unspecified"], metadata=None)
    tifffile.imwrite(tmp_path / "alpha.tif", more, photometric=kind, extrasamples=["unassalpha"], metadata=None)
    expected = read_photo(tmp_path / "plain.tif", side=64, multiple=32)[1]
    header, lightness = read_photo(tmp_path / "more.tif", side=64, multiple=32)
    assert not header.alpha and np.array_equal(lightness, expected)
    notes = open_source(tmp_path / "more.tif").notes
    assert len(notes) == 1 and "a channel that the file does not call transparency" in notes[0]
    assert open_source(tmp_path / "alpha.tif").header.alpha and not open_source(tmp_path / "alpha.tif").notes


def _with_profile(jp2: bytes, profile: bytes) -> bytes:
    """A JP2 file with an ICC profile instead of its named colour space (ISO 15444-1, I.5.3.3)."""
    header, named = jp2.index(b"jp2h") - 4, jp2.index(b"colr") - 4
    (header_size,), (named_size,) = (struct.unpack_from(">I", jp2, at) for at in (header, named))
    box = struct.pack(">I4sBBB", 11 + len(profile), b"colr", 2, 0, 0) + profile
    jp2 = jp2[:named] + box + jp2[named + named_size :]
    return jp2[:header] + struct.pack(">I", header_size + len(box) - named_size) + jp2[header + 4 :]


def test_a_jpeg_2000s_profile_is_honoured(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: a PNG of the same pixels and profile, gray and RGB; the same numbers, for JPEG 2000 is lossless here."""
    for pixels, profile in ((astronaut[..., 0], gray_profile(1)), (astronaut, linear_srgb_profile())):
        Image.fromarray(pixels).save(tmp_path / "a.jp2")
        Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
        (tmp_path / "a.jp2").write_bytes(_with_profile((tmp_path / "a.jp2").read_bytes(), profile))
        found, expected = (read_photo(tmp_path / name, side=512, multiple=32)[1] for name in ("a.jp2", "a.png"))
        assert np.abs(found - expected).max() < 0.01


def test_bits_that_are_lost_in_reading_are_told(tmp_path: Path, astronaut: Bytes) -> None:
    """Oracle: what was written: 16 bits of colour are read as 8, those of gray are kept."""
    deep = (astronaut.astype(">u2") * 257).tobytes()
    (tmp_path / "c.ppm").write_bytes(b"P6\n# 512 512 255\n512 512\n65535\n" + deep)
    (tmp_path / "g.pgm").write_bytes(b"P5 512 512 65535\n" + deep[: 2 * 512 * 512])
    Image.fromarray(astronaut).save(tmp_path / "plain.ppm")
    Image.fromarray(astronaut).save(tmp_path / "plain.jp2")
    jp2 = (tmp_path / "plain.jp2").read_bytes()
    bits = jp2.index(b"ihdr") + 4 + 10  # height, width, channels: ISO 15444-1, I.5.3.1
    assert jp2[bits] == 7
    (tmp_path / "c.jp2").write_bytes(jp2[:bits] + b"\x0f" + jp2[bits + 1 :])
    for name, told in (("c.ppm", True), ("c.jp2", True), ("g.pgm", False), ("plain.ppm", False), ("plain.jp2", False)):
        notes = open_source(tmp_path / name).notes
        assert [note.startswith("16 bits became 8") for note in notes] == [True] * told, name
    assert open_source(tmp_path / "g.pgm").header.bits == 16
