"""Two sets of pictures, file by file: results against their originals, or one program's against another's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from colorcli.bench.figures import DEFINITIONS, PhotoFigures, Row, figures_of, row_of
from colorcli.errors import PhotoError, UsageError
from colorcli.media.discover import find_photos
from colorcli.media.photos import read_full_size
from colorcli.metrics.ssim import WINDOW


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files that are compared."""

    name: str  # of the first, below its folder
    first: Path
    second: Path


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of every pair, and what could not be compared."""

    photos: list[PhotoFigures]
    all: Row | None  # None: no pair could be compared
    problems: list[str]


def matched(first: Path, second: Path) -> tuple[list[Pair], list[str]]:
    """Which files go together, and those that have no partner, with the reason.

    Two files are a pair, whatever their names. Of two folders, subfolders included, those of the same path are, and of
    the others those of the same path without its extension, where there is one on either side. Errors: UsageError for
    a file and a folder, and where there is no photo at all.
    """
    if first.is_dir() != second.is_dir():
        raise UsageError(f"{first} and {second} are a file and a folder; name two files or two folders")
    if not first.is_dir():
        return [Pair(first.name, first, second)], []
    left: dict[PurePosixPath, Path] = {}
    right: dict[PurePosixPath, Path] = {}
    problems: list[str] = []
    for folder, files in ((first, left), (second, right)):
        found, failures = find_photos([str(folder)], recursive=True)
        files.update({photo.relative: photo.source for photo in found})
        problems += [f"{folder / failure.name}: {failure.reason}" for failure in failures]
    if not left and not right and not problems:
        raise UsageError(f"neither {first} nor {second} holds a photo")
    pairs = {place: Pair(str(place), path, right[place]) for place, path in left.items() if place in right}
    for one, other in _by_stem(left, right, set(pairs)):
        if len(one) == 1 == len(other):
            pairs[one[0]] = Pair(str(one[0]), left[one[0]], right[other[0]])
        elif one and other:
            names = f"{', '.join(map(str, one))} of {first} and {', '.join(map(str, other))} of {second}"
            problems.append(f"{names}: which goes with which is not clear; give them the same names")
        else:
            problems += [f"{first / place}: {second} has no such photo" for place in one]
            problems += [f"{second / place}: {first} has no such photo" for place in other]
    return [pairs[place] for place in sorted(pairs)], problems


def _by_stem(
    left: dict[PurePosixPath, Path], right: dict[PurePosixPath, Path], taken: set[PurePosixPath]
) -> list[tuple[list[PurePosixPath], list[PurePosixPath]]]:
    """The places on either side that share a path without its extension, but for those taken."""
    groups: defaultdict[PurePosixPath, tuple[list[PurePosixPath], list[PurePosixPath]]] = defaultdict(lambda: ([], []))
    for side, places in enumerate((left, right)):
        for place in places:
            if place not in taken:
                groups[place.with_suffix("")][side].append(place)
    return [groups[stem] for stem in sorted(groups)]


def compare(first: Path, second: Path, told: Callable[[PhotoFigures], None] = lambda _: None) -> Comparison:
    """Compare two files or folders at full size, as 8-bit sRGB. told: each file's figures as they are there.

    Errors: those of `matched`; what cannot be read and what differs in size is in `problems`.
    """
    pairs, problems = matched(first, second)
    photos: list[PhotoFigures] = []
    for pair in pairs:
        try:
            photos.append(_compared(pair))
        except PhotoError as error:
            problems.append(str(error))
            continue
        told(photos[-1])
    return Comparison(photos, row_of("all", photos) if photos else None, problems)


def _compared(pair: Pair) -> PhotoFigures:
    pictures = []
    for path in (pair.first, pair.second):
        try:
            pictures.append(torch.from_numpy(read_full_size(path))[None])
        except PhotoError as error:
            raise PhotoError(f"{path}: {error}") from error
    one, other = pictures
    (height, width), (other_height, other_width) = one.shape[2:], other.shape[2:]
    if one.shape != other.shape:
        raise PhotoError(f"{pair.first} has {width}x{height} pixels, {pair.second} {other_width}x{other_height}")
    if min(height, width) < WINDOW:
        raise PhotoError(f"{pair.first}: {width}x{height} pixels are too few; expected {WINDOW} on either side")
    return figures_of(pair.name, one, other)


def compare_record(first: Path, second: Path, found: Comparison) -> dict[str, Any]:
    """Plain values for JSON."""
    in_all = None if found.all is None else asdict(found.all)
    if in_all is not None:
        del in_all["images"], in_all["name"]
    return {
        "bench": "compare",
        "first": str(first),
        "second": str(second),
        "definitions": DEFINITIONS,
        "photos": [*map(asdict, found.photos)],
        "all": in_all,
        "problems": found.problems,
    }
