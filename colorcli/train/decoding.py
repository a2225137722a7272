"""Picture files to training pixels: on the CPU with Pillow, JPEG on a GPU where torchvision can."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

_LONGEST_ASPECT = 2.0  # wider or taller pictures are cropped to this around their centre
_TOGETHER = 16  # JPEGs decoded in one call on a GPU, at their full size: 72 MB each at 24 megapixels
_ORIENTATION = 0x0112  # EXIF's tag; 1 is upright
_SIDEWAYS = {5, 6, 7, 8}  # its values that turn a picture by a quarter


def decode(data: bytes, side: int) -> Tensor:
    """A picture file as (3, h, w) uint8 RGB, short side at most `side`, at most 2:1. Raises OSError or ValueError."""
    picture = _fitted(*_opened(data, side), side, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()  # (h, w, 3) -> (3, h, w)


def decode_mask(data: bytes, side: int) -> Tensor:
    """A mask file as (1, h, w) uint8, 0 or 255, split at the half; sized as `decode` does. OSError or ValueError."""
    opened, whole = _opened(data, side)
    picture = _fitted(opened.convert("L"), whole, side, Image.Resampling.BOX)
    split = np.array(picture) >= 128
    return torch.from_numpy(split[None].astype(np.uint8) * 255)  # (h, w) -> (1, h, w)


def decode_on_gpu(files: Sequence[bytes], sides: Sequence[int], device: torch.device) -> list[Tensor | None]:
    """What `decode` gives of each file and side, made on a CUDA device, on the CPU again; None: left to `decode`.

    Left are files that are no JPEG, gray or CMYK, turned by EXIF, cut off, or too large, and the neighbours, up to 16,
    of one that torchvision refuses. Pixels may differ from `decode`'s by a few steps of 255: nvJPEG is another decoder,
    and Pillow's shrinks large files while it decodes. We never ran this on a GPU: only with a stand-in for torchvision.
    """
    decoded: list[Tensor | None] = [None] * len(files)
    suited = [index for index, data in enumerate(files) if _suits_gpu(data)]
    for start in range(0, len(suited), _TOGETHER):
        indices = suited[start : start + _TOGETHER]
        try:
            pictures = _jpegs([files[index] for index in indices], device)
            for index, picture in zip(indices, pictures, strict=True):
                decoded[index] = _fitted_tensor(picture, sides[index]).cpu()
        except RuntimeError:  # what torchvision and a full GPU raise
            continue
    return decoded


def _suits_gpu(data: bytes) -> bool:
    if not data.startswith(b"\xff\xd8") or not data.rstrip(b"\0").endswith(b"\xff\xd9"):  # begin and end of a JPEG
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            picture = Image.open(io.BytesIO(data))  # its header alone
            upright = picture.getexif().get(_ORIENTATION, 1) == 1
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError):
            return False
    plain = picture.info.get("adobe_transform", 1) == 1  # 0: RGB as it is, which not every decoder knows
    return picture.mode == "RGB" and upright and plain


def _jpegs(files: Sequence[bytes], device: torch.device) -> list[Tensor]:
    """(3, h, w) uint8 each, on the device. Raises RuntimeError."""
    from torchvision.io import ImageReadMode, decode_jpeg

    given = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in files]
    pictures: list[Tensor] = decode_jpeg(given, ImageReadMode.RGB, device=device)
    return pictures


def _opened(data: bytes, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """The upright picture, a JPEG perhaps smaller than its file says, and the file's width and height, upright."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            opened = Image.open(io.BytesIO(data))
            width, height = opened.size
            opened.draft("RGB", (side, side))  # JPEG: decodes at a half or a quarter where that is enough
            shrunk = opened.size != (width, height)
            turned = opened.getexif().get(_ORIENTATION, 1) in _SIDEWAYS
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        except UnidentifiedImageError as error:  # its own words are where the bytes lie in memory
            raise ValueError("no picture, or of a format that Pillow does not know") from error
        except (Image.DecompressionBombWarning, Image.DecompressionBombError, SyntaxError) as error:
            raise ValueError(str(error)) from error
    if not shrunk:
        return picture, picture.size
    return picture, (height, width) if turned else (width, height)


def _fitted(picture: Image.Image, whole: tuple[int, int], side: int, resampling: Image.Resampling) -> Image.Image:
    """The picture's middle in the size that a picture of `whole`'s width and height gets."""
    left, top, columns, rows = _middle(*picture.size)
    if (columns, rows) != picture.size:
        picture = picture.crop((left, top, left + columns, top + rows))
    size = _shrunk(*_middle(*whole)[2:], side)
    return picture if size == (columns, rows) else picture.resize(size, resampling)


def _fitted_tensor(picture: Tensor, side: int) -> Tensor:
    """`_fitted` with Pillow's bicubic filter, for (3, H, W) uint8 -> (3, h, w) uint8."""
    left, top, columns, rows = _middle(picture.shape[2], picture.shape[1])
    picture = picture[:, top : top + rows, left : left + columns]
    width, height = _shrunk(columns, rows, side)
    if (width, height) == (columns, rows):
        return picture.contiguous()
    floats = picture[None].float()
    resized = F.interpolate(floats, (height, width), mode="bicubic", antialias=True)[0]  # (1, 3, H, W) -> (3, h, w)
    return resized.round().clamp(0, 255).to(torch.uint8)


def _middle(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of what is kept of a picture: at most 2:1."""
    columns, rows = min(width, int(_LONGEST_ASPECT * height)), min(height, int(_LONGEST_ASPECT * width))
    return (width - columns) // 2, (height - rows) // 2, columns, rows


def _shrunk(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with the short side at most `side`."""
    scale = side / min(width, height)
    if scale >= 1:
        return width, height
    return max(round(width * scale), side), max(round(height * scale), side)
