"""The local engine: the stages as threads in one process, with bounded channels between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import torch

from colorcli.devices import use_threads
from colorcli.errors import ColorizeError, PhotoError, Stopped
from colorcli.items import Batch, Colored, Failure, Finished, Job, Photo
from colorcli.loader import LoadedMethod
from colorcli.media.libvips import set_vips_threads
from colorcli.media.originals import CHANGED
from colorcli.media.results import ResultOptions
from colorcli.methods.spec import Predict
from colorcli.run.channel import Channel
from colorcli.run.engine import Engine
from colorcli.run.judge import Unchanged, judge
from colorcli.run.ledger import Ledger, Ledgers
from colorcli.run.leftovers import remove_parts
from colorcli.run.marks import Mark
from colorcli.run.together import Together
from colorcli.run.unforeseen import unforeseen
from colorcli.stages.batch import Batcher
from colorcli.stages.decode import decode
from colorcli.stages.encode import encode
from colorcli.stages.infer import infer
from colorcli.stages.refer import References

Say = Callable[[str], None]


Outcome = Finished | Failure | Unchanged


class Jobs(Protocol):
    """The jobs of a run: they may come one by one, but it is known about how many they are."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Job]: ...


class LocalRun:
    """One run over many photos. Iterate it for the outcomes, in the order in which they come."""

    def __init__(
        self,
        jobs: Jobs,
        method: LoadedMethod,
        exact: Callable[[], LoadedMethod],
        ledgers: Ledgers | None,
        options: ResultOptions,
        engine: Engine,
        *,
        size: int,
        max_pixels: int,
        overwrite: bool,
        say: Say,
        verbosity: int = 0,
        references: References | None = None,
    ) -> None:
        """size: side of the network's input, pixels. exact: loads the method in fp32, asked at most once.

        max_pixels: larger photos fail; 0 is no limit. references: of a method that needs one for each photo.
        ledgers: None where somebody else keeps them: every job is to be done, is noted nowhere, and no comparison is
        made that several results share.
        """
        self._jobs, self._method, self._ledgers, self._options, self._engine = jobs, method, ledgers, options, engine
        self._references = references
        self._size, self._max_pixels, self._overwrite = size, max_pixels, overwrite
        self._say, self._verbosity = say, verbosity
        self._load_exact = exact
        self._together = Together(jobs, ledgers, options.provenance, overwrite=overwrite) if ledgers else None
        self._marks: dict[Job, Mark] = {}  # of the photos that are on their way
        self._exact: LoadedMethod | None = None
        self._exact_lock = threading.Lock()
        self._fatal: BaseException | None = None
        self._threads: list[threading.Thread] = []
        workers, lanes = engine.workers, engine.lanes
        waiting = 2 * max(workers, engine.batch)
        self._batcher = Batcher(engine.batch)
        self._todo: Channel[Job] = Channel(2 * workers)
        self._photos: Channel[Photo] = Channel(waiting, producers=workers)
        self._batches: Channel[Batch] = Channel(lanes)
        self._colored: Channel[Colored] = Channel(waiting, producers=lanes)
        self._outcomes: Channel[Outcome] = Channel(64, producers=2 * workers + lanes)
        self._between = (self._todo, self._photos, self._batches, self._colored)

    def __iter__(self) -> Iterator[Outcome]:
        """Run. Leaving the loop early, or an exception in it, stops the stages; files begun are finished or removed."""
        if self._ledgers is not None:
            remove_parts(self._ledgers.leftovers())
        engine = self._engine
        set_vips_threads(1 if len(self._jobs) > engine.workers else engine.threads_per_photo)
        threads = [threading.Thread(target=self._feed, name="feed")]
        threads += [self._thread("decode", i, self._todo, self._decode, self._photos) for i in range(engine.workers)]
        threads += [threading.Thread(target=self._group, name="batch")]
        threads += [self._thread("infer", i, self._batches, self._infer, self._colored) for i in range(engine.lanes)]
        threads += [self._thread("encode", i, self._colored, self._encode, None) for i in range(engine.workers)]
        self._threads = threads
        try:
            for thread in threads:
                thread.start()
            for outcome in self._outcomes:
                yield outcome if self._together is None else self._together.after(outcome)
        finally:
            self.close()
        if self._fatal is not None:
            raise self._fatal

    def close(self) -> None:
        """Let every stage finish the photo it has in hand and end; returns when all have. Safe to call twice."""
        self.stop()
        self._outcomes.stop()
        for thread in self._threads:
            if thread.ident is not None:  # an interrupt may come before all were started
                thread.join()

    def stop(self) -> None:
        """Begin no further photo. The iteration still gives the outcomes of those in hand, and then ends."""
        for channel in self._between:
            channel.stop()
        if self._references is not None:
            self._references.stop()

    # the stages, as threads

    def _thread(
        self,
        stage: str,
        index: int,
        source: Iterable[Job] | Iterable[Batch] | Iterable[Colored],
        work: Callable[..., Iterator[Photo | Colored | Outcome]],
        sink: Channel[Photo] | Channel[Colored] | None,
    ) -> threading.Thread:
        def loop() -> None:
            use_threads(self._engine.threads_per_lane if stage == "infer" else 1)
            try:
                for item in source:
                    for made in self._guarded(stage, work, item):
                        if sink is not None and isinstance(made, Photo | Colored):
                            sink.put(made)  # type: ignore[arg-type]
                        else:
                            self._outcomes.put(made)  # type: ignore[arg-type]
            except Stopped:
                pass
            except BaseException as error:
                self._fatal = self._fatal or error  # the others break because of the first
                self.stop()
            finally:
                self._outcomes.close()
                if sink is not None:
                    sink.close()

        return threading.Thread(target=loop, name=f"{stage}-{index}")

    def _guarded(
        self, stage: str, work: Callable[..., Iterator[Photo | Colored | Outcome]], item: Job | Batch | Colored
    ) -> Iterator[Photo | Colored | Outcome]:
        """What the stage makes of one item; an error that nobody foresaw becomes a Failure of that item alone.

        A stage gives one thing per photo, in order: of a batch, the photos without an answer yet are the failed ones.
        """
        answered = 0
        try:
            for made in work(item):
                answered += 1
                yield made
        except (Stopped, ColorizeError):
            raise
        except Exception as error:
            reason = unforeseen(error, self._verbosity, self._say)
            for job in _jobs(item)[answered:]:
                yield job.failed(stage, reason)

    def _feed(self) -> None:
        try:
            for job in self._jobs:
                self._todo.put(job)
        except Stopped:
            pass
        finally:
            self._todo.close()

    def _decode(self, job: Job) -> Iterator[Photo | Outcome]:
        judged = None if self._ledgers is None else judge(job, self._ledgers, self._overwrite)
        if isinstance(judged, Unchanged | Failure):
            yield judged
            return
        spec = self._method.spec
        decoded = decode(job, self._size, spec.multiple, self._max_pixels, colors=spec.sees_color)
        if self._references is not None and isinstance(decoded, Photo):
            decoded = self._references.refer(decoded)
        if isinstance(decoded, Photo) and judged is not None:
            if decoded.stamp is not None and (decoded.stamp.size, decoded.stamp.time) != (judged.size, judged.time):
                yield job.failed("decode", CHANGED)
                return
            self._marks[decoded.job] = judged
        yield decoded

    def _group(self) -> None:
        batcher = self._batcher
        try:
            for photo in self._photos:
                for batch in batcher.add(photo):
                    self._batches.put(batch)
            for batch in batcher.rest():
                self._batches.put(batch)
        except Stopped:
            pass
        except BaseException as error:
            self._fatal = error
            self.stop()
        finally:
            self._batches.close()

    def _infer(self, batch: Batch) -> Iterator[Colored | Outcome]:
        shows = batch.photos[0].job.explained  # all of a run's photos are, or none

        def exactly(*given: Any) -> torch.Tensor:
            return _asked(self._loaded_exactly(), shows)(*given)

        ended = {photo.job for photo in batch.photos}  # those without colour: they need no mark any more
        try:
            for made in infer(batch, _asked(self._method, shows), exactly, self._say, self._shrink):
                if isinstance(made, Colored):
                    ended.remove(made.photo.job)
                yield made
        finally:
            for job in ended:
                self._marks.pop(job, None)

    def _shrink(self, photos: int) -> None:
        self._batcher.size = min(self._batcher.size, photos)

    def _loaded_exactly(self) -> LoadedMethod:
        with self._exact_lock:
            if self._exact is None:
                self._exact = self._load_exact()
        return self._exact

    def _encode(self, colored: Colored) -> Iterator[Outcome]:
        job = colored.photo.job
        if self._ledgers is None:
            yield encode(colored, self._options)
            return
        try:
            with self._ledgers.of(job) as ledger:
                outcome = self._noted(colored, ledger)
        except PhotoError as error:
            outcome = job.failed("encode", str(error))
        yield outcome

    def _noted(self, colored: Colored, ledger: Ledger) -> Finished | Failure:
        job = colored.photo.job
        before = ledger.begin(job, self._marks.pop(job))
        try:
            outcome = encode(colored, self._options, partial(ledger.seal, job))
        except BaseException:
            # On a full disk the ledger cannot note it; the first error is the one to tell.
            with suppress(ColorizeError):
                ledger.abandon(before)
            raise
        if isinstance(outcome, Finished):
            ledger.finish(job)
        else:
            ledger.abandon(before)
        return outcome


def _asked(method: LoadedMethod, shows: bool) -> Predict:
    return method.show if shows and method.show is not None else method.predict


def _jobs(item: Job | Batch | Colored) -> list[Job]:
    if isinstance(item, Job):
        return [item]
    if isinstance(item, Colored):
        return [item.photo.job]
    return [photo.job for photo in item.photos]
