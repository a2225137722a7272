"""Colour hints as a person gives them: `x,y,#rrggbb`, and drawings in sidecar files."""

from __future__ import annotations

import re

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.errors import PhotoError, UsageError
from colorcli.items import Dot, Job, PhotoHeader
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.libvips import VipsError
from colorcli.media.lightness import standard_rgb
from colorcli.media.sources import Source, open_source, plain_reason

_DOT = re.compile(r"(-?\d{1,9}),(-?\d{1,9}),#([0-9a-fA-F]{6})")
_FINENESS = 4  # pixels of a reduced drawing to one of the network's, across and down, or more


def parse_dot(text: str) -> Dot:
    """`x,y,#rrggbb` as a dot. Errors: UsageError."""
    found = _DOT.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--hint must be x,y,#rrggbb (pixels of the photo, and a colour), not {text!r}")
    red, green, blue = bytes.fromhex(found[3])
    return Dot(int(found[1]), int(found[2]), (red, green, blue))


def open_hints(job: Job, header: PhotoHeader, *, max_pixels: int = MAX_PIXELS) -> Source | None:
    """Hold a job's hints against its photo's header, and open its sidecar; None where it has none.

    No pixel is decoded. Errors: PhotoError for a dot outside the photo; for a sidecar that cannot be read, is larger
    than max_pixels, has no alpha, or not the photo's aspect (upright, to a pixel).
    """
    for dot in job.dots:
        if not (0 <= dot.x < header.width and 0 <= dot.y < header.height):
            raise PhotoError(
                f"the hint at {dot.x},{dot.y} lies outside the photo, which is {header.width}x{header.height} pixels "
                "as seen upright; colour photos of other sizes apart"
            )
    if job.sidecar is None:
        return None
    try:
        drawing = open_source(job.sidecar, max_pixels=max_pixels)
    except PhotoError as error:
        raise PhotoError(f"its hints {job.sidecar.name}: {error}") from error
    found = drawing.header
    if not found.alpha:
        raise PhotoError(
            f"its hints {job.sidecar.name} have no transparency; expected a transparent picture with dots or strokes "
            "of colour, save it as PNG with an alpha channel"
        )
    # Its sides are the photo's times one factor, the shorter one rounded.
    if abs(found.width * header.height - found.height * header.width) > max(header.width, header.height):
        raise PhotoError(
            f"its hints {job.sidecar.name} are {found.width}x{found.height} pixels; expected the photo's "
            f"{header.width}x{header.height} as seen upright, or any size of that aspect"
        )
    return drawing


def read_drawing(drawing: Source, height: int, width: int) -> tuple[NDArray[np.float32], int]:
    """Read a sidecar for a network of height x width pixels; a large one streams and is reduced.

    Returns (4, h, w), upright: sRGB 0..1 times alpha, and alpha 0..1; and how many of the file's pixels are averaged
    in one of these. Errors: PhotoError where the file is damaged.
    """
    header = drawing.header
    factor = max(1, min(header.width // (_FINENESS * width), header.height // (_FINENESS * height)))
    try:
        color = standard_rgb(drawing.image.extract_band(0, n=drawing.color_bands))
        if color.bands == 1:
            color = color.bandjoin([color, color])
        alpha = drawing.image.extract_band(drawing.color_bands) / _largest(drawing.image)
        weighted = (color / _largest(color) * alpha).bandjoin(alpha)
        small = weighted.shrink(factor, factor, ceil=True).copy_memory().autorot()
        pixels: NDArray[np.float32] = small.numpy()  # (h, w, 4)
    except VipsError as error:
        raise PhotoError(
            f"its hints {drawing.path.name}: {plain_reason(error, drawing.path, format=drawing.format)}"
        ) from error
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32), factor * factor


def _largest(image: pyvips.Image) -> int:
    return 65_535 if image.format == "ushort" else 255
