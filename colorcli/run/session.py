"""From what a person asked for to a run that can be iterated, and the ledgers that it holds meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.items import Failure, Job, Segments
from colorcli.media.places import BESIDE_LEDGER
from colorcli.run.beside import FolderLedgers
from colorcli.run.engine import Engine
from colorcli.run.judge import Unchanged
from colorcli.run.ledger import Ledger, Ledgers, copied_ledger
from colorcli.run.local import LocalRun, Say
from colorcli.run.prepared import Making, Prepared, local_run, prepare, references_of
from colorcli.run.preview import Planned, preview
from colorcli.run.request import Request, asked_for

if TYPE_CHECKING:
    from colorcli.run.mixed import MixedRun
    from colorcli.run.spread import SpreadRun

_MANY = 10_000  # frames of a film, for the plan of an engine


@contextmanager
def _ledgers(
    open_: Callable[[Path, Path | None, bool], AbstractContextManager[Ledger]], jobs: Sequence[Job], out: Path | None
) -> Iterator[Ledgers]:
    """The output folder's ledger, or those of the folders that the results lie in beside their photos.

    open_: a folder's ledger, by its file if that is not LEDGER; and whether another run is waited for.
    """
    if out is not None:
        with open_(out, None, True) as ledger:
            yield ledger
        return
    beside = FolderLedgers(jobs, lambda folder, waits: open_(folder, folder / BESIDE_LEDGER, waits))
    with closing(beside) as ledgers:
        yield ledgers


def held_ledgers(
    jobs: Sequence[Job], out: Path | None, settings: str, compare: bool, say: Say
) -> AbstractContextManager[Ledgers]:
    """The ledgers of these jobs, held from other runs; one that is in the way is waited for, and told once.

    Errors: ColorizeError if `out` cannot be used.
    """

    def held(folder: Path, file: Path | None, waits: bool) -> AbstractContextManager[Ledger]:
        return closing(Ledger(folder, settings, compare=compare, file=file, say=say if waits else None))

    return _ledgers(held, jobs, out)


@contextmanager
def open_run(
    jobs: Sequence[Job],
    out: Path | None,
    request: Request,
    say: Say,
    made_with: Callable[[Making], None] = lambda _: None,
) -> Iterator[LocalRun | MixedRun | SpreadRun]:
    """The run for these jobs, holding the output folder's ledger until it is left. out: None, as of `discover`.

    made_with: told before the run what its results will be made with. Errors: UsageError, WeightsError before anything
    is written; ColorizeError if `out` cannot be used.
    """
    if request.engine == "ray":
        from colorcli.run.cluster_session import open_spread

        with open_spread(jobs, out, request, say, made_with) as spread:
            yield spread
        return
    if request.remote is not None and out is not None:
        from colorcli.run.far_session import open_far

        with open_far(jobs, request.remote, out, request, say, made_with) as far:
            yield far
        return
    prepared = prepare(request, say)
    made_with(prepared.making)
    jobs = asked_for(jobs, out, request, say)
    films = [job for job in jobs if job.film is not None]
    photos = [job for job in jobs if job.film is None] if films else jobs
    with held_ledgers(jobs, out, prepared.settings, request.compare, say) as ledgers:
        engine = Engine.plan(prepared.method.device, len(photos), batch=request.batch, workers=request.workers)
        references = references_of(prepared.method, request, segments_of(jobs), say)
        run = local_run(photos, prepared, request, engine, ledgers, references, say)
        with closing(run):  # before the ledger that its threads write to
            yield _with_films_run(run, films, request, prepared, ledgers, say) if films else run


def _with_films_run(
    photos: LocalRun, films: Sequence[Job], request: Request, prepared: Prepared, ledgers: Ledgers, say: Say
) -> MixedRun:
    from colorcli.color.steady import Steady  # here, and what loads PyAV: a run over photos alone starts without
    from colorcli.run.film import Means
    from colorcli.run.films import FilmsRun
    from colorcli.run.mixed import MixedRun

    exact = cache(prepared.exact)
    engine = Engine.plan(prepared.method.device, _MANY, batch=request.batch, workers=request.workers)
    means = Means(
        prepared.method,
        lambda *given: exact().predict(*given),
        prepared.options,
        engine,
        prepared.size,
        references_of(prepared.method, request, None, say),  # the photos' run stops its own
        say,
    )
    run = FilmsRun(films, means, ledgers, overwrite=request.overwrite, verbosity=request.verbosity, steadying=Steady)
    return MixedRun(photos, run)


def segments_of(jobs: Sequence[Job]) -> Segments | None:
    """All jobs have the same: they are of one photo."""
    return jobs[0].segments if jobs else None


def rehearse(
    jobs: Sequence[Job], out: Path | None, request: Request, say: Say
) -> Generator[Planned | Unchanged | Failure, None, None]:
    """What `open_run` would do with these jobs, nothing without any; `out` is only read. Errors: as of `open_run`."""
    if not jobs:
        return
    jobs = asked_for(jobs, out, request, say)
    processor = None
    if request.engine == "ray":
        from colorcli.run.cluster_session import foreseen_processor

        processor = foreseen_processor(jobs, request)
    prepared = prepare(request, say, processor)
    if request.remote is not None and out is not None:
        from colorcli.run.far_session import rehearse_far

        yield from rehearse_far(jobs, request.remote, out, prepared.settings, request)
        return

    def copied(folder: Path, file: Path | None, _: bool) -> AbstractContextManager[Ledger]:
        return copied_ledger(folder, prepared.settings, compare=request.compare, file=file)

    with _ledgers(copied, jobs, out) as ledgers:
        yield from preview(jobs, ledgers, max_pixels=request.max_pixels, overwrite=request.overwrite)
