"""A remote folder -> the photos in it, by the rules of `media/discover.py`, as far as a store can tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from colorcli.errors import ColorizeError, PhotoError, UsageError
from colorcli.items import Failure
from colorcli.media.beside import kind_beside_photos
from colorcli.media.discover import OLDER_OUTPUT, Skipped
from colorcli.media.formats import FILM_EXTENSIONS, PHOTO_EXTENSIONS
from colorcli.media.places import HINTS, LEDGER
from colorcli.media.remote.store import Entry, Facts, Store
from colorcli.media.sidecars import folded
from colorcli.media.targets import STAGE, Found

FILM = "a film; films are coloured from and into folders of this machine: copy it here"


@dataclass(slots=True)
class FarPhotos:
    """What a remote folder holds."""

    found: list[Found] = field(default_factory=list)  # with sources in the folder that stands for it here
    facts: dict[str, Facts] = field(default_factory=dict)  # of the photos, by their paths below the remote folder
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def find_far_photos(
    store: Store, only: str | None, stand_in: Path, out: str | None, *, recursive: bool, hints: bool
) -> FarPhotos:
    """The photos in a remote folder, by name, and what else is there.

    only: the one file of that folder that was asked for; None: all. stand_in: the folder of this machine that stands
    for it. out: the identity of the remote output folder, which is passed over. hints: a photo beside whose name lie
    colour hints fails, since they would not be seen.
    Errors: UsageError where there is no such folder, or it is the output; as of `Store`.
    """
    here = store.address.identity
    if out is not None and (here == out or here.startswith(f"{out}/")):
        raise UsageError(f"{store.address}: the results would lie among the photos; choose another -o")
    try:
        photos = FarPhotos()
        pending = [""]
        while pending:
            folder = pending.pop()
            try:
                entries = store.entries(folder)
            except (PhotoError, FileNotFoundError) as error:
                if not folder:
                    raise
                photos.failures.append(Failure(folder, STAGE, f"the folder cannot be read ({error})"))
                continue
            if folder and any(entry.name == LEDGER.parts[0] for entry in entries):
                photos.skipped.append(Skipped(folder, OLDER_OUTPUT))
                continue
            drawn = {folded(entry.name[: -len(HINTS)]) for entry in entries if entry.name.lower().endswith(HINTS)}
            files = [entry for entry in entries if entry.kind != "directory" and only in (None, entry.name)]
            _take_files(folder, files, stand_in, photos, drawn if hints else set())
            folders = [entry.name for entry in entries if entry.kind == "directory" and recursive and only is None]
            wanted = [_joined(folder, name) for name in folders if not name.startswith(".")]  # nor `..`
            pending += reversed([path for path in wanted if f"{here}/{path}" != out])
    except FileNotFoundError:
        raise UsageError(f"{store.address} is not there; expected a folder, check the spelling") from None
    except PhotoError as error:
        raise ColorizeError(str(error)) from error
    return photos


def _take_files(folder: str, files: list[Entry], stand_in: Path, photos: FarPhotos, drawn: set[str]) -> None:
    """drawn: what the photos are called, folded, that have hints which would not be seen."""
    for entry in files:
        name, suffix = _joined(folder, entry.name), PurePosixPath(entry.name).suffix.lower()
        hidden = entry.name.startswith(".")
        if kind := kind_beside_photos(Path(entry.name)):
            photos.skipped.append(Skipped(name, kind))
        elif not hidden and suffix in FILM_EXTENSIONS:
            photos.failures.append(Failure(name, STAGE, FILM))
        elif hidden or suffix not in PHOTO_EXTENSIONS:
            photos.skipped.append(Skipped(name, "a hidden file" if hidden else "not a photo"))
        elif entry.kind != "file":
            what = "not a regular file (a broken link, a pipe, a device); expected a photo"
            photos.failures.append(Failure(name, STAGE, what))
        elif entry.facts.size == 0:
            photos.failures.append(Failure(name, STAGE, "the file is empty; copy or scan it again"))
        elif folded(PurePosixPath(name).stem) in drawn:
            what = "its colour hints lie in a remote folder, where they are not read: copy both here"
            photos.failures.append(Failure(name, STAGE, what))
        else:
            photos.facts[name] = entry.facts
            photos.found.append(Found(stand_in / name, PurePosixPath(name)))


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
