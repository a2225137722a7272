"""The page of a study: results of several folders, shuffled and without their names."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

from colorcli.errors import ColorizeError, PhotoError, UsageError
from colorcli.media.beside import kind_beside_photos
from colorcli.media.formats import PHOTO_EXTENSIONS
from colorcli.media.libvips import VipsError
from colorcli.media.pictures import size_within
from colorcli.media.places import COMPARISON, whole_files
from colorcli.media.small import encoded_alike, small_picture
from colorcli.media.sources import open_source, plain_reason
from colorcli.report.study import FORMAT, PREFER, Item, items
from colorcli.report.template import as_data, filled, picture_data, spelled

_LONGEST = 640  # pixels
_BYTES = 90_000  # of a picture, at most
_PICTURES = "<!-- pictures -->"  # where the template has them


def write_study(
    place: Path,
    folders: Sequence[Path],
    kind: str,
    *,
    seed: int,
    limit: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> int:
    """Write the page of a study of the photos that all folders have, by their paths without extension.

    kind: one of `KINDS`. limit: photos, drawn by the seed; 0: all. say: told what is left out. Returns the number of
    questions. Errors: UsageError where no photo is in all folders, or one cannot be read; ColorizeError.
    """
    names, rows = matched(folders, say)
    if 0 < limit < len(names):
        drawn = sorted(random.Random(seed).sample(range(len(names)), limit))
        names, rows = [names[photo] for photo in drawn], [rows[photo] for photo in drawn]
    asked = items(kind, len(names), len(folders), seed)
    before, after = _frame(kind, seed, labels(folders), names, asked).split(_PICTURES)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole_files(place) as (part,), part.open("w", encoding="utf-8", newline="\n") as page:
            page.write(before)
            for number, row in enumerate(rows):
                page.write(",\n" * (number > 0) + as_data(_shown(row)))
            page.write(after)
    except OSError as error:
        raise ColorizeError(f"the study {place} cannot be written ({error.strerror or error})") from error
    return len(asked)


def matched(folders: Sequence[Path], say: Callable[[str], None]) -> tuple[list[str], list[list[Path]]]:
    """The names that all folders have, in their order, and the files of each.

    Errors: UsageError where there is none, where two files of a folder have one name, and for what is no folder.
    """
    found = [_photos(folder) for folder in folders]
    common = sorted(set.intersection(*(set(photos) for photos in found)))
    if not common:
        raise UsageError("no photo is in all of the folders by its name; expected results of the same photos")
    for folder, photos in zip(folders, found, strict=True):
        if len(photos) > len(common):
            say(f"left out: {len(photos) - len(common)} photo(s) of {folder} that are not in all folders")
    return common, [[photos[name] for photos in found] for name in common]


def _photos(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; expected folders of results")
    photos: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in below.parts)
        if hidden or path.suffix.lower() not in PHOTO_EXTENSIONS or _beside(path) or not path.is_file():
            continue
        name = below.with_suffix("").as_posix()
        if name in photos:
            raise UsageError(f"{photos[name]} and {path} have one name; expected one result of a photo in a folder")
        photos[name] = path
    return photos


def _beside(path: Path) -> bool:
    return kind_beside_photos(path) is not None or path.name.lower().endswith(COMPARISON)


def labels(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the folders' paths that tell them apart. Errors: UsageError for a folder named twice."""
    parts = [Path(os.path.realpath(folder)).parts for folder in folders]
    if len(set(parts)) < len(parts):
        raise UsageError("a folder is named twice; its results would be compared with themselves")
    for depth in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(one[-depth:]) for one in parts]
        if len(set(ends)) == len(ends):
            break
    return ends


def _frame(kind: str, seed: int, folders: Sequence[str], photos: Sequence[str], asked: Sequence[Item]) -> str:
    study = {"format": FORMAT, "kind": kind, "seed": seed, "folders": list(map(spelled, folders))}
    study |= {"photos": list(map(spelled, photos)), "items": [*map(astuple, asked)]}
    return filled(
        "study.html",
        title="A study of coloured photos",
        task="Which of the two is the better coloured photo?" if kind == PREFER else "Does this photo look natural?",
        study=as_data(study),
        pictures=_PICTURES,
    )


def _shown(row: Sequence[Path]) -> list[str]:
    """A photo's result of each folder as data, of one size and quality: neither must tell whose it is."""
    try:
        size = size_within(open_source(row[0], max_pixels=0).header, _LONGEST)
        pictures = [small_picture(path, *size).copy_memory() for path in row]
        files = encoded_alike(pictures, _BYTES * len(row))
    except PhotoError as error:
        raise UsageError(f"{row[0]} or its like cannot be shown: {error}") from error
    except VipsError as error:
        raise UsageError(f"{row[0]} or its like cannot be shown: {plain_reason(error, *row)}") from error
    return list(map(picture_data, files))
