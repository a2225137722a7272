"""Photos on their way: fetched to this machine before they are coloured, results delivered after."""

from __future__ import annotations

import glob
import os
import platform
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from colorcli.errors import PhotoError
from colorcli.items import Failure, Finished, Job
from colorcli.media.films.kinds import is_film
from colorcli.media.places import sha256_of
from colorcli.media.remote.places import Remote
from colorcli.media.remote.search import FILM
from colorcli.media.remote.store import Store
from colorcli.run.marks import Written, files_of, written_at


class Ferry:
    """Fetches and delivers for one process. Safe to use from several threads.

    A remote photo's copy, and its result's, lie in the run's working folder from `fetch` until `deliver` or `drop`.
    """

    def __init__(self, remote: Remote, driver: Remote, compare: bool) -> None:
        """remote: the folders as this process has them; driver: as those have them who give it jobs."""
        self._remote, self._driver, self._compare = remote, driver, compare
        self.source = None if remote.source is None else Store(remote.source)
        self.out = None if remote.out is None else Store(remote.out)
        self._seen: dict[Path, Written] = {}  # remote photos that are here, as they were fetched

    def here(self, job: Job) -> Job:
        """The job with this process' paths."""
        return self._driver.moved_job(job, self._remote)

    def fetch(self, job: Job) -> Job:
        """The job with its photo on this machine. Errors: PhotoError; ColorizeError, as of `Store`."""
        here = self.here(job)
        name = self._remote.source_name(here)
        if self.source is None or name is None:
            return here
        try:
            facts = self.source.fetch(name, here.source)
            self._seen[here.source] = Written(facts.size, facts.stamp, sha256_of(here.source))
        except FileNotFoundError:
            raise PhotoError("it is not there any more") from None
        except OSError as error:
            raise PhotoError(f"it cannot be fetched: {error.strerror or error}") from error
        if is_film(here.source, here.target):  # an animation, which its name does not say
            self.drop(here)
            raise PhotoError(FILM)
        return here

    def deliver(self, made: Finished) -> tuple[Written, ...]:
        """Deliver what a job wrote. Of each file what is there then, and before these of a remote photo what was read.

        Errors: PhotoError; ColorizeError, as of `Store`.
        """
        job = made.job
        try:
            written = [self._delivered(path) for path in files_of(job, self._compare)]
        except OSError as error:
            raise PhotoError(f"the result cannot be delivered: {error.strerror or error}") from error
        seen = self._seen.get(job.source)
        return tuple(written if seen is None else [seen, *written])

    def _delivered(self, path: Path) -> Written:
        name = self._remote.result_name(path)
        if self.out is None or name is None:
            return written_at(path)
        facts = self.out.deliver(path, name)
        return Written(facts.size, facts.stamp, sha256_of(path))

    def drop(self, job: Job) -> None:
        """Remove the copies that were made for a job."""
        if self._remote.source_name(job) is not None:
            self._seen.pop(job.source, None)
            _remove(job.source)
        for path in files_of(job, self._compare):
            if self._remote.result_name(path) is not None:
                _remove(path)

    def hurry(self) -> None:
        """Try nothing again from now on."""
        for store in (self.source, self.out):
            if store is not None:
                store.hurry()

    def close(self) -> None:
        """Remove the working folder, and end the connections."""
        for store in (self.source, self.out):
            if store is not None:
                store.close()
        shutil.rmtree(self._remote.work, ignore_errors=True)

    # several at once, one after the other

    def fetched(self, jobs: Sequence[Job]) -> tuple[list[Job], list[tuple[Failure, tuple[Written, ...]]]]:
        """The jobs whose photos are here, and the failures of the others. Errors: ColorizeError."""
        here: list[Job] = []
        failures: list[tuple[Failure, tuple[Written, ...]]] = []
        for job in jobs:
            try:
                here.append(self.fetch(job))
            except PhotoError as error:
                failures.append((job.failed("fetch", str(error)), ()))
        return here, failures

    def delivered(self, outcome: Finished | Failure, job: Job) -> tuple[Finished | Failure, tuple[Written, ...]]:
        """The outcome of a job, as it was given, with what was delivered. Errors: ColorizeError."""
        try:
            written = self.deliver(outcome) if isinstance(outcome, Finished) else ()
            return outcome_as(outcome, job), written
        except PhotoError as error:
            return job.failed("deliver", str(error)), ()


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def worker_folder(state: Path) -> Path:
    """A working folder of this process alone; those of processes that are no more are removed."""
    node = platform.node()  # nodes may share the folder
    for folder in state.glob(f"{glob.escape(node)}-*"):
        process = folder.name.rpartition("-")[2]
        if process.isdigit() and not _lives(int(process)):
            shutil.rmtree(folder, ignore_errors=True)
    return state / f"{node}-{os.getpid()}"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def outcome_as(outcome: Finished | Failure, job: Job) -> Finished | Failure:
    """The outcome of a job that was worked on under other paths."""
    if isinstance(outcome, Failure):
        return replace(outcome, name=job.name)
    return replace(outcome, job=replace(job, reference=outcome.job.reference))
