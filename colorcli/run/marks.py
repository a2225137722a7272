"""What the ledger knows a job by: its source, its settings, its files; and where a job stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from colorcli.items import Job
from colorcli.media.places import match_paths, results_of, sha256_of


class Standing(Enum):
    """What the ledger knows of a job before it is done."""

    NEW = "new"
    DONE = "done"  # same content, settings and weights, and the result is there
    STALE = "stale"  # we made the result, but of other content or settings, or it was cut off: made again
    KEPT = "kept"  # a result in its photo's own place, of other settings: there is no photo to make it of again
    FOREIGN = "foreign"  # a file is in the way that this tool did not make, or that was changed since


@dataclass(frozen=True, slots=True)
class Mark:
    """A source as the ledger identifies it."""

    content: str  # sha256 of its bytes
    source: str  # real path
    size: int  # bytes
    time: int  # ns, st_ctime: unlike st_mtime it cannot be set back
    settings: str  # sha256 of what else decides the result: settings, weights, hints, reference, segments, seed


class Look(NamedTuple):
    """What a look at a job found."""

    standing: Standing
    mark: Mark
    path: Path | str  # the result, or the comparison or picture beside it where that is what is foreign; or its URL


class Written(NamedTuple):
    """A file as whoever wrote it saw it."""

    size: int  # bytes
    time: int  # ns, st_mtime
    digest: str  # sha256 of its bytes


def written_at(path: Path) -> Written:
    """Errors: OSError."""
    facts = path.stat()
    return Written(facts.st_size, facts.st_mtime_ns, sha256_of(path))


def files_of(job: Job, compare: bool) -> tuple[Path, ...]:
    """All that a job writes. compare: each result has a comparison, but for one that several share."""
    if job.shows:
        return (job.target,)
    explaining = [path for path in (job.attention, job.stages) if path is not None]
    matches = () if job.matches is None else match_paths(job.matches)
    return (*results_of(job.target, compare and job.together is None), *explaining, *matches)


def settings_key(settings: Mapping[str, Any]) -> str:
    """One hash for everything besides the source that decides a result's pixels and metadata."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
