"""One of the processes that colour the photos of a run on a cluster."""

from __future__ import annotations

import os
import platform
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from colorcli.errors import ColorizeError, UsageError
from colorcli.items import Failure, Finished, Job
from colorcli.loader import LoadedMethod
from colorcli.media.remote.places import state_home
from colorcli.media.remote.store import GoneError
from colorcli.run.engine import Engine
from colorcli.run.errand import Answer, Order, Ready
from colorcli.run.ferry import Ferry, worker_folder
from colorcli.run.judge import Unchanged
from colorcli.run.marks import Written, files_of, written_at
from colorcli.run.prepared import Prepared, local_run, prepare, references_of
from colorcli.stages.refer import References


class Worker:
    """Colours what it is handed by the local engine, with a network of its own. It keeps no ledger: its driver does."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._lock = threading.Lock()
        self._said: deque[str] = deque()

    def prepare(self) -> Ready:
        """Load the network, and see whether this node can take part in the run."""
        error: ColorizeError | None = None
        try:
            self._look_around()
        except ColorizeError as found:
            error = found
        self._said.clear()  # on which device, which its driver has said
        return Ready(platform.node(), os.getpid(), error)

    def _look_around(self) -> None:
        for path in self._order.visible:
            if not os.path.lexists(path):
                raise UsageError(
                    f"it does not see {path}; inputs, references, weights and -o must lie where all nodes see them"
                )
        if self._prepared.settings != self._order.settings:
            raise UsageError("it has another version of colorize, or other weights; install the same on all nodes")
        self._reach()

    def _reach(self) -> None:
        """Connect with remote folders. Errors: UsageError, also without a driver for them; GoneError."""
        with self._lock:
            _ = self._ferry

    @cached_property
    def _prepared(self) -> Prepared:
        return prepare(self._order.request, self._said.append)

    @cached_property
    def _engine(self) -> Engine:
        order = self._order
        return Engine.share(self._prepared.method.device, order.cores, batch=order.request.batch)

    @cached_property
    def _references(self) -> References | None:
        order = self._order
        return references_of(self._prepared.method, order.request, order.segments, self._said.append, made=_Lasting)

    @cached_property
    def _exact(self) -> LoadedMethod:
        return self._prepared.exact()

    def _loaded_exactly(self) -> LoadedMethod:
        with self._lock:
            return self._exact

    @cached_property
    def _ferry(self) -> Ferry | None:
        """Of a run with remote folders: each node fetches and delivers for itself."""
        request = self._order.request
        if request.remote is None:
            return None
        here = request.remote.moved(worker_folder(state_home() / "workers"))
        return Ferry(here, request.remote, request.compare)

    def colour(self, jobs: Sequence[Job]) -> Answer:
        """What becomes of these jobs. Safe to call from several threads, once `prepare` has returned."""
        with self._lock:
            references, ferry = self._references, self._ferry
        if ferry is None:
            return self._coloured(jobs, references, lambda outcome: _seen(outcome, self._order.request.compare))
        try:
            answer = self._ferried(jobs, references, ferry)
        except ColorizeError as error:
            answer = Answer((), (), error)
        finally:
            for job in jobs:
                ferry.drop(ferry.here(job))
        if isinstance(answer.fatal, GoneError):
            ferry.hurry()  # errands that wait need not try as long
        return answer

    def _ferried(self, jobs: Sequence[Job], references: References | None, ferry: Ferry) -> Answer:
        """As of `colour`, of photos that are fetched and results that are delivered. Errors: ColorizeError."""
        given = {job.name: job for job in jobs}
        here, failures = ferry.fetched(jobs)
        answer = self._coloured(here, references, lambda outcome: ferry.delivered(outcome, given[_name(outcome)]))
        return replace(answer, outcomes=(*failures, *answer.outcomes))

    def _coloured(
        self,
        jobs: Sequence[Job],
        references: References | None,
        told: Callable[[Finished | Failure], tuple[Finished | Failure, tuple[Written, ...]]],
    ) -> Answer:
        """told: what is answered of an outcome."""
        prepared = replace(self._prepared, exact=self._loaded_exactly)
        run = local_run(jobs, prepared, self._order.request, self._engine, None, references, self._said.append)
        outcomes: list[tuple[Finished | Failure, tuple[Written, ...]]] = []
        fatal: ColorizeError | None = None
        try:
            for outcome in run:
                if not isinstance(outcome, Unchanged):  # without a ledger there are none
                    outcomes.append(told(outcome))
        except ColorizeError as error:
            fatal = error
        said = tuple(self._said.popleft() for _ in range(len(self._said)))
        return Answer(tuple(outcomes), said, fatal)


class _Lasting(References):
    """References that outlive the errand that they were first asked for."""

    def stop(self) -> None:
        """Nothing: the next errand may need them."""


def _name(outcome: Finished | Failure) -> str:
    return outcome.name if isinstance(outcome, Failure) else outcome.job.name


def _seen(outcome: Finished | Failure, compare: bool) -> tuple[Finished | Failure, tuple[Written, ...]]:
    """The outcome with what was written of it."""
    if isinstance(outcome, Failure):
        return outcome, ()
    try:
        return outcome, tuple(map(written_at, files_of(outcome.job, compare)))
    except OSError as error:
        path = Path(os.fsdecode(error.filename or outcome.job.target))
        reason = f"{path} was written but cannot be read back: {error.strerror or error}"
        return outcome.job.failed("encode", reason), ()
