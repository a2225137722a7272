"""Inputs of which some lie elsewhere -> jobs whose files are here for a while."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from colorcli.errors import UsageError
from colorcli.items import Failure, Job
from colorcli.media.discover import Discovery, discover
from colorcli.media.films.kinds import is_film
from colorcli.media.remote.address import Address, is_url
from colorcli.media.remote.places import Remote
from colorcli.media.remote.search import FILM, find_far_photos
from colorcli.media.remote.store import Store
from colorcli.media.sidecars import Sidecars
from colorcli.media.targets import STAGE, Versions, make_jobs, one_version
from colorcli.run.request import Request


def discover_far(
    inputs: Sequence[str],
    out: str | None,
    request: Request,
    *,
    recursive: bool,
    extension: str | None,
    compare: bool,
    versions: Versions = one_version,
    references: Collection[str] = (),
) -> tuple[Discovery, Path, Remote]:
    """As `discover`, with a folder that lies elsewhere as input, as output, or as both.

    Returns also the folder of the results, or the one that stands for it, and which folders are remote.
    Errors: UsageError, also for what remote folders are not for; GoneError.
    """
    source = _far_input(inputs)
    _refuse_unable(out, request)
    target = Address(out) if out is not None and is_url(out) else None
    if target is not None:
        with closing(Store(target)) as store:
            store.check_takes_results()
    only = None
    if source is not None:
        source, only = _folder_of(source)
    remote = Remote.of(source, target, Path(out or ""))
    place = remote.out_stand_in if target is not None else Path(os.path.abspath(out or ""))  # noqa: PTH100
    if source is None:
        found = discover(
            inputs,
            place,
            recursive=recursive,
            extension=extension,
            compare=compare,
            versions=versions,
            references=references,
        )
    else:
        with closing(Store(source)) as store:
            identity = None if target is None else target.identity
            hints = request.spec.takes_hints
            far = find_far_photos(store, only, remote.stand_in, identity, recursive=recursive, hints=hints)
        remote = replace(remote, facts=far.facts)
        sources = {str(photo.source) for photo in far.found}
        jobs, failures = make_jobs(far.found, {*sources, *references}, Sidecars(), place, extension, compare, versions)
        found = Discovery(jobs, far.failures + failures, far.skipped)
    return _with_places(found, remote), place, remote


def _far_input(inputs: Sequence[str]) -> Address | None:
    """The remote input; None where all lie on this machine."""
    far = [Address(text) for text in inputs if is_url(text)]
    if not far:
        return None
    if len(inputs) > 1:
        raise UsageError(f"{far[0]} is a remote folder: it is the only input of a run; colour the others by themselves")
    return far[0]


def _folder_of(source: Address) -> tuple[Address, str | None]:
    """A remote folder; of a file its folder, and its name."""
    with closing(Store(source)) as store:
        try:
            return source.above if store.is_file() else (source, None)
        except FileNotFoundError:
            pattern = "; patterns are not for remote folders" if glob.has_magic(source.path) else ""
            raise UsageError(f"{source} is not there; check the spelling{pattern}") from None


def _refuse_unable(out: str | None, request: Request) -> None:
    if request.in_place:
        raise UsageError("--in-place is for photos of this machine; name a folder with -o")
    if out is None:
        raise UsageError("results do not lie beside remote photos; name a folder with -o")
    for option, asked in (("--segments", request.segments is not None), ("--save-...", request.explains)):
        if asked:
            raise UsageError(f"{option} is for folders of this machine; leave it out with remote ones")


def _with_places(found: Discovery, remote: Remote) -> Discovery:
    """The jobs as reports call them; of films, and of what several photos would share, failures."""
    if any(job.together is not None for job in found.jobs):
        raise UsageError("--compare with several results of a photo is for folders of this machine; leave it out")
    jobs: list[Job] = []
    failures = list(found.failures)
    for job in found.jobs:
        if is_film(job.source, job.target):
            failures.append(Failure(job.name, STAGE, FILM, job.reference))
            continue
        name = remote.result_name(job.target)
        jobs.append(job if remote.out is None or name is None else replace(job, url=remote.out.below(name)))
    return Discovery(jobs, failures, found.skipped)
