"""What a run would do, told from the ledger and the photos' headers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Failure, FilmOptions, Job
from colorcli.media.hints import open_hints
from colorcli.media.results import target_format
from colorcli.media.sources import open_source
from colorcli.run.judge import Unchanged, judge
from colorcli.run.ledger import Ledgers
from colorcli.run.marks import Mark
from colorcli.run.unforeseen import unforeseen


@dataclass(frozen=True, slots=True)
class Planned:
    """A job that would be done."""

    job: Job


def preview(
    jobs: Sequence[Job], ledgers: Ledgers, *, max_pixels: int, overwrite: bool
) -> Iterator[Planned | Unchanged | Failure]:
    """One answer per job, in their order. Damage to the pixels is not seen: none is decoded, as `open_source` says."""
    for job in jobs:
        try:
            judged = judge(job, ledgers, overwrite)
            yield _foretold(job, max_pixels) if isinstance(judged, Mark) else judged
        except ColorizeError:
            raise
        except Exception as error:  # that nobody foresaw: this photo's alone, as in a run
            yield job.failed("decode", unforeseen(error, 0, lambda _: None))


def _foretold(job: Job, max_pixels: int) -> Planned | Failure:
    if job.film is not None:
        return _foretold_film(job, job.film)
    try:
        header = open_source(job.source, max_pixels=max_pixels).header
        open_hints(job, header, max_pixels=max_pixels)
    except PhotoError as error:
        return job.failed("decode", str(error))
    try:
        target_format(job.target, header)
    except PhotoError as error:
        return job.failed("encode", str(error))
    return Planned(job)


def _foretold_film(job: Job, options: FilmOptions) -> Planned | Failure:
    from colorcli.media.films.encoding import choose_encoding  # with PyAV, which photos do not need
    from colorcli.media.films.reading import header_of

    try:
        choose_encoding(header_of(job.source), job.target, options)
    except PhotoError as error:
        return job.failed("film", str(error))
    return Planned(job)
