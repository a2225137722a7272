"""Quality of a method by the papers' protocol: 256x256, L in, ab out, against the original.

A method that needs a reference gets a self reference (Color2Embed, section 3.2): the original, warped and noised.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

from colorcli.color.chroma import guide, join
from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.color.resize import stretch_to_square
from colorcli.errors import ColorizeError, UsageError
from colorcli.loader import LoadedMethod
from colorcli.media.samples import PHOTOGRAPHS, photograph
from colorcli.methods.color2embed.augment import Augmentation, self_reference
from colorcli.methods.spec import MethodSpec
from colorcli.metrics.colourfulness import GRAY, colourfulness
from colorcli.metrics.psnr import mean_squared_error, psnr
from colorcli.metrics.ssim import ssim
from colorcli.train.listing import is_photo

SIDE = 256  # pixels, the papers' protocol
_SELF_REFERENCE = Augmentation(turn=False)  # as training validates: section 3.2 without section 4.1's turns
_BACK = "there and back"  # the row of T -> R -> T


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    psnr: float  # dB, mean over photos
    psnr_median: float
    psnr_pooled: float  # dB of the mean squared error over all photos
    ssim: float
    colourfulness: float
    photos: int


def photographs(folder: Path | None, limit: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Name and (1, 3, 256, 256) uint8 RGB of each photo of a folder, or of scikit-image's wheel; stretched bicubic.

    A folder's photos are those that training would take. Errors: UsageError for one that cannot be read.
    """
    if folder is None:
        for name in PHOTOGRAPHS[: limit or None]:
            yield name, _squared(Image.fromarray(photograph(name)))
        return
    paths = sorted(path for path in folder.rglob("*") if is_photo(path.name))
    for path in paths[: limit or None]:
        yield path.relative_to(folder).as_posix(), _squared(_opened(path))


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except Exception as error:  # Pillow raises many kinds for a damaged file
        raise UsageError(f"{path} is not a readable photo: {str(error) or type(error).__name__}") from error


def _squared(picture: Image.Image) -> Tensor:
    rgb = torch.from_numpy(np.array(picture)).permute(2, 0, 1)  # (h, w, 3) -> (3, h, w)
    return stretch_to_square(rgb, SIDE).to(torch.uint8)


def protocol(spec: MethodSpec) -> str:
    """What a method is given of each photo, for the head of a table."""
    if not spec.needs_reference:
        return "automatic (lightness alone)"
    given = (
        "exemplar, self reference (the photo itself, warped by a thin plate spline, "
        f"noise of {_SELF_REFERENCE.noise:g} 8-bit steps, seeded by its file name)"
    )
    return f"{given}; {_BACK}, of weights with matches: the photo's own ab by way of them" if spec.matches else given


def measure(method: LoadedMethod, folder: Path | None, *, size: int = 0, limit: int = 0) -> tuple[list[Row], list[str]]:
    """The rows *gray*, *flat tint* and the method's, and the names left out because they are gray at source.

    The method's chroma takes the product's way to the photo: guided by lightness, kept inside the gamut.
    flat tint knows the truth: every pixel gets the photo's own mean ab. The reference, where one is needed, is as
    `protocol` says. Of a method with matches *there and back* is the photo's own ab at the network's size, taken to the
    places of its matches in the reference and back (T -> R -> T), joined as the method's is.
    Errors: UsageError for fewer than two photos and for one that cannot be read; ColorizeError for colour that is not
    finite.
    """
    side = size or method.size
    figures: dict[str, list[tuple[float, float, float]]] = {}
    gray: list[str] = []
    for name, truth in photographs(folder, limit):
        if float(colourfulness(truth)) <= GRAY:
            gray.append(name)
            continue
        lab = rgb_to_lab(truth.float() / 255)
        lightness = lab[:, :1]
        tint = lab[:, 1:].mean((2, 3), keepdim=True).expand_as(lab[:, 1:])
        # (1, 1, 256, 256) -> (1, 1, side, side)
        small = F.interpolate(lightness, (side, side), mode="bilinear", antialias=True)
        results = {
            "gray": lab_to_rgb(torch.cat((lightness, torch.zeros_like(tint)), dim=1)),
            "flat tint": lab_to_rgb(torch.cat((lightness, tint), dim=1)),
        }
        for row, chroma in _answers(method, small, truth, lab[:, 1:], name).items():
            results[row] = join(lightness, *guide(small, chroma))
        for row, rgb in results.items():
            eight_bit = (255 * rgb).round().to(torch.uint8)
            error, likeness = mean_squared_error(truth, eight_bit), ssim(truth, eight_bit)
            figures.setdefault(row, []).append((float(error), float(likeness), float(colourfulness(eight_bit))))
        figures.setdefault("the truth", []).append((0.0, 1.0, float(colourfulness(truth))))
    if len(figures.get("gray", [])) < 2:
        raise UsageError(f"at least two colour photos are needed; {len(gray)} of those found are gray at source")
    return [_row(name, values) for name, values in figures.items()], gray


def _answers(method: LoadedMethod, small: Tensor, truth: Tensor, chroma: Tensor, name: str) -> dict[str, Tensor]:
    """By row CIE ab, (1, 2, side, side) on the CPU, for the photo `name`: the method's, and there and back.

    small: (1, 1, side, side) CIE L. truth: (1, 3, 256, 256) uint8. chroma: its CIE ab.
    """
    if method.embed is None:
        return {method.spec.name: finite(method.predict(small), name)}
    seed = zlib.crc32(os.fsencode(PurePosixPath(name).name))  # not its place among the photos: --limit moves nothing
    z = method.embed(self_reference(truth.float() / 255, torch.tensor([seed]), _SELF_REFERENCE))
    answers = {method.spec.name: finite(method.predict(small, z), name)}
    if method.there_and_back is not None:
        own = F.interpolate(chroma, small.shape[2:], mode="bilinear", antialias=True)
        back = method.there_and_back(small, z, own)
        answers |= {} if back is None else {_BACK: finite(back, name)}
    return answers


def finite(chroma: Tensor, name: str) -> Tensor:
    """A photo's predicted chroma, on the CPU; ColorizeError, which names the photo, where it is no colour."""
    chroma = chroma.cpu()
    if not bool(torch.isfinite(chroma).all()):
        raise ColorizeError(f"{name}: the network gave non-finite colour; try --precision fp32")
    return chroma


def _row(name: str, values: list[tuple[float, float, float]]) -> Row:
    errors, likeness, colour = torch.tensor(values, dtype=torch.float64).unbind(1)  # (photos, 3) -> 3 x (photos,)
    decibels = psnr(errors)
    return Row(
        name=name,
        psnr=float(decibels.mean()),
        psnr_median=float(decibels.quantile(0.5)),
        psnr_pooled=float(psnr(errors.mean())),
        ssim=float(likeness.mean()),
        colourfulness=float(colour.mean()),
        photos=len(values),
    )
