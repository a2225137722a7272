"""Segment maps: pictures whose colours are labels, and say which regions of a photo and of its reference are alike."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.errors import PhotoError, UsageError
from colorcli.items import PhotoHeader, Segments
from colorcli.media.discover import Discovery
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.libvips import VipsError
from colorcli.media.places import sha256_of
from colorcli.media.references import Pairing
from colorcli.media.sources import Source, open_source, plain_reason

_MOST = 64  # labels of a map; what people and networks draw has some ten, what was smoothed has hundreds
_STRIP = 2**20  # pixels of a map that are looked at together
_NAMED = 8  # labels in one message
_GRAY = 1 << 32 | 1 << 16 | 1  # the label of gray 1; red, green and blue have 16 bits each

Labels = NDArray[np.int64]


def with_segments(found: Discovery, pairing: Pairing, maps: tuple[Path, Path], max_pixels: int) -> Discovery:
    """The jobs of one photo and one reference, with the segment maps of both.

    Each map is held against its photo, and the one against the other: its size is the photo's, as seen upright, and
    both have the same labels. A photo that cannot be opened is left to the run. Errors: UsageError for several photos
    or references, for a map that cannot be read, is of another size, has more than 64 labels or transparency, and for
    labels that one map has alone.
    """
    names = {job.name for job in found.jobs} | {failure.name for failure in found.failures}
    if pairing.by is not None or len(pairing.references) != 1 or len(names) > 1:
        raise UsageError(
            f"--segments goes with one photo and one --ref, and without --pair-by; there are {len(names)} photos and "
            f"{len(pairing.references)} references: run them one by one"
        )
    if not found.jobs:
        return found
    photos = (found.jobs[0].source, pairing.references[0].path)
    sides, digests = [], []
    for photo, path in zip(photos, maps, strict=True):
        try:
            header = open_source(photo, max_pixels=max_pixels).header
        except PhotoError:
            return found
        try:
            sides.append(_labels_of(_of_its_size(path, photo, header, max_pixels)))
            digests.append(sha256_of(path))
        except (PhotoError, OSError) as error:
            raise UsageError(f"--segments {path}: {error}") from error
    _refuse_alone(sides, maps)
    segments = Segments(*maps, tuple(sides[0].tolist()), ", ".join(digests))
    return replace(found, jobs=[replace(job, segments=segments) for job in found.jobs])


def _of_its_size(path: Path, photo: Path, header: PhotoHeader, max_pixels: int) -> Source:
    """A map, opened. Errors: PhotoError where it cannot be, or has not its photo's size."""
    drawing = open_source(path, max_pixels=max_pixels)
    width, height = drawing.header.width, drawing.header.height
    if (width, height) != (header.width, header.height):
        raise PhotoError(
            f"it is {width}x{height} pixels; expected {header.width}x{header.height}, the size of {photo.name} as seen "
            "upright (after its EXIF orientation)"
        )
    return drawing


def resolved(maps: tuple[Path, Path] | None) -> set[str]:
    """Where the maps lie, resolved: they are no photos to colour, and never replaced."""
    return {os.path.realpath(path) for path in maps or ()}


def read_regions(
    path: Path, labels: Sequence[int], height: int, width: int, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read a segment map at another size: (height, width), upright, the place in `labels` of each pixel's nearest.

    labels: ascending, all of the map's. Errors: PhotoError, which names the map, for one that cannot be read, or has
    other labels by now.
    """
    try:
        drawing = open_source(path, max_pixels=max_pixels)
        turned = drawing.orientation >= 5  # what is stored is seen on its side
        down, across = (width, height) if turned else (height, width)
        rows = _nearest(drawing.image.height, down)
        columns = _nearest(drawing.image.width, across)
        known = np.asarray(labels)
        small = np.empty((down, across), np.uint8)
        for top, strip in _strips(drawing):
            wanted = (rows >= top) & (rows < top + len(strip))
            found = strip[(rows[wanted] - top)[:, None], columns]
            places = np.searchsorted(known, found).clip(max=len(known) - 1)
            if (known[places] != found).any():
                raise PhotoError("it was changed during the run; run again")
            small[wanted] = places
    except PhotoError as error:
        raise PhotoError(f"its segment map {path.name}: {error}") from error
    image = pyvips.Image.new_from_array(small).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", drawing.orientation)
    upright: NDArray[np.uint8] = image.autorot().numpy()
    return upright.reshape(height, width)


def _nearest(size: int, count: int) -> NDArray[np.int64]:
    """Of `size` pixels in a row those nearest to the middles of `count` equal parts."""
    return ((np.arange(count) + 0.5) * size / count).astype(np.int64)


def _labels_of(drawing: Source) -> Labels:
    """All labels of a map, ascending."""
    known: Labels = np.empty(0, np.int64)
    for _, strip in _strips(drawing):
        row = strip.ravel()
        starts = np.flatnonzero(np.diff(row, prepend=row[0] - 1))  # of equal pixels side by side: few, and so quick
        known = np.union1d(known, row[starts])
        if len(known) > _MOST:
            raise PhotoError(
                f"it has more than {_MOST} labels; expected flat regions of one colour each: save it as PNG (JPEG "
                "changes colours), drawn and resized without smoothing (antialiasing)"
            )
    return known


def _strips(drawing: Source) -> Iterator[tuple[int, Labels]]:
    """A map as it is stored, some rows at a time: the first row's number, and labels (rows, width).

    A label is the pixel's value in all three channels, so that gray is gray whatever the file's kind; profiles are not
    applied. Errors: PhotoError for CMYK, transparency and damaged files.
    """
    image, bands = drawing.image, drawing.color_bands
    if bands not in (1, 3):
        raise PhotoError("its pixels are CMYK; expected gray, a palette or RGB, save it as PNG")
    kind = np.uint16 if drawing.header.bits == 16 else np.uint8
    region = pyvips.Region.new(image)
    step = max(1, _STRIP // image.width)
    for top in range(0, image.height, step):
        count = min(step, image.height - top)
        try:
            stored = region.fetch(0, top, image.width, count)
        except VipsError as error:
            raise PhotoError(plain_reason(error, drawing.path, format=drawing.format)) from error
        pixels = np.frombuffer(stored, kind).astype(np.int64).reshape(count, image.width, image.bands)
        if image.bands > bands and bool((pixels[..., bands] < np.iinfo(kind).max).any()):
            raise PhotoError("it is transparent in places; expected a colour for every pixel, save it without alpha")
        if bands == 1:
            yield top, pixels[..., 0] * _GRAY
        else:
            yield top, pixels[..., 0] << 32 | pixels[..., 1] << 16 | pixels[..., 2]


def _refuse_alone(sides: Sequence[Labels], maps: tuple[Path, Path]) -> None:
    """UsageError for labels that one side has alone."""
    for one, other in ((0, 1), (1, 0)):
        alone: list[int] = np.setdiff1d(sides[one], sides[other]).tolist()
        if alone:
            names = ", ".join(map(_name, alone[:_NAMED])) + (", ..." if len(alone) > _NAMED else "")
            raise UsageError(
                f"--segments {maps[one]} has labels that {maps[other]} lacks: {names}; expected the same ones in both, "
                "give these regions a label that both have"
            )


def _name(label: int) -> str:
    """What a person finds in the map: gray's value, or the colour."""
    red, green, blue = label >> 32, label >> 16 & 0xFFFF, label & 0xFFFF
    if red == green == blue:
        return str(red)
    deep = max(red, green, blue) > 255
    return f"({red}, {green}, {blue})" if deep else f"#{red:02x}{green:02x}{blue:02x}"
