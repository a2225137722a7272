"""Inputs -> jobs: which photos and films are read, and where each result goes."""

from __future__ import annotations

import glob
import os
import stat
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from colorcli.errors import UsageError
from colorcli.items import Failure, Job
from colorcli.media.beside import is_result_beside, kind_beside_photos
from colorcli.media.formats import FILM_EXTENSIONS, PHOTO_EXTENSIONS
from colorcli.media.in_place import jobs_in_place
from colorcli.media.places import HINTS, LEDGER
from colorcli.media.remote.address import Address, is_url
from colorcli.media.sidecars import Sidecars, folded
from colorcli.media.targets import (
    STAGE,
    FilmExtension,
    Found,
    Versions,
    identity,
    make_jobs,
    one_version,
    own_extension,
)

_TAKEN = PHOTO_EXTENSIONS | FILM_EXTENSIONS
UNUSED_HINTS = "colour hints, but no photo of that name"  # why a sidecar is in `Discovery.skipped`
_NO_PHOTO = "a film; expected photos, as stills of it are"
REFERENCE = "a reference"  # why a photo is
OLDER_OUTPUT = "an output folder of an earlier run; name it as an input to colour what is in it"
_IN_OUTPUT = "lies in the output folder"
_BESIDE_RESULT = "a result of an earlier run, beside its photo"


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was passed over, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the inputs hold."""

    jobs: list[Job]
    failures: list[Failure]
    skipped: list[Skipped]  # files in folders that are none of these, older output folders, the output folder itself


@dataclass(frozen=True, slots=True)
class _Input:
    """One thing to read; a pattern's matches come with their place below the output folder."""

    path: Path
    place: PurePosixPath | None


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    relative: PurePosixPath
    name: str  # in failures


@dataclass(slots=True)
class _Search:
    """The state of one discovery."""

    out: str | None  # resolved; never read. None: there is no such folder
    recursive: bool
    references: Collection[str] = ()  # resolved: no photos to colour
    films: bool = True  # are taken, too
    named_results: bool = False  # results beside their photos are taken where they are named
    found: list[Found] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: dict[Skipped, None] = field(default_factory=dict)  # a set that keeps its order
    folders: set[tuple[int, int]] = field(default_factory=set)  # device and inode: symlink loops end
    links: deque[_Folder] = field(default_factory=deque)  # walked last, so that no link hides the real folder
    sources: set[str] = field(default_factory=set)  # resolved: never replaced
    places: set[tuple[str, PurePosixPath]] = field(default_factory=set)  # resolved source and place: taken once
    sidecars: Sidecars = field(default_factory=Sidecars)

    def fail(self, name: str, reason: str) -> None:
        self.failures.append(Failure(name, STAGE, reason))

    def skip(self, name: str, reason: str) -> None:
        self.skipped[Skipped(name, reason)] = None


def discover(
    inputs: Sequence[str],
    out: Path | None,
    *,
    recursive: bool = True,
    extension: str | None = None,
    film_extension: FilmExtension = own_extension,
    compare: bool = False,
    versions: Versions = one_version,
    references: Collection[str] = (),
    in_place: bool = False,
) -> Discovery:
    """Find the photos and films that `inputs` name and give each a target below `out`.

    inputs: files, folders, glob patterns. The contents of a folder that is the sole input lie directly under `out`,
    otherwise each folder's under its name; a pattern's matches by their path below its part without wildcards; files
    by their own name or, where two of those are equal, by their path below the folder that all of them share.
    `extension` (".png") replaces a photo's, `film_extension` tells a film's; where two results
    would then meet, they keep their full names (`a.jpg.png`). `compare`: each result's comparison takes its place too.
    Order: inputs as given, folders by name, linked folders last, and those only if not read already. A sidecar with
    colour hints goes with its photo's job; it is skipped as a photo, also where it was named.
    Nothing in `out` is read, nor an older output folder inside an input. Whatever cannot be a job is a Failure or, if
    it is a non-photo in a folder, in `skipped`; so are `out` and what it holds among other inputs, once an earlier run
    wrote there: a shell's `in/*` names `in/out` too. Never raises OSError.
    Without `out` a result lies beside its photo as `a.colorized.jpg`; those of an earlier run are skipped.
    versions: the results that a photo gets, each of one reference; those meet and are kept apart like any others.
    references: resolved paths that are skipped and never replaced.
    in_place: without `out` a result takes its photo's own place; `versions` then gives one.
    Errors: UsageError if `out` is the only input, or an input folder that no earlier run wrote to.
    """
    search = _Search(None if out is None else os.path.realpath(out), recursive, references)
    _search_in(inputs, search)
    sources = {*search.sources, *references}
    if in_place:
        jobs, failures = jobs_in_place(search.found, sources, search.sidecars, compare, versions)
    else:
        jobs, failures = make_jobs(
            search.found, sources, search.sidecars, out, extension, compare, versions, film_extension
        )
    return Discovery(jobs, search.failures + failures, list(search.skipped))


def find_photos(inputs: Sequence[str], *, recursive: bool) -> tuple[list[Found], list[Failure]]:
    """The photos that `inputs` name, as `discover` finds them, and what cannot be read.

    Results that lie beside their photos are among them only where they are named.
    """
    search = _Search(None, recursive, films=False, named_results=True)
    _search_in(inputs, search)
    return search.found, search.failures


def _search_in(inputs: Sequence[str], search: _Search) -> None:
    for text in inputs:
        if is_url(text):
            raise UsageError(f"{Address(text)}: remote folders are for `colorize auto` and the targets of `exemplar`")
    given = list(_expand(inputs, search))
    places = _file_places([item.path for item in given if item.place is None])
    for path, place in ((item.path, item.place) for item in given):
        if not _is_folder(path):
            _take_named(path, place or places.get(path, PurePosixPath(path.name)), search)
            continue
        if place is None:
            place = PurePosixPath(Path(os.path.realpath(path)).name if len(inputs) > 1 else "")
        folder = _Folder(path, place, str(path))
        if path.is_symlink():
            search.links.append(folder)
        else:
            _walk(folder, search)
    while search.links:
        _walk(search.links.popleft(), search)


def _expand(inputs: Sequence[str], search: _Search) -> Iterator[_Input]:
    inside = {text for text in inputs if os.path.lexists(text) and _is_inside(Path(text), search.out)}
    passed_over = (
        inside if search.out and _may_be_passed_over(Path(search.out)) and len(inside) < len(set(inputs)) else set()
    )
    for text in inputs:
        if not os.path.lexists(text) and glob.has_magic(text):
            yield from _matches(text, search)
            continue
        path = Path(text)
        is_out = text in inside and _is_folder(path) and identity(path) == identity(Path(search.out or ""))
        if text in passed_over:
            search.skip(str(path), "the output folder" if is_out else _IN_OUTPUT)
        elif is_out:
            raise UsageError(f"{path}: the results would lie among the photos; choose another -o")
        elif text in inside:
            search.fail(str(path), f"{_IN_OUTPUT}; choose another -o")
        else:
            yield _Input(path, None)


def _matches(pattern: str, search: _Search) -> Iterator[_Input]:
    matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - may be absolute
    outside = [path for path in matches if not _is_inside(path, search.out)]
    if not matches:
        search.fail(pattern, "no file matches this pattern; check the folder and the spelling")
    elif not outside:
        search.fail(pattern, "all that matches this pattern lies in the output folder; choose another -o")
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    for path in outside:
        below = [Path(*path.parts[:end]) for end in range(fixed + 1, len(path.parts) + 1)]
        older = next((str(folder) for folder in below if _is_output(folder)), None)
        if older is None:
            place = PurePosixPath(os.path.normpath(PurePosixPath(*path.parts[fixed:])))
            yield _Input(path, PurePosixPath(path.name) if ".." in place.parts else place)
        else:
            search.skip(older, OLDER_OUTPUT)


def _file_places(paths: list[Path]) -> dict[Path, PurePosixPath]:
    """Places of named files: their names or, if two of those are equal, paths below the folder they share."""
    photos = [path for path in paths if path.suffix.lower() in _TAKEN and os.path.lexists(path)]
    photos = [path for path in photos if kind_beside_photos(path) is None and not _is_folder(path)]
    sources: defaultdict[str, set[str]] = defaultdict(set)
    for path in photos:
        sources[path.name].add(os.path.realpath(path))
    if all(len(same) == 1 for same in sources.values()):
        return {path: PurePosixPath(path.name) for path in photos}
    folders = {path: os.path.realpath(path.parent) for path in photos}
    shared = os.path.commonpath(folders.values())
    return {path: PurePosixPath(Path(folder).relative_to(shared) / path.name) for path, folder in folders.items()}


def _is_inside(path: Path, out: str | None) -> bool:
    """Whether the path is `out` or lies below it, in whatever case it is written where the file system folds case."""
    if out is None:
        return False
    above = Path(*Path(os.path.realpath(path)).parts[: len(Path(out).parts)])
    return str(above) == out or (folded(str(above)) == folded(out) and identity(above) == identity(Path(out)))


def _is_output(folder: Path) -> bool:
    return os.path.lexists(folder / LEDGER)


def _may_be_passed_over(out: Path) -> bool:
    """Whether the output folder holds no photos of the user's: it is an earlier run's, or empty."""
    try:
        return _is_output(out) or not any(out.iterdir())
    except OSError:  # not there yet, or no folder
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # no permission, a name too long: reported when the path is taken as a file
        return False


def _take_named(path: Path, place: PurePosixPath, search: _Search) -> None:
    """A path that the user named: it becomes a job or a failure, unless it is hints or the like."""
    suffix = path.suffix.lower()
    if not os.path.lexists(path):
        search.fail(str(path), "not found; expected a photo, a film, a folder or a pattern, check the spelling")
    elif suffix in FILM_EXTENSIONS and not search.films:
        search.fail(str(path), _NO_PHOTO)
    elif suffix not in _TAKEN and path.is_file():
        what, known = ("photo or film", _TAKEN) if search.films else ("photo", PHOTO_EXTENSIONS)
        expected = " ".join(sorted(known))
        search.fail(str(path), f"not a {what} format ({suffix or 'no extension'}); expected one of {expected}")
    elif kind := kind_beside_photos(path):  # `photos/*` names them too
        _skip_beside_photos(path, str(path), kind, search)
    elif not search.named_results and is_result_beside(path):
        search.skip(str(path), _BESIDE_RESULT)
    else:
        _take(path, place, str(path), search)


def _skip_beside_photos(path: Path, name: str, kind: str, search: _Search) -> None:
    unused = path.name.lower().endswith(HINTS) and not search.sidecars.has_photo(path)
    search.skip(name, UNUSED_HINTS if unused else kind)


def _walk(root: _Folder, search: _Search) -> None:
    pending = [root]
    while pending:
        current = pending.pop()
        try:
            status = current.path.stat()
            if (status.st_dev, status.st_ino) in search.folders:
                continue
            search.folders.add((status.st_dev, status.st_ino))
            entries = sorted(entry.name for entry in current.path.iterdir())
        except OSError as error:
            search.fail(current.name, f"the folder cannot be read ({error.strerror}); check its permissions")
            continue
        folders: list[_Folder] = []
        for name in entries:
            path, relative = current.path / name, current.relative / name
            if not _is_folder(path):
                _take_listed(path, relative, search)
            elif not search.recursive or name.startswith(".") or _is_inside(path, search.out):
                continue
            elif _is_output(path):
                search.skip(str(relative), OLDER_OUTPUT)
            else:
                (search.links if path.is_symlink() else folders).append(_Folder(path, relative, str(relative)))
        pending += reversed(folders)  # a stack: the first name is walked first


def _take_listed(path: Path, relative: PurePosixPath, search: _Search) -> None:
    """A file in a folder: a job or a failure if it claims to be a photo or a film, else skipped."""
    suffix = path.suffix.lower()
    hidden = path.name.startswith(".")  # also the "._a.jpg" that macOS leaves on foreign disks
    if not hidden and suffix in FILM_EXTENSIONS and not search.films:
        search.fail(str(relative), _NO_PHOTO)
    elif kind := kind_beside_photos(path):
        _skip_beside_photos(path, str(relative), kind, search)
    elif hidden or suffix not in _TAKEN:
        search.skip(str(relative), "a hidden file" if hidden else "not a photo" + " or film" * search.films)
    elif is_result_beside(path):
        search.skip(str(relative), _BESIDE_RESULT)
    else:
        _take(path, relative, str(relative), search)


def _take(path: Path, relative: PurePosixPath, name: str, search: _Search) -> None:
    try:
        status = path.stat()
    except OSError as error:  # a broken link, a loop of links, a folder without permission
        search.fail(name, f"cannot be opened ({error.strerror}); check the link or the permissions")
        return
    resolved = os.path.realpath(path)
    if not stat.S_ISREG(status.st_mode):
        search.fail(name, "not a regular file (a pipe, socket or device); expected a photo")
    elif status.st_size == 0:
        search.fail(name, "the file is empty; copy or scan it again")
    elif not os.access(path, os.R_OK):
        search.fail(name, "the file may not be read; check its permissions")
    elif _is_inside(path, search.out):  # a link in a folder; named paths were judged before
        search.skip(name, _IN_OUTPUT)
    elif resolved in search.references:
        search.skip(name, REFERENCE)
    elif (resolved, relative) not in search.places:
        search.places.add((resolved, relative))
        search.sources.add(resolved)
        search.found.append(Found(path, relative))
