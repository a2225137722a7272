"""Inputs -> jobs: which files are read, and where each result goes."""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from colorcli.items import Failure, Job
from colorcli.media.formats import FILM_EXTENSIONS, PHOTO_EXTENSIONS, result_extension

_STAGE = "discover"
_HINTS = ".hints.png"  # a photo's sidecar with colour hints


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the inputs hold."""

    jobs: list[Job]
    failures: list[Failure]
    skipped: list[str]  # names of files in folders that are no photos


@dataclass(frozen=True, slots=True)
class _Found:
    """A photo and its place below the output folder, before the extension is chosen."""

    source: Path
    relative: PurePosixPath


@dataclass(slots=True)
class _Search:
    """The state of one discovery."""

    out: str  # resolved; never read
    recursive: bool
    found: list[_Found] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    folders: set[tuple[int, int]] = field(default_factory=set)  # device and inode: symlink loops end
    sources: set[str] = field(default_factory=set)  # resolved: nothing is coloured twice

    def fail(self, name: str, reason: str) -> None:
        self.failures.append(Failure(name, _STAGE, reason))


def discover(inputs: Sequence[str], out: Path, *, recursive: bool = True, extension: str | None = None) -> Discovery:
    """Find the photos that `inputs` name and give each a target below `out`.

    inputs: files, folders, glob patterns. The contents of a single folder lie directly under `out`, those of several
    each under its folder's name, single files by their own name. `extension` (".png") replaces the source's; where
    two results would then meet, they keep their full names (`a.jpg.png`). Order: inputs as given, folders by name.
    Whatever cannot be a job is a Failure or, if it is a non-photo in a folder, in `skipped`. Never raises OSError.
    """
    search = _Search(os.path.realpath(out), recursive)
    paths = list(_expand(inputs, search))
    several = sum(_is_folder(path) for path in paths) > 1
    for path in paths:
        if _is_folder(path):
            prefix = PurePosixPath(Path(os.path.realpath(path)).name) if several else PurePosixPath()
            _walk(path, prefix, search)
        else:
            _take_named(path, search)
    return Discovery(_place(search, out, extension), search.failures, search.skipped)


def _expand(inputs: Sequence[str], search: _Search) -> Iterator[Path]:
    for text in inputs:
        if os.path.lexists(text) or not glob.has_magic(text):
            yield Path(text)
            continue
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - patterns may be absolute
        if not matches:
            search.fail(text, "no file matches this pattern; check the folder and the spelling")
        yield from (Path(match) for match in matches)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # no permission, a name too long: reported when the path is taken as a file
        return False


def _take_named(path: Path, search: _Search) -> None:
    """A path that the user named: whatever it is, it becomes a job or a failure."""
    suffix = path.suffix.lower()
    if not os.path.lexists(path):
        search.fail(str(path), "not found; expected a photo, a folder or a pattern, check the spelling")
    elif suffix in FILM_EXTENSIONS:
        search.fail(str(path), "films are not supported yet")
    elif suffix not in PHOTO_EXTENSIONS and path.is_file():
        search.fail(str(path), f"not a photo format ({suffix or 'no extension'}); expected {_expected()}")
    else:
        _take(path, PurePosixPath(path.name), str(path), search)


def _expected() -> str:
    return "one of " + " ".join(sorted(PHOTO_EXTENSIONS))


def _walk(folder: Path, prefix: PurePosixPath, search: _Search) -> None:
    pending = [(folder, prefix)]
    while pending:
        current, relative = pending.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in search.folders:
                continue
            search.folders.add((status.st_dev, status.st_ino))
            entries = sorted(entry.name for entry in current.iterdir())
        except OSError as error:
            search.fail(str(relative), f"the folder cannot be read ({error.strerror}); check its permissions")
            continue
        folders = []
        for name in entries:
            path = current / name
            if not _is_folder(path):
                _take_listed(path, relative / name, search)
            elif search.recursive and not name.startswith(".") and os.path.realpath(path) != search.out:
                folders.append((path, relative / name))
        pending += reversed(folders)  # a stack: the first name is walked first


def _take_listed(path: Path, relative: PurePosixPath, search: _Search) -> None:
    """A file in a folder: a job or a failure if it claims to be a photo or a film, else skipped."""
    suffix = path.suffix.lower()
    hidden = path.name.startswith(".")  # also the "._a.jpg" that macOS leaves on foreign disks
    if not hidden and suffix in FILM_EXTENSIONS:
        search.fail(str(relative), "films are not supported yet")
    elif hidden or suffix not in PHOTO_EXTENSIONS or path.name.lower().endswith(_HINTS):
        search.skipped.append(str(relative))
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
    elif resolved not in search.sources:
        search.sources.add(resolved)
        search.found.append(_Found(path, relative))


def _place(search: _Search, out: Path, extension: str | None) -> list[Job]:
    """Targets: the stem with the new extension, full names where those meet; what still meets fails by name."""
    targets = [_renamed(found, extension, full=False) for found in search.found]
    meetings = Counter(targets)
    targets = [
        _renamed(found, extension, full=True) if meetings[target] > 1 else target
        for found, target in zip(search.found, targets, strict=True)
    ]
    jobs: list[Job] = []
    owners: dict[PurePosixPath, Path] = {}
    for found, target in zip(search.found, targets, strict=True):
        path = out / target
        if target in owners:
            search.fail(str(found.source), f"its result would be {path}, as {owners[target]}'s is; colour them apart")
        elif os.path.realpath(path) in search.sources:
            search.fail(str(found.relative), f"its result would replace the photo {path}; choose another output folder")
        else:
            owners[target] = found.source
            jobs.append(Job(found.source, path, str(found.relative)))
    return jobs


def _renamed(found: _Found, extension: str | None, *, full: bool) -> PurePosixPath:
    chosen = result_extension(found.source) if extension is None else extension
    if chosen.lower() == found.relative.suffix.lower():
        return found.relative
    return found.relative.with_name(found.relative.name + chosen) if full else found.relative.with_suffix(chosen)
