"""Found photos -> jobs: where each result goes, so that no two meet and no photo is replaced."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile

from colorcli.items import Failure, Job
from colorcli.media.formats import result_extension
from colorcli.media.places import results_of
from colorcli.media.sidecars import Sidecars, folded

STAGE = "discover"


@dataclass(frozen=True, slots=True)
class Found:
    """A photo and its place below the output folder, before the extension is chosen."""

    source: Path
    relative: PurePosixPath


def make_jobs(
    photos: Sequence[Found],
    sources: Collection[str],
    sidecars: Sidecars,
    out: Path,
    extension: str | None,
    compare: bool,
) -> tuple[list[Job], list[Failure]]:
    """Targets: the stem with the new extension, full names where those meet; what still meets fails by name.

    sources: resolved paths that must not be replaced. extension: None for the source's. Names that differ in case or
    in the form of their accents meet where the file system of `out` takes them for one.
    """
    short = [_renamed(found, extension, full=False) for found in photos]
    full = [_renamed(found, extension, full=True) for found in photos]
    key = _key({claim for name in {*short, *full} for claim in results_of(out / name, compare)}, out)
    meetings = Counter(key(out / name) for name in short)
    jobs: list[Job] = []
    failures: list[Failure] = []
    owners: dict[str, Path] = {}
    for found, name, longer in zip(photos, short, full, strict=True):
        claims = results_of(out / (longer if meetings[key(out / name)] > 1 else name), compare)
        taken = next((path for path in claims if key(path) in owners), None)
        replaced = next((path for path in claims if os.path.realpath(path) in sources), None)
        if taken is not None:
            what = "result" if taken == claims[0] else "comparison"
            owner = owners[key(taken)]
            reason = f"its {what} would be {taken}, as {owner}'s result or comparison is; colour them apart"
            failures.append(Failure(str(found.source), STAGE, reason))
        elif replaced is not None:
            what = "result" if replaced == claims[0] else "comparison"
            reason = f"its {what} would replace the photo {replaced}; choose another output folder"
            failures.append(Failure(str(found.relative), STAGE, reason))
        else:
            owners |= dict.fromkeys(map(key, claims), found.source)
            jobs.append(Job(found.source, claims[0], str(found.relative), sidecars.of(found.source)))
    return jobs, failures


def _renamed(found: Found, extension: str | None, *, full: bool) -> PurePosixPath:
    chosen = result_extension(found.source) if extension is None else extension
    if chosen.lower() == found.relative.suffix.lower():
        return found.relative
    return found.relative.with_name(found.relative.name + chosen) if full else found.relative.with_suffix(chosen)


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
