"""Found photos -> jobs: where each result goes, so that no two meet and no photo is replaced."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile

from colorcli.errors import PhotoError
from colorcli.items import Failure, Job, Reference
from colorcli.media.formats import FILM_EXTENSIONS, result_extension
from colorcli.media.places import BESIDE, comparison_path, results_of
from colorcli.media.sidecars import Sidecars, folded

STAGE = "discover"


@dataclass(frozen=True, slots=True)
class Found:
    """A photo and its place below the output folder, before the extension is chosen."""

    source: Path
    relative: PurePosixPath


@dataclass(frozen=True, slots=True)
class Version:
    """One of the results that a photo gets."""

    reference: Reference | None = None  # whose colours it has
    label: str = ""  # what its name has between the photo's and the extension; "" for nothing
    sample: int = 0  # which of several results of one reference


Versions = Callable[[PurePosixPath], Sequence[Version]]  # of a photo, by its place; PhotoError where it gets none


FilmExtension = Callable[[Path], str]  # of a film's result


def own_extension(film: Path) -> str:
    """A film's result is a file of its own kind."""
    return film.suffix


def one_version(_: PurePosixPath) -> Sequence[Version]:
    """Every photo gets one result, and no reference."""
    return (Version(),)


def sampled(versions: Versions, count: int) -> Versions:
    """`count` results in place of each, called sample-1, sample-2, and so on; as they are where that is one."""

    def several(place: PurePosixPath) -> Sequence[Version]:
        return [
            replace(version, label=f"{version.label}.sample-{sample + 1}".lstrip("."), sample=sample)
            for version in versions(place)
            for sample in range(count)
        ]

    return versions if count == 1 else several


def make_jobs(
    photos: Sequence[Found],
    sources: Collection[str],
    sidecars: Sidecars,
    out: Path | None,
    extension: str | None,
    compare: bool,
    versions: Versions = one_version,
    film_extension: FilmExtension = own_extension,
) -> tuple[list[Job], list[Failure]]:
    """Targets: the stem with the new extension, full names where those meet; what still meets fails by name.

    sources: resolved paths of files that must not be replaced, by whatever name. out: None for results beside their
    photos, `a.colorized.jpg`. extension: of photos; None for the source's. film_extension: of films. compare: each
    result has a comparison; those of one photo share it, called as if there were one result. Names that differ in case
    or in the form of their accents meet where the file system of `out` takes them for one.
    """
    wanted: list[tuple[Found, Version]] = []
    failures: list[Failure] = []
    for found in photos:
        try:
            wanted += [(found, version) for version in versions(found.relative)]
        except PhotoError as error:
            failures.append(Failure(str(found.relative), STAGE, str(error)))
    kinds = {found: _extension(found.source, extension, film_extension) for found, _ in wanted}
    short = [_target(found, version, out, kinds[found], full=False) for found, version in wanted]
    full = [_target(found, version, out, kinds[found], full=True) for found, version in wanted]
    folder = out if out is not None or not photos else photos[0].source.parent
    several = {found for found, count in Counter(found for found, _ in wanted).items() if compare and count > 1}
    shared = {
        whole: {found: comparison_path(_target(found, Version(), out, kinds[found], full=whole)) for found in several}
        for whole in (False, True)
    }
    possible = {claim for target in {*short, *full} for claim in results_of(target, compare)}
    key = _key(possible.union(*(paths.values() for paths in shared.values())), folder or Path())
    meetings = Counter(map(key, short))
    longer_named = {found for (found, _), target in zip(wanted, short, strict=True) if meetings[key(target)] > 1}
    files = {identity(Path(path)) for path in sources}
    outside = _outside(out)
    jobs: list[Job] = []
    owners: dict[str, Path] = {}
    sheets: dict[str, Found] = {}  # shared comparisons that are claimed
    for (found, version), target, longer in zip(wanted, short, full, strict=True):
        sheet = shared[found in longer_named].get(found)
        claims = results_of(longer if meetings[key(target)] > 1 else target, compare and sheet is None)
        if sheet is not None and sheets.get(key(sheet)) is not found:  # its other results have not claimed it yet
            claims = (*claims, sheet)
        taken = next((path for path in claims if key(path) in owners), None)
        replaced = next((path for path in claims if os.path.realpath(path) in sources or identity(path) in files), None)
        if taken is not None:
            what = "result" if taken == claims[0] else "comparison"
            owner = owners[key(taken)]
            reason = f"its {what} would be {taken}, as {owner}'s result or comparison is; colour them apart"
            failures.append(Failure(str(found.source), STAGE, reason, version.reference))
        elif out is not None and (elsewhere := outside(claims[0].parent)) is not None:
            reason = f"its result would lie outside the output folder, in {elsewhere} ({claims[0].parent} links there)"
            failures.append(Failure(str(found.relative), STAGE, f"{reason}; remove the link", version.reference))
        elif replaced is not None:
            what = "result" if replaced == claims[0] else "comparison"
            reason = f"its {what} would replace the photo {replaced}; choose another output folder"
            failures.append(Failure(str(found.relative), STAGE, reason, version.reference))
        else:
            owners |= dict.fromkeys(map(key, claims), found.source)
            if sheet is not None:
                sheets[key(sheet)] = found
            job = Job(found.source, claims[0], str(found.relative), sidecars.of(found.source), together=sheet)
            jobs.append(replace(job, reference=version.reference, sample=version.sample))
    return jobs, failures


def _outside(out: Path | None) -> Callable[[Path], str | None]:
    """Where a folder that should be in `out` lies really, if that is elsewhere. Each is looked at once."""
    root = "" if out is None else os.path.realpath(out)

    @cache
    def really(folder: Path) -> str | None:
        place = os.path.realpath(folder)
        return None if Path(place).is_relative_to(root) else place

    return really


def identity(path: Path) -> tuple[int, int] | str:
    """What all names of a file or folder share: device and inode; the resolved path where there is none."""
    try:
        status = path.stat()
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def _extension(source: Path, extension: str | None, film_extension: FilmExtension) -> str:
    if source.suffix.lower() in FILM_EXTENSIONS:
        return film_extension(source)
    return result_extension(source) if extension is None else extension


def _target(found: Found, version: Version, out: Path | None, chosen: str, *, full: bool) -> Path:
    name, suffix = found.relative.name, found.relative.suffix
    if chosen.lower() == suffix.lower():
        full, chosen = False, suffix
    stem = name if full else found.relative.stem
    label = f".{version.label}" if version.label else ""
    if out is None:
        return found.source.with_name(f"{stem}{label}{BESIDE}{chosen}")
    return (out / found.relative).with_name(f"{stem}{label}{chosen}")


def _key(paths: Collection[Path], out: Path) -> Callable[[Path], str]:
    """One text for all paths that are one file. The file system is asked (and written to) only where that matters."""
    if len({folded(str(path)) for path in paths}) == len(paths):
        return str
    folds_case, folds_accents = folds(out)
    if folds_case:
        return lambda path: folded(str(path))
    return (lambda path: unicodedata.normalize("NFC", str(path))) if folds_accents else str


def folds(folder: Path) -> tuple[bool, bool]:
    """Whether the file system there takes É for é, and É for E with an accent; (False, False) where nobody can tell.

    A hidden file is made and removed in the folder, or in the nearest above it that is there.
    """
    while not os.path.isdir(folder) and folder != folder.parent:  # noqa: PTH112 - Path.is_dir may raise
        folder = folder.parent
    try:
        with NamedTemporaryFile(prefix=".colorize-\u00c9", dir=folder) as file:
            probe = Path(file.name)
            others = (probe.name.casefold(), unicodedata.normalize("NFD", probe.name))
            case, accents = (os.path.lexists(probe.with_name(name)) for name in others)
            return case, accents
    except OSError:  # nothing can be written: no result will meet another
        return False, False
