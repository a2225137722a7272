"""Comparisons that several results of one photo share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Failure, Finished, Job
from colorcli.media.comparison import write_shared
from colorcli.media.metadata.describe import Provenance
from colorcli.run.judge import Unchanged, judge
from colorcli.run.ledger import Ledgers


class Together:
    """Makes each shared comparison when the last of its results has its outcome. For one thread."""

    def __init__(
        self, jobs: Iterable[Job], ledgers: Ledgers, provenance: Provenance | None, *, overwrite: bool
    ) -> None:
        self._ledgers, self._provenance, self._overwrite = ledgers, provenance, overwrite
        self._jobs: defaultdict[Path, list[Job]] = defaultdict(list)
        for job in jobs:
            if job.together is not None:
                self._jobs[job.together].append(job)
        self._ended: defaultdict[Path, list[Path | None]] = defaultdict(list)  # results; None: there is none

    def after(self, outcome: Finished | Failure | Unchanged) -> Finished | Failure | Unchanged:
        """The outcome; a Failure in its place where it was the last and the comparison cannot be made.

        A comparison shows the results that there are, in their jobs' order. Errors: ColorizeError, as of a result.
        """
        job = None if isinstance(outcome, Failure) else outcome.job
        place = outcome.together if isinstance(outcome, Failure) else outcome.job.together
        if place is None:
            return outcome
        self._ended[place].append(None if job is None else job.target)  # a job may have found its reference meanwhile
        if len(self._ended[place]) < len(self._jobs[place]):
            return outcome
        ended = self._ended.pop(place)
        shown = tuple(one for one in self._jobs.pop(place) if one.target in ended)
        failure = self._made(Job(shown[0].source, place, shown[0].name, shows=shown)) if shown else None
        return failure if failure is not None and job is not None else outcome

    def _made(self, job: Job) -> Failure | None:
        judged = judge(job, self._ledgers, self._overwrite)
        if isinstance(judged, Unchanged):
            return None
        if isinstance(judged, Failure):
            return judged
        try:
            with self._ledgers.of(job) as ledger:
                before = ledger.begin(job, judged)
                try:
                    write_shared(job, self._provenance)
                except BaseException:
                    with suppress(ColorizeError):  # on a full disk the ledger cannot note it
                        ledger.abandon(before)
                    raise
                ledger.finish(job)
        except PhotoError as error:
            return job.failed("encode", str(error))
        return None
