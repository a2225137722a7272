"""A run whose photos are coloured by workers elsewhere, while this process alone keeps the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Failure, Finished, Job
from colorcli.media.remote.store import GoneError
from colorcli.media.results import ResultOptions
from colorcli.run.errand import Answer, absolute_job
from colorcli.run.judge import Unchanged, judge
from colorcli.run.ledger import Ledgers
from colorcli.run.leftovers import remove_parts
from colorcli.run.local import Outcome, Say
from colorcli.run.marks import Mark, Written
from colorcli.run.rows import Row
from colorcli.run.together import Together
from colorcli.run.unforeseen import unforeseen

_READERS = 8  # threads that look up photos in the ledger: those that are new to it are read whole, over a network
_AHEAD = 32  # photos that are looked up before their turn
_TRIES = 3  # workers that may die over a photo

Judged = Mark | Unchanged | Failure


class Workers(Protocol):
    """Who does the errands."""

    def takes(self, *, alone: bool) -> bool:
        """Whether one can be given now; alone: to a worker that does nothing else meanwhile."""

    def give(self, errand: int, jobs: Sequence[Job], *, alone: bool) -> None:
        """Hand over the jobs of one, by its number."""

    def answers(self) -> list[tuple[int, Answer | None]]:
        """Wait for something to happen; the errands that are done, None for one that is lost. Errors: ColorizeError."""

    def stop(self) -> None:
        """No further errand will come; jobs that are not begun may be answered without an outcome."""

    def close(self) -> None:
        """No answer is wanted any more."""


@dataclass(slots=True)
class _Ticket:
    """A photo that is to be done."""

    job: Job
    mark: Mark
    losses: int = 0  # workers that died while they had it
    before: Mapping[str, Row | None] = field(default_factory=dict)  # what was noted before it was begun


class SpreadRun:
    """One run over many photos. Iterate it for the outcomes, in the order in which they come.

    A bounded number of photos is on its way, by the number of workers. A photo is noted in the ledger as begun before
    a worker gets it, and as done when the worker says so. One whose worker dies is given to another, and then with
    nothing beside it; after three deaths it is a Failure.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        workers: Workers,
        ledgers: Ledgers,
        options: ResultOptions,
        *,
        errand: int,
        overwrite: bool,
        say: Say,
        verbosity: int = 0,
    ) -> None:
        """errand: photos that a worker is given together."""
        self._jobs, self._workers, self._ledgers, self._errand = jobs, workers, ledgers, errand
        self._overwrite, self._say, self._verbosity = overwrite, say, verbosity
        self._together = Together(jobs, ledgers, options.provenance, overwrite=overwrite)
        self._numbers = count()
        self._fresh: list[_Ticket] = []  # of the next errand
        self._lost: deque[_Ticket] = deque()
        self._flying: dict[int, dict[str, _Ticket]] = {}  # by the errand's number and the name the worker knows it by
        self._heard: set[tuple[str, ...]] = set()
        self._stopped = False
        self._fatal: ColorizeError | None = None

    def __iter__(self) -> Iterator[Outcome]:
        """Run. Leaving the loop early, or an exception in it, lets workers finish what they have in hand."""
        remove_parts(self._ledgers.leftovers())
        try:
            with closing(self._looked_up()) as judged:
                while True:
                    for outcome in self._hand_out(judged):
                        yield self._together.after(outcome)
                    if not (self._flying or self._fresh or self._lost):
                        break
                    for outcome in self._taken_back():
                        yield self._together.after(outcome)
        finally:
            self.close()
        if self._fatal is not None:
            raise self._fatal

    def stop(self) -> None:
        """Begin no further photo. The iteration still gives the outcomes of those in hand, and then ends."""
        self._stopped = True
        self._fresh.clear()
        self._lost.clear()
        self._workers.stop()

    def close(self) -> None:
        """Wait for the photos that workers have in hand, and let the workers go. Safe to call twice."""
        self.stop()
        try:
            while self._flying:
                for _ in self._taken_back():
                    pass
        finally:
            self._workers.close()

    # to the workers

    def _looked_up(self) -> Generator[tuple[Job, Judged], None, None]:
        """Each job with what its ledger says of it, in their order, looked up some ahead."""
        ahead: deque[tuple[Job, Future[Judged]]] = deque()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="judge") as readers:
            try:
                for job in self._jobs:
                    ahead.append((job, readers.submit(self._judged, job)))
                    if len(ahead) >= _AHEAD:
                        first, found = ahead.popleft()
                        yield first, found.result()
                while ahead:
                    first, found = ahead.popleft()
                    yield first, found.result()
            finally:
                readers.shutdown(wait=False, cancel_futures=True)

    def _judged(self, job: Job) -> Judged:
        try:
            return judge(job, self._ledgers, self._overwrite)
        except ColorizeError:
            raise
        except Exception as error:  # that nobody foresaw: this photo's alone
            return job.failed("decode", unforeseen(error, self._verbosity, self._say))

    def _hand_out(self, judged: Iterator[tuple[Job, Judged]]) -> Iterator[Outcome]:
        """Give workers errands until none takes another; the outcomes of jobs that need no worker."""
        while not self._stopped:
            if self._lost:
                if not self._workers.takes(alone=True):
                    return
                yield from self._begun([self._lost.popleft()], alone=True)
                continue
            while len(self._fresh) < self._errand and not self._stopped:
                job, found = next(judged, (None, None))
                if job is None or found is None:
                    break
                if isinstance(found, Mark):
                    self._fresh.append(_Ticket(job, found))
                else:
                    yield found
            if not self._fresh or not self._workers.takes(alone=False):
                return
            errand, self._fresh = self._fresh, []
            yield from self._begun(errand, alone=False)

    def _begun(self, tickets: Sequence[_Ticket], *, alone: bool) -> Iterator[Failure]:
        """Note these photos as begun and give them to a worker."""
        begun: list[_Ticket] = []
        for ticket in tickets:
            try:
                if not ticket.losses:  # else it is noted already
                    with self._ledgers.of(ticket.job) as ledger:
                        ticket.before = ledger.begin(ticket.job, ticket.mark)
                begun.append(ticket)
            except PhotoError as error:
                yield ticket.job.failed("encode", str(error))
        if begun:
            named = {str(place): ticket for place, ticket in enumerate(begun)}
            number = next(self._numbers)
            self._flying[number] = named
            jobs = [absolute_job(ticket.job, name) for name, ticket in named.items()]
            self._workers.give(number, jobs, alone=alone)

    # and back

    def _taken_back(self) -> Iterator[Outcome]:
        """What workers have made meanwhile, noted."""
        try:
            answers = self._workers.answers()
        except ColorizeError as error:
            self._end(error)
            self._give_up()
            return
        for number, answer in answers:
            tickets = self._flying.pop(number)
            if answer is None:
                yield from self._bereaved(list(tickets.values()))
                continue
            if answer.said not in self._heard:  # each worker says of the references what the first said
                self._heard.add(answer.said)
                for line in answer.said:
                    self._say(line)
            for made, written in answer.outcomes:
                name = made.name if isinstance(made, Failure) else made.job.name
                yield from self._noted(tickets.pop(name), made, written)
            for ticket in tickets.values():
                if not isinstance(answer.fatal, GoneError):  # its last word may be what did not come back
                    self._abandon(ticket)
            if answer.fatal is not None:
                self._end(answer.fatal)

    def _noted(self, ticket: _Ticket, made: Finished | Failure, written: Sequence[Written]) -> Iterator[Outcome]:
        job = ticket.job
        if isinstance(made, Failure):
            self._abandon(ticket)
            yield replace(job, reference=made.reference).failed(made.stage, made.reason)
            return
        job = replace(job, reference=made.job.reference)
        try:
            with self._ledgers.of(job) as ledger:
                ledger.finish(job, written)
            yield Finished(job, made.notes)
        except PhotoError as error:
            yield job.failed("encode", str(error))
        except ColorizeError as error:
            self._end(error)

    def _bereaved(self, tickets: Sequence[_Ticket]) -> Iterator[Failure]:
        """Photos whose worker died. They stay begun, as of a killed run: their results may be there, and are ours."""
        for ticket in tickets:
            ticket.losses += 1
            with suppress(ColorizeError), self._ledgers.of(ticket.job) as ledger:
                remove_parts(ledger.files(ticket.job))
            if ticket.losses >= _TRIES:
                reason = f"{_TRIES} worker processes died over it, perhaps for want of memory: try it without --engine"
                yield ticket.job.failed("infer", reason)
            elif not self._stopped:
                self._lost.append(ticket)

    def _abandon(self, ticket: _Ticket) -> None:
        """Note that nothing was written after all."""
        with suppress(ColorizeError), self._ledgers.of(ticket.job) as ledger:  # the first error is the one to tell
            ledger.abandon(ticket.before)

    def _end(self, error: ColorizeError) -> None:
        self._fatal = self._fatal or error
        self.stop()

    def _give_up(self) -> None:
        """Of photos in hand no more will be heard; they stay begun, as of a killed run: a worker may be at them."""
        self._flying.clear()
