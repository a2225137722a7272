"""What goes between the driver of a run on a cluster and its workers; paths are absolute, as folders differ there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from colorcli.errors import ColorizeError
from colorcli.items import Failure, Finished, Job, Reference, Segments
from colorcli.run.marks import Written

if TYPE_CHECKING:
    from colorcli.run.request import Request

P = TypeVar("P", Path, Path | None)


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker has to know before its first errand."""

    request: Request  # with the device and the precision of every worker named
    settings: str  # the ledger's key: a worker of another version, or with other weights, has another one
    visible: tuple[Path, ...]  # files of the run's folders, which every node has to see
    segments: Segments | None  # as all jobs have them
    cores: int  # of its node that it may use


@dataclass(frozen=True, slots=True)
class Ready:
    """What a worker says before its first errand."""

    node: str
    process: int  # its id there
    error: ColorizeError | None  # why it cannot work


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an errand: the outcomes of its jobs in the order in which they came, each under its job's name."""

    outcomes: tuple[tuple[Finished | Failure, tuple[Written, ...]], ...]  # with what was written, as of `files_of`
    said: tuple[str, ...]  # for a person
    fatal: ColorizeError | None  # why the run cannot go on; jobs may be without an outcome then


def absolute_job(job: Job, name: str) -> Job:
    """The job under another name, for a process that works in another folder."""
    return replace(
        job,
        name=name,
        source=_absolute(job.source),
        target=_absolute(job.target),
        sidecar=_absolute(job.sidecar),
        attention=_absolute(job.attention),
        matches=_absolute(job.matches),
        stages=_absolute(job.stages),
        reference=None if job.reference is None else _absolute_reference(job.reference),
        segments=absolute_segments(job.segments),
        together=_absolute(job.together),
    )


def absolute_segments(segments: Segments | None) -> Segments | None:
    """The same, as of `absolute_job`."""
    if segments is None:
        return None
    return replace(segments, target=_absolute(segments.target), reference=_absolute(segments.reference))


def absolute_request(request: Request) -> Request:
    """The same, as of `absolute_job`, as far as a worker looks at it."""
    weights = tuple(map(_absolute, request.weights))
    return replace(request, weights=weights, choices=tuple(map(_absolute_reference, request.choices)))


def _absolute_reference(reference: Reference) -> Reference:
    return replace(reference, path=_absolute(reference.path))


def _absolute(path: P) -> P:
    return path if path is None else Path(os.path.abspath(path))  # noqa: PTH100 - links stay
