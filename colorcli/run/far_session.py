"""From what a person asked for to a run with remote folders that can be iterated."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from filelock import FileLock

from colorcli.errors import ColorizeError
from colorcli.items import Failure, Job
from colorcli.media.places import LEDGER
from colorcli.media.remote.places import Remote
from colorcli.media.remote.store import Store
from colorcli.run.engine import Engine
from colorcli.run.far_ledger import FarLedger
from colorcli.run.ferry import Ferry
from colorcli.run.judge import Unchanged, judge
from colorcli.run.ledger import hold
from colorcli.run.ledger_copy import LedgerCopy
from colorcli.run.local import LocalRun, Say
from colorcli.run.marks import Mark, Written
from colorcli.run.porters import Arrivals, Porters
from colorcli.run.prepared import Making, Prepared, local_run, prepare, references_of
from colorcli.run.preview import Planned, preview
from colorcli.run.request import Request, asked_for
from colorcli.run.rows import copy_rows
from colorcli.run.spread import SpreadRun
from colorcli.stages.batch import WAITING_BATCHES


@dataclass(frozen=True, slots=True)
class _Stores:
    source: Store | None
    out: Store | None


@contextmanager
def open_far(
    jobs: Sequence[Job], remote: Remote, out: Path, request: Request, say: Say, made_with: Callable[[Making], None]
) -> Iterator[SpreadRun]:
    """As of `open_run`. out: the folder of the results, or the one that stands for it."""
    prepared = prepare(request, say)
    made_with(prepared.making)
    jobs = asked_for(jobs, out, request, say)
    with far_ledger(remote, out, prepared.settings, request, say) as ledger:
        engine = Engine.plan(prepared.method.device, len(jobs), batch=request.batch, workers=request.workers)
        porters = Porters(
            Ferry(remote, remote, request.compare),
            lambda arrivals: _engine(arrivals, prepared, engine, request, say),
            jobs=len(jobs),
            held=WAITING_BATCHES * engine.batch + engine.lanes + 2 * engine.workers,
            say=say,
            verbosity=request.verbosity,
        )
        run = SpreadRun(
            jobs,
            porters,
            ledger,
            prepared.options,
            errand=1,
            overwrite=request.overwrite,
            say=say,
            verbosity=request.verbosity,
        )
        with closing(run):  # before the ledger that it writes to
            yield run


def _engine(arrivals: Arrivals, prepared: Prepared, engine: Engine, request: Request, say: Say) -> LocalRun:
    references = references_of(prepared.method, request, None, say)
    return local_run(arrivals, prepared, request, engine, None, references, say)


@contextmanager
def far_ledger(remote: Remote, out: Path, settings: str, request: Request, say: Say) -> Iterator[FarLedger]:
    """The ledger of a run with remote folders, held from other runs of this machine, sent at times and at the end."""
    with _held(remote, say), _connected(remote) as stores:
        rmtree(remote.work, ignore_errors=True)  # what a killed run had on its way
        copy = None if stores.out is None else LedgerCopy(stores.out, remote.state)
        if copy is not None:
            copy.bring()
        ledger = _SentLedger(remote, stores, out, settings, compare=request.compare, copy=copy)
        try:
            yield ledger
        except BaseException:
            if stores.out is not None:
                stores.out.hurry()  # it may be what has gone
            raise
        finally:
            ledger.close()
            if copy is not None:
                try:
                    copy.send()
                except ColorizeError as error:
                    say(f"the ledger is not at {remote.out} yet, but on this machine: {error}")
            rmtree(remote.work, ignore_errors=True)


class _SentLedger(FarLedger):
    """Delivers itself now and then, so that another machine can go on."""

    def __init__(
        self, remote: Remote, stores: _Stores, out: Path, settings: str, *, compare: bool, copy: LedgerCopy | None
    ) -> None:
        file = remote.state / LEDGER.name
        super().__init__(remote, stores.source, stores.out, out, settings, compare=compare, file=file)
        self._copy = copy

    def finish(self, job: Job, written: Sequence[Written] | None = None) -> None:
        """As of `FarLedger`."""
        super().finish(job, written)
        if self._copy is not None:
            self._copy.send_at_times()


@contextmanager
def _held(remote: Remote, say: Say) -> Iterator[None]:
    """With the folder of what is kept between runs, held from other runs; one in the way is waited for."""
    lock = FileLock(remote.state / "run.lock")
    try:
        remote.state.mkdir(parents=True, exist_ok=True)
        hold(lock, str(remote.state.parent if remote.out is None else remote.out), say)
    except OSError as error:
        raise ColorizeError(f"cannot write into {remote.state}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _connected(remote: Remote) -> Iterator[_Stores]:
    source = None if remote.source is None else Store(remote.source)
    out = None if remote.out is None else Store(remote.out)
    try:
        yield _Stores(source, out)
    finally:
        for store in (source, out):
            if store is not None:
                store.close()


def rehearse_far(
    jobs: Sequence[Job], remote: Remote, out: Path, settings: str, request: Request
) -> Generator[Planned | Unchanged | Failure, None, None]:
    """As of `rehearse`. Of photos that lie elsewhere no header is read."""
    with _connected(remote) as stores, TemporaryDirectory(prefix="colorize-") as folder:
        file = Path(folder, LEDGER.name)
        if stores.out is None:
            copy_rows(remote.state / LEDGER.name, file)
        else:
            LedgerCopy(stores.out, remote.state).copied_to(file)
        ledger = FarLedger(remote, stores.source, stores.out, out, settings, compare=request.compare, file=file)
        try:
            if stores.source is None:
                yield from preview(jobs, ledger, max_pixels=request.max_pixels, overwrite=request.overwrite)
            else:
                for job in jobs:
                    judged = judge(job, ledger, request.overwrite)
                    yield Planned(job) if isinstance(judged, Mark) else judged
        finally:
            ledger.close()
