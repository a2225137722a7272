"""Job -> Photo: the lightness at the network's size, a person's hints, and its regions."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import PhotoError
from colorcli.items import Failure, Job, Photo, PhotoHeader, Stamp
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.hints import open_hints, read_drawing
from colorcli.media.originals import stamp_of, unopened
from colorcli.media.photos import read_photo, read_photo_in_colour
from colorcli.media.segments import read_regions
from colorcli.methods.hints import dotted, drawn


def decode(
    job: Job, side: int, multiple: int, max_pixels: int = MAX_PIXELS, *, colors: bool = False
) -> Photo | Failure:
    """Read one photo for a network of about side x side pixels; what cannot be read, or is too large, is a Failure.

    So are hints that cannot be read or are not this photo's, and a segment map that cannot be read. colors: the network
    sees the photo's own colour, too.
    """
    try:
        stamp = _stamp(job)
        if colors:
            header, rgb = read_photo_in_colour(job.source, side=side, multiple=multiple, max_pixels=max_pixels)
            lab = rgb_to_lab(torch.from_numpy(rgb))  # (3, h, w)
            segments = _segments(job, rgb.shape[1], rgb.shape[2], max_pixels=max_pixels)
            return Photo(job, header, lab[:1], notes=_told(header), chroma=lab[1:], segments=segments, stamp=stamp)
        header, lightness = read_photo(job.source, side=side, multiple=multiple, max_pixels=max_pixels)
        hints = _hints(job, header, *lightness.shape, max_pixels=max_pixels)
        segments = _segments(job, *lightness.shape, max_pixels=max_pixels)
    except PhotoError as error:
        return job.failed("decode", str(error))
    seen = torch.from_numpy(lightness)[None]  # (h, w) -> (1, h, w)
    return Photo(job, header, seen, hints, notes=_told(header), segments=segments, stamp=stamp)


def _stamp(job: Job) -> Stamp:
    try:
        return stamp_of(job.source)
    except OSError as error:
        raise unopened(error) from error


def _told(header: PhotoHeader) -> tuple[str, ...]:
    if not header.damage:
        return ()
    return (f"the file is damaged ({header.damage}): what could be read is coloured, look at the result",)


def _segments(job: Job, height: int, width: int, *, max_pixels: int) -> Tensor | None:
    """(height, width) as in Photo."""
    if job.segments is None:
        return None
    return torch.from_numpy(read_regions(job.segments.target, job.segments.labels, height, width, max_pixels))


def _hints(job: Job, header: PhotoHeader, height: int, width: int, *, max_pixels: int) -> Tensor | None:
    """(3, height, width) as in Photo; dots lie over the drawing, later dots over earlier ones."""
    sidecar = open_hints(job, header, max_pixels=max_pixels)
    if sidecar is None and not job.dots:
        return None
    hints = torch.zeros(3, height, width)
    if sidecar is not None:
        drawing, each = read_drawing(sidecar, height, width)
        hints = drawn(torch.from_numpy(drawing), height, width, each)
    for dot in job.dots:
        red, green, blue = (value / 255 for value in dot.color)
        hints = dotted(hints, (dot.y + 0.5) / header.height, (dot.x + 0.5) / header.width, (red, green, blue))
    return hints
