"""Picture files to training pixels, with Pillow and with a stand-in for torchvision's decoder on a GPU."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from colorcli.train.decoding import decode, decode_mask, decode_on_gpu

Encoded = Callable[..., bytes]
Picture = Callable[..., Tensor]
HERE = torch.device("cpu")  # where the stand-in decodes


@pytest.mark.parametrize(
    ("width", "height", "side", "expected"),
    [
        (40, 30, 64, (40, 30)),  # never enlarged
        (80, 60, 30, (40, 30)),
        (60, 80, 30, (30, 40)),
        (300, 100, 50, (100, 50)),  # at most 2:1
        (100, 300, 50, (50, 100)),
        (1, 9, 16, (1, 2)),
        (9, 1, 16, (2, 1)),
        (1, 1, 16, (1, 1)),
        (3, 100, 16, (3, 6)),
    ],
)
def test_size_after_decoding(encoded: Encoded, width: int, height: int, side: int, expected: tuple[int, int]) -> None:
    """Oracle: the contract by hand: short side at most `side`, at most twice as long; exact."""
    decoded = decode(encoded(0, height, width), side)
    assert decoded.dtype is torch.uint8
    assert tuple(decoded.shape) == (3, expected[1], expected[0])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("width", "height", "side"), [(121, 111, 50), (111, 121, 50), (303, 265, 32), (811, 333, 32), (131, 101, 101)]
)
def test_a_mask_has_the_size_of_its_jpeg(width: int, height: int, side: int, turned: bool) -> None:
    """Oracle: the PNG of the same sides, whose pixels are all read, while Pillow halves a JPEG and rounds up; exact,
    also where EXIF turns the JPEG by a quarter."""
    photo, mask = Image.new("RGB", (width, height)), io.BytesIO()
    exif = Image.Exif()
    if turned:
        photo, exif[0x0112] = photo.transpose(Image.Transpose.ROTATE_90), 6
    stream = io.BytesIO()
    photo.save(stream, "JPEG", exif=exif)
    Image.new("L", (width, height)).save(mask, "PNG")
    found = decode(stream.getvalue(), side)
    assert found.shape[1:] == decode_mask(mask.getvalue(), side).shape[1:]


def test_long_picture_keeps_its_middle(picture: Picture, encoded: Encoded) -> None:
    """Oracle: the middle columns of the file; exact."""
    assert torch.equal(decode(encoded(0, 10, 60), 16), picture(0, 10, 60)[:, :, 20:40])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK"])
def test_other_modes_become_rgb(mode: str) -> None:
    """Oracle: the contract's shape; a plain gray of 255 or 0 stays that (exact, but CMYK's conversion: 1)."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "white").convert(mode).save(stream, "TIFF" if mode == "CMYK" else "PNG")
    decoded = decode(stream.getvalue(), 16)
    assert decoded.shape == (3, 8, 8)
    assert int(decoded.min()) >= 254


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_what_is_no_picture_is_told_in_the_same_words(data: bytes) -> None:
    """Oracle: the contract; Pillow names the place of the bytes in memory, which is another one every time."""
    with pytest.raises(ValueError, match=r"^no picture, or of a format that Pillow does not know$"):
        decode(data, 16)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP"]), st.data())
def test_altered_files_raise_only_what_is_listed(encoded: Encoded, kind: str, data: st.DataObject) -> None:
    """Oracle: decode's contract, OSError or ValueError: anything else would end a training over one bad file."""
    content = bytearray(encoded(0, 24, 24, kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(OSError, ValueError):
        assert decode(bytes(content), 16).shape[0] == 3


class _Decoder:
    """Stands in for torchvision.io.decode_jpeg, which is given lists on a GPU: Pillow, all or nothing."""

    def __init__(self) -> None:
        self.calls: list[int] = []  # how many files each had
        self.refused = b""

    def __call__(self, files: Sequence[Tensor], mode: object, device: torch.device) -> list[Tensor]:
        assert mode == torchvision.io.ImageReadMode.RGB
        assert device == HERE
        self.calls.append(len(files))
        data = [file.numpy().tobytes() for file in files]
        if self.refused in data:
            raise RuntimeError("nvjpegDecodeJpeg failed: 4")
        return [torch.from_numpy(np.array(Image.open(io.BytesIO(one)))).permute(2, 0, 1) for one in data]


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch) -> _Decoder:
    stand_in = _Decoder()
    monkeypatch.setattr(torchvision.io, "decode_jpeg", stand_in)
    return stand_in


@pytest.mark.parametrize(
    ("height", "width", "side"), [(90, 120, 60), (120, 90, 60), (40, 30, 64), (70, 300, 50), (301, 70, 50), (5, 19, 4)]
)
def test_gpu_pictures_are_those_of_the_cpu(
    encoded: Encoded, decoder: _Decoder, height: int, width: int, side: int
) -> None:
    """Oracle: `decode`, which is Pillow: the same shape, and at most 2 steps of 255 apart (Pillow's filter works in
    fixed point), none where nothing is resized. Sides under twice the target: Pillow decodes such files whole."""
    data = encoded(0, height, width, "JPEG")
    (found,) = decode_on_gpu([data], [side], HERE)
    expected = decode(data, side)
    assert found is not None
    assert found.dtype is torch.uint8
    assert found.is_contiguous()
    assert found.shape == expected.shape
    assert int((found.int() - expected.int()).abs().max()) <= (2 if side < min(height, width) else 0)
    assert decoder.calls == [1]


def _jpeg(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (24, 16)).save(stream, "JPEG", **options)
    return stream.getvalue()


def test_what_a_gpu_is_not_given(encoded: Encoded, decoder: _Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the contract: None for each, and the decoder is never called; a JPEG like the others but upright is."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = _jpeg(exif=exif)
    exif[0x0112] = 1
    assert decode_on_gpu([_jpeg(exif=exif)], [16], HERE)[0] is not None
    assert decoder.calls == [1]
    left = [turned, _jpeg("CMYK"), _jpeg("L"), encoded(0), b"", b"no photo", _jpeg()[:-40], _jpeg()[:2] + b"\xff\xd9"]
    assert decode_on_gpu(left, [16] * len(left), HERE) == [None] * len(left)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 16 - 1)
    assert decode_on_gpu([_jpeg()], [16], HERE) == [None]
    assert decoder.calls == [1]


def test_what_a_gpu_refuses_is_left(encoded: Encoded, decoder: _Decoder) -> None:
    """Oracle: the contract: 20 files go in calls of 16 and 4; of a call with one that is refused all are left, and
    the others keep their places among files that are no JPEG."""
    files = [encoded(seed, 24, 24, "JPEG") for seed in range(20)]
    mixed = [encoded(0), *files[:10], b"", *files[10:]]
    decoder.refused = files[17]
    found = decode_on_gpu(mixed, [64] * len(mixed), HERE)
    assert decoder.calls == [16, 4]
    for data, picture in zip(mixed, found, strict=True):
        if data in files[:16]:
            assert picture is not None
            assert torch.equal(picture, decode(data, 64))
        else:
            assert picture is None
