"""Whether a method takes its colours from the reference: targets, each coloured after each of the references."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from colorcli.bench.quality import finite
from colorcli.color.chroma import guide, join
from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.errors import PhotoError, UsageError
from colorcli.items import Reference
from colorcli.loader import LoadedMethod
from colorcli.media.discover import find_photos
from colorcli.media.photos import read_photo
from colorcli.media.references import pair, reference_at
from colorcli.metrics.histogram import ab_histogram, intersection
from colorcli.metrics.rank import ranks
from colorcli.stages.refer import read_reference

SIDE = 256  # pixels: results and references are compared at about 256x256, in their own aspects
_COLUMNS = ("target", "reference")
_NAMED = 5  # files in a message


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which target goes with which reference. Each file is there once, whatever names and rows it has."""

    targets: tuple[Reference, ...]  # any file is one: a path, a name and what it holds
    references: tuple[Reference, ...]
    own: tuple[tuple[int, int], ...]  # places in `targets` and `references`, in the table's order


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike results are to the references that they were given, and to the others."""

    results: int
    given: float  # mean similarity to the reference that was given, 0..1
    others: float  # mean similarity to the others
    rank: float  # mean place of the one that was given among all: 1 is best, (references + 1) / 2 is chance
    first: int  # results that are nearer to it than to any other


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    own: Likeness  # of each pair's target after its own reference
    every: Likeness  # of every target after every reference: references are swapped


@dataclass(frozen=True, slots=True)
class Comparison:
    """The table, and what it is made of: the method's similarities, 0..1."""

    rows: list[Row]  # gray, flat tint, the method
    matrix: Tensor  # (pairs, references): of each pair's result to each reference
    given: Tensor  # (targets, references): of the result of each to the reference that it was given
    ranks: Tensor  # (targets, references): of that reference among all


def read_pairs(file: Path, limit: int = 0) -> Pairs:
    """Read a CSV table with the columns `target` and `reference`: paths beside the table, or absolute ones.

    limit: rows at most; 0: all. Errors: UsageError for a table that cannot be read or has no such columns, for a row
    without one of them, for files that cannot be read, and for fewer than two different references.
    """
    targets: dict[str, tuple[int, Reference]] = {}
    references: dict[str, tuple[int, Reference]] = {}
    own: dict[tuple[int, int], None] = {}  # a set that keeps its order
    for target, reference in _rows(file, limit):
        place = _placed(file.parent / target, target, targets)
        own[place, _placed(file.parent / reference, reference, references)] = None
    return _whole(str(file), targets, references, own)


def _whole(
    where: str,
    targets: Mapping[str, tuple[int, Reference]],
    references: Mapping[str, tuple[int, Reference]],
    own: Mapping[tuple[int, int], None],
) -> Pairs:
    if len(references) < 2:
        raise UsageError(f"{where} names {len(references)} reference(s): nothing can be swapped; expected two or more")
    return Pairs(tuple(one for _, one in targets.values()), tuple(one for _, one in references.values()), tuple(own))


def matched_pairs(targets: str, references: str, limit: int = 0) -> Pairs:
    """The photos of one folder, each with the reference of its path, else of its stem, in another.

    limit: photos at most; 0: all. Errors: UsageError for a folder without photos, for photos whose name fits no
    reference or several and for what cannot be read, by name; for fewer than two different references.
    """
    for folder in (targets, references):
        if not find_photos([folder], recursive=True)[0]:
            raise UsageError(f"{folder} holds no photo")
    pairing = pair([references], "name")
    photos, failures = find_photos([targets], recursive=True)
    wrong = [f"{failure.name}: {failure.reason}" for failure in failures]
    found: dict[str, tuple[int, Reference]] = {}
    given: dict[str, tuple[int, Reference]] = {}
    own: dict[tuple[int, int], None] = {}
    for photo in photos[: limit or None]:
        try:
            (reference,) = [version.reference for version in pairing.versions(photo.relative) if version.reference]
        except PhotoError as error:
            wrong.append(f"{photo.relative}: {error}")
            continue
        own[_placed(photo.source, str(photo.relative), found), _known(reference, given)] = None
    if wrong:
        more = f", and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise UsageError(f"not every photo of {targets} has its reference: {'; '.join(wrong[:_NAMED])}{more}")
    return _whole(references, found, given, own)


def _rows(file: Path, limit: int) -> list[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream, skipinitialspace=True)
            if missing := [name for name in _COLUMNS if name not in (table.fieldnames or ())]:
                raise UsageError(f"{file} has no column {' and no column '.join(missing)}; expected target,reference")
            rows = []
            for row in table:
                if not (row["target"] and row["reference"]):
                    raise UsageError(f"{file}, line {table.line_num}: expected a target and a reference")
                rows.append((row["target"], row["reference"]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file} is not a readable table: {error}") from error
    return rows[: limit or None]


def _placed(path: Path, name: str, known: dict[str, tuple[int, Reference]]) -> int:
    """The place of a file, called `name`, among those known."""
    try:
        return _known(reference_at(path, name), known)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _known(one: Reference, known: dict[str, tuple[int, Reference]]) -> int:
    """By its content, so that copies are one."""
    return known.setdefault(one.sha256, (len(known), one))[0]


def compare(method: LoadedMethod, pairs: Pairs, *, size: int = 0) -> Comparison:
    """Colour every target after every reference and compare the ab histograms of results and references.

    Results take the product's way to the photo: guided by lightness, kept inside the gamut, 8 bits. size: side of the
    network's input, pixels, in the photo's own aspect; 0: as trained. The rows *gray* (a = b = 0) and *flat tint*
    (every pixel gets the reference's mean ab) are no methods: what the figures are without, and with one mean colour.
    Errors: UsageError for a method that takes no reference, for a photo that cannot be read and a reference that is
    gray; ColorizeError for colour that is not finite.
    """
    alike = _similarities(method, pairs, size or method.size)
    targets, references = torch.tensor(pairs.own).unbind(1)  # (P, 2) -> 2 x (P,)
    given = torch.arange(len(pairs.references))
    rows = [
        Row(
            name,
            likeness(cube[targets, references], references),
            likeness(cube.flatten(0, 1), given.repeat(len(pairs.targets))),  # (T, R, R) -> (TR, R)
        )
        for name, cube in alike.items()
    ]
    cube = alike[method.spec.name]
    places = torch.stack([ranks(of_target, given) for of_target in cube])  # T x (R,) -> (T, R)
    return Comparison(rows, cube[targets, references], cube.diagonal(dim1=1, dim2=2), places)


def _similarities(method: LoadedMethod, pairs: Pairs, side: int) -> dict[str, Tensor]:
    """Of each row's results: (T, R, R), target, the reference that it was given, the one that it is compared with."""
    if method.embed is None:
        raise UsageError(f"{method.spec.name} takes no reference; --pairs is for methods that do")
    try:
        colors = [read_reference(reference)[None] for reference in pairs.references]  # R x (1, 3, h, w), 0..1
    except PhotoError as error:
        raise UsageError(str(error).removeprefix("its ")) from error
    chroma = [rgb_to_lab(rgb)[:, 1:] for rgb in colors]
    tints = [one.mean((2, 3), keepdim=True) for one in chroma]  # R x (1, 2, 1, 1)
    wanted = torch.cat([ab_histogram(one) for one in chroma])  # (R, bins)
    embeddings = [method.embed(rgb) for rgb in colors]  # R x (1, E)
    found: dict[str, list[Tensor]] = {}
    for target in pairs.targets:
        lightness, small = _seen(target, SIDE, 1), _seen(target, side, method.spec.multiple)
        for reference, tint, z in zip(pairs.references, tints, embeddings, strict=True):
            predicted = finite(method.predict(small, z), f"{target.name} after {reference.name}", method.spec.name)
            flat = tint.expand(-1, -1, *lightness.shape[2:])
            results = {
                "gray": lab_to_rgb(torch.cat((lightness, torch.zeros_like(flat)), dim=1)),
                "flat tint": lab_to_rgb(torch.cat((lightness, flat), dim=1)),
                method.spec.name: join(lightness, *guide(small, predicted)),
            }
            for name, rgb in results.items():
                shown = ab_histogram(rgb_to_lab((255 * rgb).round() / 255)[:, 1:])  # (1, bins)
                found.setdefault(name, []).append(intersection(shown, wanted))  # (R,)
    references = len(pairs.references)
    return {name: torch.stack(rows).view(-1, references, references) for name, rows in found.items()}  # -> (T, R, R)


def _seen(target: Reference, side: int, multiple: int) -> Tensor:
    """A target's lightness, (1, 1, h, w) CIE L, about side x side pixels."""
    try:
        _, lightness = read_photo(target.path, side=side, multiple=multiple)
    except PhotoError as error:
        raise UsageError(f"target {target.name}: {error}") from error
    return torch.from_numpy(lightness)[None, None]


def likeness(alike: Tensor, given: Tensor) -> Likeness:
    """The figures of N results, compared with each of two or more references.

    alike: (N, R) similarities. given: (N,) int64, the reference that each result was given.
    """
    results, references = alike.shape
    own = alike.gather(1, given[:, None])[:, 0]  # (N,)
    places = ranks(alike, given)
    return Likeness(
        results=results,
        given=float(own.mean()),
        others=float((alike.sum() - own.sum()) / (results * (references - 1))),
        rank=float(places.mean()),
        first=int((places == 1).sum()),
    )
