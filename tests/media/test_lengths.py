"""Files that are too short for what they announce, and those that only look so; and whose words a reason has."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from colorcli.errors import PhotoError
from colorcli.media.photos import read_photo
from colorcli.media.sources import open_source, plain_reason

from ..awkward import encoded, holed, jpeg_claiming, png


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {"quality": 1}),
        ("a.jpg", {"quality": 1, "optimize": True}),
        ("a.jpg", {"quality": 1, "progressive": True}),
        ("a.png", {"compress_level": 9}),
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_nothing_packs_better_than_it_may(name: str, options: dict[str, int], mode: str, tmp_path: Path) -> None:
    """Oracle: whole files of one value, which pack best: none of them is refused."""
    if mode == "1" and name == "a.jpg":
        mode = "CMYK"
    Image.new(mode, (4000, 3000)).save(tmp_path / name, **options)  # type: ignore[arg-type]
    assert open_source(tmp_path / name).header.width == 4000


@pytest.mark.parametrize("content", [jpeg_claiming(20_000, 20_000), png(20_000, 20_000)], ids=["JPEG", "PNG"])
def test_what_cannot_hold_its_pixels_is_told_by_its_header(content: bytes, tmp_path: Path) -> None:
    """Oracle: closed form: a bit for each block of 64 pixels; zlib's 1032 to one."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(PhotoError, match="its header announces more than"):
        open_source(tmp_path / "a")


def test_arithmetic_coding_has_no_such_bound(tmp_path: Path) -> None:
    """Oracle: the same file, said to be coded arithmetically (SOF9): not refused for its length."""
    content = jpeg_claiming(20_000, 20_000).replace(b"\xff\xc0", b"\xff\xc9")
    (tmp_path / "a.jpg").write_bytes(content)
    try:
        open_source(tmp_path / "a.jpg")
    except PhotoError as error:
        assert "announces" not in str(error)


def test_a_hole_in_a_jpeg_is_told(tmp_path: Path) -> None:
    """Oracle: the same photo without a hole says nothing; its lightness is what comes out above the hole."""
    (tmp_path / "whole.jpg").write_bytes(encoded("JPEG", "RGB", (400, 300)))
    holed("JPEG")(tmp_path / "holed.jpg")
    (whole, expected), (hurt, found) = (
        read_photo(tmp_path / name, side=64, multiple=8) for name in ("whole.jpg", "holed.jpg")
    )
    assert whole.damage == "" and "Corrupt JPEG data" in hurt.damage
    assert np.abs(found - expected)[: len(found) // 3].max() < 0.01 < np.abs(found - expected).max()


def test_bytes_too_many_are_no_damage(tmp_path: Path) -> None:
    """Oracle: libjpeg's word for them, which many a camera's files give."""
    stream = io.BytesIO()
    Image.new("L", (64, 64), 90).save(stream, "JPEG", progressive=True)
    whole = stream.getvalue()
    at = whole.rindex(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(whole[:at] + b"ab" + whole[at:])
    assert read_photo(tmp_path / "a.jpg", side=64, multiple=8)[0].damage == ""


def test_a_reason_is_not_another_files(tmp_path: Path) -> None:
    """Oracle: libvips' one message for all threads, as two of them left it: only the words of this format count."""
    mixed = pyvips.Error(
        "unable to write to memory", "VipsJpeg: premature end of JPEG image\nwebp: unable to parse image"
    )
    assert "(webp: unable to parse image)" in plain_reason(mixed, tmp_path / "a.webp", format="WebP")
    taken = pyvips.Error("unable to write to memory", "VipsJpeg: premature end of JPEG image\n")
    assert plain_reason(taken, tmp_path / "a.png", format="PNG").startswith("the file is damaged or cut short; copy")
    for words in ("image: no property named `maplut'\n", 'VipsForeignLoad: "b.jp2" is not a known file format\n'):
        taken = pyvips.Error("unable to write to memory", words)
        assert plain_reason(taken, tmp_path / "a.tif", format="TIFF").startswith(
            "the file is damaged or cut short; copy"
        )
