"""FolderLedgers: one ledger in each folder that holds results, however many folders there are."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Failure, Job
from colorcli.media.places import BESIDE_LEDGER, LEDGER
from colorcli.run import beside
from colorcli.run.beside import FolderLedgers
from colorcli.run.judge import judge
from colorcli.run.ledger import Ledger
from colorcli.run.marks import Standing


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    made = []
    for number in range(60):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        (folder / "a.jpg").write_bytes(b"source")
        made.append(Job(folder / "a.jpg", folder / "a.colorized.jpg", f"{number}/a.jpg"))
    return made


@contextmanager
def _open(folder: Path, _: bool = False) -> Iterator[Ledger]:
    ledger = Ledger(folder, "settings", file=folder / BESIDE_LEDGER)
    try:
        yield ledger
    finally:
        ledger.close()


def _make(ledgers: FolderLedgers, job: Job, *, kill: bool = False) -> None:
    with ledgers.of(job) as ledger:
        ledger.begin(job, ledger.look(job).mark)
        job.target.write_bytes(b"result")
        if not kill:
            ledger.finish(job)


def test_each_folder_has_its_own(jobs: list[Job]) -> None:
    """Oracle: the files: every folder has the ledger of such results and not that of an output folder; what one run
    noted there another finds, also one that begins in one folder alone; a killed run's are found in every folder."""
    ledgers = FolderLedgers(jobs, _open)
    for job in jobs:
        _make(ledgers, job, kill=job is jobs[7])
    ledgers.close()
    for job in jobs:
        assert (job.target.parent / BESIDE_LEDGER).exists() and not (job.target.parent / LEDGER).exists()
    again = FolderLedgers(jobs, _open)
    assert again.leftovers() == [jobs[7].target]
    for job in jobs:
        with again.of(job) as ledger:
            assert ledger.look(job).standing is (Standing.STALE if job is jobs[7] else Standing.DONE)
    again.close()
    with _open(jobs[3].target.parent) as alone:
        assert alone.look(jobs[3]).standing is Standing.DONE


def test_few_are_open_at_once(jobs: list[Job]) -> None:
    """Oracle: the process' open files (Linux): they do not grow from 40 folders to 60; all are closed in the end."""
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        pytest.skip("only Linux tells")

    def count() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = count()
    ledgers = FolderLedgers(jobs, _open)
    for job in jobs[:40]:
        _make(ledgers, job)
    few = count()
    for job in jobs[40:]:
        _make(ledgers, job)
    assert before < few == count()
    ledgers.close()
    assert count() == before


def test_a_ledger_in_use_stays_open(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: a note through the ledger after all others were opened and closed, also from other threads."""
    monkeypatch.setattr(beside, "_OPEN", 1)
    ledgers = FolderLedgers(jobs, _open)
    with ledgers.of(jobs[0]) as ledger:
        before = ledger.begin(jobs[0], ledger.look(jobs[0]).mark)
        threads = [
            threading.Thread(target=lambda part=part: [_make(ledgers, job) for job in part])
            for part in (jobs[1:30], jobs[30:], jobs[1:30:2])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ledger.abandon(before)
    for job in jobs[1:]:
        with ledgers.of(job) as other:
            assert other.look(job).standing is Standing.DONE
    ledgers.close()


def test_a_ledger_is_let_go_by_whichever_thread_is_last(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the folder can be used again although the thread that opened it first still knows its ledger."""
    monkeypatch.setattr(beside, "_OPEN", 0)
    ledgers = FolderLedgers(jobs, _open)
    opened, over = threading.Event(), threading.Event()

    def first() -> None:
        with ledgers.of(jobs[0]) as ledger:
            opened.set()
            shared.wait(10)
        assert over.wait(10) and ledger is not None

    shared = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    assert opened.wait(10)
    with ledgers.of(jobs[0]):
        shared.set()
        time.sleep(0.1)  # the first user is through: this thread is the last
    with ledgers.of(jobs[0]) as again:
        assert again.look(jobs[0]).mark
    over.set()
    thread.join()
    ledgers.close()


def test_a_folder_that_cannot_be_used_fails_its_own_photos(jobs: list[Job]) -> None:
    """Oracle: the contract: held by another run, it gives PhotoError; the others are used, and none left is fatal."""
    ledgers = FolderLedgers(jobs[:3], _open)
    with _open(jobs[1].target.parent):
        assert ledgers.leftovers() == []
        with pytest.raises(PhotoError, match="another run"), ledgers.of(jobs[1]):
            pass
        assert judge(jobs[1], ledgers, overwrite=False) == Failure(
            jobs[1].name,
            "encode",
            f"another run is writing into {jobs[1].target.parent}: wait for it, or choose another -o",
        )
        _make(ledgers, jobs[2])
    _make(ledgers, jobs[1])
    ledgers.close()


def test_a_folder_is_one_runs(jobs: list[Job]) -> None:
    """Oracle: the contract of `Ledger`: another run is refused while the folder is held, and not after."""
    first, second = FolderLedgers(jobs[:1], _open), FolderLedgers(jobs[:1], _open)
    first.leftovers()
    with pytest.raises(ColorizeError, match="another run"):
        second.leftovers()
    first.close()
    assert second.leftovers() == []
    second.close()
