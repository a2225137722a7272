"""What a killed run leaves in the ledger: it licenses nothing, and a note is there whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colorcli.errors import ColorizeError
from colorcli.items import Job
from colorcli.media.places import LEDGER, comparison_path
from colorcli.run.ledger import Ledger, copied_ledger
from colorcli.run.marks import Standing
from colorcli.run.rows import Rows

_LATER = 10**9  # ns added to a file's time where a test must not hang on the clock's grain


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "a.jpg").write_bytes(b"source")
    (tmp_path / "out").mkdir()
    return Job(tmp_path / "a.jpg", tmp_path / "out" / "a.jpg", "a.jpg")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "out", "settings", compare=True)
    yield ledger
    ledger.close()


def _replace(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + _LATER))


def test_a_file_that_was_not_ours_is_not_after_a_kill(job: Job, ledger: Ledger) -> None:
    """Oracle: killed under --overwrite before anything was renamed: what lies there is what a person put there. The
    second kill says the same; once the file is another one, the killed run had replaced it."""
    job.target.write_bytes(b"theirs")
    for _ in range(2):
        assert ledger.look(job).standing is Standing.FOREIGN
        ledger.begin(job, ledger.look(job).mark)
    _replace(job.target, b"result")
    assert ledger.look(job).standing is Standing.STALE


def test_an_edited_result_is_not_ours_after_a_kill(job: Job, ledger: Ledger) -> None:
    """Oracle: as above, of a result that a person had retouched; the comparison beside it stays ours."""
    for path in (job.target, comparison_path(job.target)):
        ledger.begin(job, ledger.look(job).mark)
        path.write_bytes(b"result")
    comparison_path(job.target).write_bytes(b"result")
    ledger.finish(job)
    _replace(job.target, b"retouched")
    ledger.begin(job, ledger.look(job).mark)
    look = ledger.look(job)
    assert (look.standing, look.path) == (Standing.FOREIGN, job.target)
    _replace(job.target, b"made again")
    assert ledger.look(job).standing is Standing.STALE


def test_what_was_ours_stays_so_after_a_kill(job: Job, ledger: Ledger) -> None:
    """Oracle: killed while a result of older settings was made again: it is not for a person to say --overwrite."""
    ledger.begin(job, ledger.look(job).mark)
    for path in (job.target, comparison_path(job.target)):
        path.write_bytes(b"result")
    ledger.finish(job)
    ledger.begin(job, ledger.look(job).mark)
    assert ledger.look(job).standing is Standing.STALE


def test_another_photo_does_not_take_a_killed_ones_place(job: Job, ledger: Ledger, tmp_path: Path) -> None:
    """Oracle: the rule of finished results: another photo's result is not to be replaced; a copy of the photo may."""
    ledger.begin(job, ledger.look(job).mark)
    job.target.write_bytes(b"result, but not noted")
    other = tmp_path / "b.jpg"
    other.write_bytes(b"another photo")
    assert ledger.look(Job(other, job.target, "b.jpg")).standing is Standing.FOREIGN
    other.write_bytes(b"source")
    assert ledger.look(Job(other, job.target, "b.jpg")).standing is Standing.STALE


class _Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["begin", "finish", "abandon"])
def test_a_note_is_whole_or_not_there(step: str, job: Job, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: a second connection after the kill between a note's two rows: both are as they were before the note."""
    before = ledger.begin(job, ledger.look(job).mark) if step != "begin" else {}
    for path in (job.target, comparison_path(job.target)):
        path.write_bytes(b"result")

    def rows() -> list[Any]:
        return sqlite3.connect(job.target.parent / LEDGER).execute("SELECT * FROM results ORDER BY target").fetchall()

    noted = rows()
    assert len(noted) == (0 if step == "begin" else 2)

    class Cut:
        """The connection, killed at the second row."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection, self._changes = connection, 0

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

        def execute(self, statement: str, *values: object) -> object:
            self._changes += statement.startswith(("INSERT", "DELETE"))
            if self._changes == 2:
                raise _Killed
            return self._connection.execute(statement, *values)  # type: ignore[arg-type]

    mark = ledger.look(job).mark
    monkeypatch.setattr(ledger._rows, "_connection", Cut(ledger._rows._connection))
    with pytest.raises(_Killed):
        {"begin": lambda: ledger.begin(job, mark), "finish": lambda: ledger.finish(job)}.get(
            step, lambda: ledger.abandon(before)
        )()
    monkeypatch.undo()
    assert rows() == noted


def test_a_locked_ledger_is_not_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: sqlite's own lock, held by another connection: the error says neither to remove the ledger nor that it
    is damaged; a file that is no database is to be removed, by a run and by a rehearsal."""
    Ledger(tmp_path, "settings").close()
    connect = sqlite3.connect
    monkeypatch.setattr("colorcli.run.rows.sqlite3.connect", lambda *a, **k: connect(*a, **k | {"timeout": 0}))
    other = connect(tmp_path / LEDGER, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ColorizeError, match="locked") as caught:
        Rows(tmp_path / LEDGER)
    assert "remove" not in str(caught.value)
    other.close()
    (tmp_path / LEDGER).write_bytes(b"this is no database, but long enough to be looked at as one " * 20)
    with pytest.raises(ColorizeError, match="remove it"), copied_ledger(tmp_path, "settings"):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_ledger_is_not_to_be_removed(tmp_path: Path) -> None:
    """Oracle: the file's permissions: sqlite says that it cannot open it."""
    Ledger(tmp_path, "settings").close()
    (tmp_path / LEDGER).chmod(0)
    with pytest.raises(ColorizeError, match="permissions") as caught, copied_ledger(tmp_path, "settings"):
        pass
    assert "remove" not in str(caught.value)


def test_a_ledger_is_copied_while_it_is_written(job: Job, ledger: Ledger) -> None:
    """Oracle: half of a note is not in the copy: an open transaction of the holder's, ended after the copy."""
    ledger.begin(job, ledger.look(job).mark)
    connection = ledger._rows._connection
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM results WHERE target = 'a.jpg'")
    with copied_ledger(job.target.parent, "settings") as copy:
        assert {path.name for path in copy.leftovers()} == {"a.jpg", comparison_path(job.target).name}
    connection.execute("ROLLBACK")
