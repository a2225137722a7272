"""Workers on this machine for photos that lie elsewhere: some fetch, the local engine colours, some deliver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue

from colorcli.errors import ColorizeError, PhotoError, Stopped
from colorcli.items import Failure, Finished, Job
from colorcli.run.channel import Channel
from colorcli.run.errand import Answer
from colorcli.run.ferry import Ferry, outcome_as
from colorcli.run.local import LocalRun
from colorcli.run.marks import Written
from colorcli.run.unforeseen import unforeseen

_HANDS = 4  # threads that fetch, and as many that deliver: they wait for the network most of the time
_AHEAD = 8  # photos that may be on their way besides those that the engine holds

Outcomes = tuple[tuple[Finished | Failure, tuple[Written, ...]], ...]


class Arrivals:
    """Jobs whose photos are here, in the order in which they come. Safe to use from several threads."""

    def __init__(self, expected: int, bound: int) -> None:
        self._expected, self._channel = expected, Channel[Job](bound)

    def __len__(self) -> int:
        return self._expected

    def __iter__(self) -> Iterator[Job]:
        return iter(self._channel)

    def put(self, job: Job) -> None:
        """Stopped once the run was stopped."""
        self._channel.put(job)

    def close(self) -> None:
        """No further one comes."""
        self._channel.close()

    def stop(self) -> None:
        """No further one is wanted."""
        self._channel.stop()


class Porters:
    """The workers of one run, each errand one photo. A bounded number of them is on this machine's disk."""

    def __init__(
        self,
        ferry: Ferry,
        engine: Callable[[Arrivals], LocalRun],
        *,
        jobs: int,
        held: int,
        say: Callable[[str], None],
        verbosity: int = 0,
    ) -> None:
        """engine: the run that colours what arrives. jobs: about how many there are. held: photos that the engine may
        keep waiting for others of their shape.
        """
        self._ferry, self._say, self._verbosity = ferry, say, verbosity
        self._most = held + _AHEAD
        self._arrivals = Arrivals(jobs, self._most)
        self._run = engine(self._arrivals)
        self._lock = threading.Lock()
        self._flying: dict[int, Job] = {}  # as they were given
        self._fetching = 0
        self._delivering: set[int] = set()
        self._last = False  # no further errand will come
        self._closed = False  # the arrivals are
        self._stopped = threading.Event()
        self._answers: SimpleQueue[tuple[int, Answer] | BaseException] = SimpleQueue()
        self._fetchers = ThreadPoolExecutor(_HANDS, thread_name_prefix="fetch")
        self._deliverers = ThreadPoolExecutor(_HANDS, thread_name_prefix="deliver")
        self._engine = threading.Thread(target=self._colour, name="colour")

    def takes(self, *, alone: bool) -> bool:
        """Whether a further photo may be on its way."""
        del alone  # nothing dies here but all of it
        with self._lock:
            return len(self._flying) < self._most

    def give(self, errand: int, jobs: Sequence[Job], *, alone: bool) -> None:
        """Begin to fetch the one photo of an errand."""
        del alone
        (job,) = jobs
        if self._engine.ident is None:
            self._engine.start()
        with self._lock:
            self._flying[errand] = job
            self._fetching += 1
        self._fetchers.submit(self._fetch, errand, job)

    def answers(self) -> list[tuple[int, Answer | None]]:
        """Wait until an errand is done. Errors: what ended the engine and was no ColorizeError."""
        if self.takes(alone=False):  # else one would have been given
            with self._lock:
                self._last = True
            self._close_arrivals()
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            self._answers.put(answer)  # to be found again: no other answer will come
            raise answer
        return [answer]

    def stop(self) -> None:
        """Begin nothing more, and try nothing again. What the engine or a delivery has in hand is still answered."""
        self._stopped.set()
        self._ferry.hurry()
        self._arrivals.stop()
        self._run.stop()

    def close(self) -> None:
        """End all threads, and remove what is left on this machine's disk."""
        self.stop()
        if self._engine.ident is not None:
            self._engine.join()
        self._fetchers.shutdown(cancel_futures=True)
        self._deliverers.shutdown(cancel_futures=True)
        self._ferry.close()

    # on threads

    def _fetch(self, errand: int, job: Job) -> None:
        try:
            if self._stopped.is_set():
                raise Stopped
            here = self._ferry.fetch(job)
            self._arrivals.put(replace(here, name=str(errand)))
        except Stopped:
            self._answer(errand)
        except PhotoError as error:
            self._answer(errand, job.failed("fetch", str(error)))
        except ColorizeError as error:
            self._answer(errand, fatal=error)
        except Exception as error:  # that nobody foresaw: this photo's alone
            self._answer(errand, job.failed("fetch", unforeseen(error, self._verbosity, self._say)))
        finally:
            with self._lock:
                self._fetching -= 1
            self._close_arrivals()

    def _close_arrivals(self) -> None:
        with self._lock:
            if self._last and not self._fetching and not self._closed:
                self._closed = True
                self._arrivals.close()

    def _colour(self) -> None:
        fatal: BaseException | None = None
        try:
            for outcome in self._run:
                if isinstance(outcome, Failure):
                    errand = int(outcome.name)
                    self._answer(errand, outcome_as(outcome, self._flying[errand]))
                elif isinstance(outcome, Finished):
                    errand = int(outcome.job.name)
                    with self._lock:
                        self._delivering.add(errand)
                    self._deliverers.submit(self._deliver, errand, outcome)
        except BaseException as error:
            fatal = error
        if fatal is not None and not isinstance(fatal, ColorizeError):
            self._answers.put(fatal)
            return
        with self._lock:
            undone = [errand for errand in self._flying if errand not in self._delivering]
        for errand in undone:  # those still being fetched find it stopped
            if self._stopped.is_set() or fatal is not None:
                self._answer(errand, fatal=fatal)

    def _deliver(self, errand: int, made: Finished) -> None:
        job = self._flying[errand]
        try:
            written = self._ferry.deliver(made)
            self._answer(errand, outcome_as(made, job), written)
        except PhotoError as error:
            self._answer(errand, job.failed("deliver", str(error)))
        except ColorizeError as error:
            self._answer(errand, fatal=error)
        except Exception as error:  # that nobody foresaw
            self._answer(errand, job.failed("deliver", unforeseen(error, self._verbosity, self._say)))

    def _answer(
        self,
        errand: int,
        outcome: Finished | Failure | None = None,
        written: tuple[Written, ...] = (),
        fatal: ColorizeError | None = None,
    ) -> None:
        """Answer an errand, once. No outcome: it was not begun."""
        with self._lock:
            job = self._flying.pop(errand, None)
        if job is None:
            return
        with suppress(OSError):
            self._ferry.drop(self._ferry.here(job))
        outcomes: Outcomes = () if outcome is None else ((outcome, written),)
        self._answers.put((errand, Answer(outcomes, (), fatal)))
