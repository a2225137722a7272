"""Results that take the place of their own photos: which photos cannot give theirs, and what of the old file stays."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from colorcli.errors import PhotoError
from colorcli.items import Failure, Job
from colorcli.media.films.kinds import is_animation
from colorcli.media.formats import FILM_EXTENSIONS, format_of, result_extension
from colorcli.media.places import comparison_path
from colorcli.media.sidecars import Sidecars
from colorcli.media.targets import STAGE, Found, Versions, identity

_INSTEAD = "choose -o OUT in place of --in-place"


def jobs_in_place(
    photos: Sequence[Found], sources: Collection[str], sidecars: Sidecars, compare: bool, versions: Versions
) -> tuple[list[Job], list[Failure]]:
    """A job for each photo whose target is the photo itself; what cannot be one fails by name.

    sources: resolved paths of files that no comparison may replace. versions: one of each photo.
    """
    files = {identity(Path(path)) for path in sources}
    jobs: list[Job] = []
    failures: list[Failure] = []
    taken: dict[str, Path] = {}  # by their resolved paths
    for found in photos:
        photo = found.source
        try:
            if reason := _why_not(photo):
                raise PhotoError(f"{reason}, or {_INSTEAD}")
            (version,) = versions(found.relative)
            owner = taken.setdefault(os.path.realpath(photo), photo)
            if owner is not photo:
                raise PhotoError(f"it is {owner} under another path; name it once")
            if compare and identity(place := comparison_path(photo)) in files:
                raise PhotoError(f"its comparison would replace the photo {place}; {_INSTEAD}")
        except (PhotoError, OSError) as error:
            failures.append(Failure(str(found.relative), STAGE, str(error)))
            continue
        jobs.append(Job(photo, photo, str(found.relative), sidecars.of(photo), reference=version.reference))
    return jobs, failures


def _why_not(photo: Path) -> str | None:
    """Why no result can take this photo's place, and what to do; None where one can. Errors: OSError."""
    format = format_of(photo)
    if photo.is_symlink():
        return f"a link to {photo.readlink()}, which would become a file: name that one"
    if photo.suffix.lower() in FILM_EXTENSIONS or is_animation(photo):
        return "a film is not coloured in its place: leave it out"
    if format is None or not format.saver:
        return f"results cannot be written as {format.name if format else photo.suffix}: convert it"
    if result_extension(photo) != photo.suffix:
        return f"a {photo.suffix} file holds no colour: convert it"
    writable = photo.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    if not (writable and os.access(photo, os.W_OK)):  # its mode too: the superuser may write to all
        return "the file is read-only: allow writing"
    return None


def take_over(photo: Path, part: Path) -> None:
    """Give the file that is about to take a photo's place the photo's owner, permissions and extended attributes.

    Its time stays its own. What the system refuses is left out. Errors: OSError where a file cannot be looked at.
    """
    old, new = photo.stat(), part.stat()
    if hasattr(os, "chown"):
        with suppress(OSError):  # only the superuser gives files away
            os.chown(part, old.st_uid, old.st_gid)
    with suppress(OSError):
        shutil.copystat(photo, part)
    os.utime(part, ns=(new.st_atime_ns, new.st_mtime_ns))


def other_names(photo: Path) -> tuple[str, ...]:
    """A note where the file has further names; these keep the photo as it was. Errors: OSError."""
    further = photo.stat().st_nlink - 1
    return (f"{further} other name(s) of the file (hard links) keep the photo as it was",) if further else ()
