"""Quality of a method by the papers' protocol: 256x256, L in, ab out, against the original.

A method that needs a reference gets a self reference (Color2Embed, section 3.2): the original, warped and noised.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

from colorcli.bench.figures import PhotoFigures, Row, figures_of, row_of
from colorcli.color.chroma import guide, join
from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.color.resize import stretch_to_square
from colorcli.errors import ColorizeError, UsageError
from colorcli.loader import LoadedMethod
from colorcli.media.samples import PHOTOGRAPHS, photograph
from colorcli.methods.color2embed.augment import Augmentation, self_reference
from colorcli.methods.spec import MethodSpec
from colorcli.metrics.colourfulness import GRAY, colourfulness
from colorcli.train.listing import is_photo

SIDE = 256  # pixels, the papers' protocol
_SELF_REFERENCE = Augmentation(turn=False)  # as training validates: section 3.2 without section 4.1's turns
BACK = "there and back"  # T -> R -> T
GRAY_ROW, TINT_ROW, TRUTH = "gray", "flat tint", "the truth"  # rows that are no methods
_SAID = 10  # photos, after which `say` is told


@dataclass(frozen=True, slots=True)
class Quality:
    """A table and what it does not show."""

    rows: list[Row]  # gray, flat tint, the methods, the truth
    gray: list[str]  # photos that are gray at source and left out
    failed: dict[str, str]  # method -> why it has no row


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
    return f"{given}; {BACK}, of weights with matches: the photo's own ab by way of them" if spec.matches else given


def measure(
    methods: Mapping[str, LoadedMethod],
    folder: Path | None,
    *,
    size: int = 0,
    limit: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Quality:
    """Measure methods, each under its own name, on the same photos, beside *gray*, *flat tint* and *the truth*.

    A method's chroma takes the product's way to the photo: guided by lightness, kept inside the gamut.
    flat tint knows the truth: every pixel gets the photo's own mean ab. The reference, where one is needed, is as
    `protocol` says. Of a method with matches *there and back* is the photo's own ab at the network's size, taken to the
    places of its matches in the reference and back (T -> R -> T), joined as the method's is.
    size: side of the networks' input, pixels, a multiple of every method's; 0: as each was trained. A method whose
    colour is not finite for one photo is in `failed`, which names the photo. say: told how many photos are through.
    Errors: UsageError for fewer than two photos and for one that cannot be read; ColorizeError where every method
    failed.
    """
    images: dict[str, list[PhotoFigures]] = {}
    gray: list[str] = []
    failed: dict[str, str] = {}
    for count, (name, truth) in enumerate(photographs(folder, limit), 1):
        if float(colourfulness(truth)) <= GRAY:
            gray.append(name)
            continue
        for row, rgb in _results(methods, truth, name, size, failed).items():
            images.setdefault(row, []).append(figures_of(name, truth, (255 * rgb).round().to(torch.uint8)))
        images.setdefault(TRUTH, []).append(figures_of(name, truth, truth))
        if count % _SAID == 0:
            say(f"{count} photos")
        if methods and len(failed) == len(methods):
            raise ColorizeError("; ".join(failed.values()))
    if len(images.get(TRUTH, [])) < 2:
        raise UsageError(
            f"at least two colour photos are needed, {len(images.get(TRUTH, []))} found; "
            f"{len(gray)} of those found are gray at source"
        )
    names = [GRAY_ROW, TINT_ROW, *(row for name in methods for row in (name, back_row(name))), TRUTH]
    whole = [name for name in names if len(images.get(name, [])) == len(images[TRUTH])]
    return Quality([row_of(name, images[name]) for name in whole], gray, failed)


def back_row(name: str) -> str:
    """What the row of T -> R -> T is called, beside the row `name`."""
    return f"{name}, {BACK}"


def _results(
    methods: Mapping[str, LoadedMethod], truth: Tensor, name: str, size: int, failed: dict[str, str]
) -> dict[str, Tensor]:
    """By row sRGB 0..1, (1, 3, 256, 256), of one photo. A method that gives no colour joins `failed`."""
    lab = rgb_to_lab(truth.float() / 255)
    lightness, own = lab[:, :1], lab[:, 1:]
    tint = own.mean((2, 3), keepdim=True).expand_as(own)
    results = {
        GRAY_ROW: lab_to_rgb(torch.cat((lightness, torch.zeros_like(tint)), dim=1)),
        TINT_ROW: lab_to_rgb(torch.cat((lightness, tint), dim=1)),
    }
    for label, method in methods.items():
        if label in failed:
            continue
        side = size or method.size
        # (1, 1, 256, 256) -> (1, 1, side, side)
        small = F.interpolate(lightness, (side, side), mode="bilinear", antialias=True)
        try:
            for row, chroma in _answers(method, label, small, truth, own, name).items():
                results[row] = join(lightness, *guide(small, chroma))
        except ColorizeError as error:
            failed[label] = str(error)
    return results


def _answers(
    method: LoadedMethod, label: str, small: Tensor, truth: Tensor, chroma: Tensor, name: str
) -> dict[str, Tensor]:
    """By row CIE ab, (1, 2, side, side) on the CPU, for the photo `name`: the method's, and there and back.

    small: (1, 1, side, side) CIE L. truth: (1, 3, 256, 256) uint8. chroma: its CIE ab.
    """
    if method.embed is None:
        return {label: finite(method.predict(small), name, label)}
    seed = zlib.crc32(os.fsencode(PurePosixPath(name).name))  # not its place among the photos: --limit moves nothing
    z = method.embed(self_reference(truth.float() / 255, torch.tensor([seed]), _SELF_REFERENCE))
    answers = {label: finite(method.predict(small, z), name, label)}
    if method.there_and_back is not None:
        own = F.interpolate(chroma, small.shape[2:], mode="bilinear", antialias=True)
        back = method.there_and_back(small, z, own)
        answers |= {} if back is None else {back_row(label): finite(back, name, label)}
    return answers


def finite(chroma: Tensor, photo: str, method: str) -> Tensor:
    """A photo's predicted chroma, on the CPU; ColorizeError, which names photo and method, where it is no colour."""
    chroma = chroma.cpu()
    if not bool(torch.isfinite(chroma).all()):
        raise ColorizeError(f"{photo}: {method} gave non-finite colour; try --precision fp32")
    return chroma
