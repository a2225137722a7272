"""Which of a run's folders are remote, and where on this machine their files lie for a while."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from colorcli.items import Job
from colorcli.media.places import LEDGER
from colorcli.media.remote.address import Address
from colorcli.media.remote.store import Facts

_IN, _OUT = "in", "out"


def state_home() -> Path:
    """Where this machine keeps what lasts longer than a run."""
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 - may have no home
    return Path(home, "colorize")


def state_folder(out: Address) -> Path:
    """Where this machine keeps what belongs to a remote output folder: the ledger, and photos on their way."""
    return state_home() / hashlib.sha256(out.identity.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Remote:
    """The folders of a run of which at least one is remote. A job's paths lie in the folders that stand for these."""

    source: Address | None  # of the input; None: it lies on this machine
    out: Address | None  # of the results; None: they lie on this machine
    state: Path  # absolute: what is kept between runs
    work: Path  # absolute: photos on their way
    facts: Mapping[str, Facts] = field(default_factory=dict, repr=False)  # of the remote photos when they were found

    @staticmethod
    def of(source: Address | None, out: Address | None, local_out: Path) -> Remote:
        """local_out: the folder of the results where these are not remote."""
        state = Path(os.path.abspath(local_out / LEDGER.parent)) if out is None else state_folder(out)  # noqa: PTH100
        return Remote(source, out, state, state / "work")

    @property
    def stand_in(self) -> Path:
        """The folder that stands for the remote input."""
        return self.work / _IN

    @property
    def out_stand_in(self) -> Path:
        """The folder that stands for the remote output."""
        return self.work / _OUT

    def source_name(self, job: Job) -> str | None:
        """The path below the remote input of a job's photo; None where it lies on this machine."""
        return None if self.source is None else _below(job.source, self.stand_in)

    def result_name(self, path: Path) -> str | None:
        """The path below the remote output of what a job writes; None where it lies on this machine."""
        return None if self.out is None else _below(path, self.out_stand_in)

    def moved(self, work: Path) -> Remote:
        """The same for another process, which has photos on their way in a folder of its own."""
        return replace(self, work=work, facts={})

    def moved_job(self, job: Job, other: Remote) -> Job:
        """The job of a run with these folders for one with `other`s."""
        source, target = self.source_name(job), self.result_name(job.target)
        return replace(
            job,
            source=job.source if source is None else other.stand_in / source,
            target=job.target if target is None else other.out_stand_in / target,
        )


def _below(path: Path, folder: Path) -> str | None:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None
