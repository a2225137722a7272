"""What a look-up in the ledger of finished work costs, by how much is noted in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from colorcli.bench.timing import Spread, spread
from colorcli.items import Job
from colorcli.media.places import LEDGER
from colorcli.run.ledger import Ledger
from colorcli.run.marks import Standing
from colorcli.run.rows import Row, Rows

NOTES = (1_000, 10_000, 1_000_000)
_LOOKED_UP = 1_000  # photos, each once a round
_ROUNDS = 5
_TOGETHER = 10_000  # rows that are put in at once


@dataclass(frozen=True, slots=True)
class LookUp:
    """One line of the table."""

    notes: int  # rows of the ledger
    file_bytes: int
    look: Spread  # seconds to tell that a photo is done
    note: Spread  # seconds to begin and finish one, with what sqlite flushes to disk


def measure_ledger(
    folder: Path, notes: Sequence[int] = NOTES, looked_up: int = _LOOKED_UP, say: Callable[[str], None] = lambda _: None
) -> list[LookUp]:
    """Look up the same photos in one ledger as it grows. notes: how many rows, ascending, `looked_up` at least."""
    photos, out = folder / "photos", folder / "out"
    photos.mkdir()
    jobs = [Job(photos / f"{index}.jpg", out / f"{index}.jpg", f"{index}.jpg") for index in range(looked_up)]
    for job in jobs:
        job.source.write_bytes(job.name.encode())
    lines = []
    with closing(Ledger(out, "settings")) as ledger:
        for job in jobs:
            _colour(ledger, job)
    strangers = _strangers()
    held = looked_up
    for count in notes:
        say(f"ledger of {count} notes")
        with closing(Rows(out / LEDGER)) as rows:
            while held < count:
                some = dict(islice(strangers, min(_TOGETHER, count - held)))
                rows.put(some)
                held += len(some)
        with closing(Ledger(out, "settings")) as ledger:
            looks = [_seconds(_look, ledger, jobs) for _ in range(_ROUNDS)]
            puts = [_seconds(_colour, ledger, jobs) for _ in range(_ROUNDS)]
        lines.append(LookUp(held, (out / LEDGER).stat().st_size, spread(looks), spread(puts)))
    return lines


def _strangers() -> Iterator[tuple[str, Row]]:
    """Rows as long as real ones, of photos that are not asked for, in no order of their names."""
    digest = "0" * 64
    row = Row("done", digest, "/archive/photos/0000/0000000.jpg", 1_000_000, 1, digest, 1_000_000, 1, digest)
    number = 0
    while True:
        number += 1
        yield f"{number * 2_654_435_761 % 2**32:010}/{number:08}.jpg", row  # Knuth's multiplicative hash


def _colour(ledger: Ledger, job: Job) -> None:
    """What a run notes of one photo; its result is its own name."""
    ledger.begin(job, ledger.look(job).mark)
    job.target.write_bytes(job.name.encode())
    ledger.finish(job)


def _look(ledger: Ledger, job: Job) -> None:
    standing = ledger.look(job).standing
    if standing is not Standing.DONE:
        raise ValueError(f"{job.name} is {standing.value}")


def _seconds(work: Callable[[Ledger, Job], None], ledger: Ledger, jobs: Sequence[Job]) -> float:
    """Of one job, over all."""
    begun = time.perf_counter()
    for job in jobs:
        work(ledger, job)
    return (time.perf_counter() - begun) / len(jobs)
