"""The ledger of finished work: which result was made from which content with which settings and weights."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from colorcli.errors import ColorizeError
from colorcli.items import Job

FOLDER = ".colorize"  # inside the output folder
_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    target TEXT PRIMARY KEY,   -- path below the output folder
    state TEXT NOT NULL,       -- 'begun' or 'done'
    content TEXT NOT NULL,     -- sha256 of the source's bytes
    source TEXT NOT NULL,      -- its real path
    source_size INTEGER NOT NULL, source_time INTEGER NOT NULL,  -- bytes, ns of its last change of data or place
    settings TEXT NOT NULL,    -- sha256 of the settings and the weights
    size INTEGER, time INTEGER -- of the result: bytes, ns
)
"""


class Row(NamedTuple):
    """A row of that table, without its target; fields in the table's order."""

    state: str
    content: str
    source: str
    source_size: int
    source_time: int
    settings: str
    size: int | None
    time: int | None


class Standing(Enum):
    """What the ledger knows of a job before it is done."""

    NEW = "new"
    DONE = "done"  # same content, settings and weights, and the result is there
    STALE = "stale"  # we made the result, but of other content or settings, or it was cut off: made again
    FOREIGN = "foreign"  # a file is in the way that this tool did not make, or that was changed since


@dataclass(frozen=True, slots=True)
class Mark:
    """A source as the ledger identifies it."""

    content: str  # sha256 of its bytes
    source: str  # real path
    size: int  # bytes
    time: int  # ns, st_ctime: unlike st_mtime it cannot be set back


def settings_key(settings: Mapping[str, Any]) -> str:
    """One hash for everything besides the source that decides a result's pixels and metadata."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def _as_text(path: str | Path) -> str:
    """A path for sqlite: names are bytes to the file system, and as Latin-1 any bytes are a text."""
    return os.fsencode(path).decode("latin-1")


class Ledger:
    """The ledger of one output folder. Safe to use from several threads; one process at a time holds it."""

    def __init__(self, out: Path, settings: str) -> None:
        """settings: from `settings_key`. A folder that cannot be written, or is in use, raises ColorizeError."""
        self._out = out
        self._settings = settings
        self._lock = threading.Lock()
        folder = out / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._held = FileLock(folder / "lock")
            self._held.acquire(timeout=0)
        except Timeout:
            raise ColorizeError(f"another run is writing into {out}: wait for it, or choose another -o") from None
        except OSError as error:
            raise ColorizeError(f"cannot write into the output folder {out}: {error.strerror}") from error
        try:
            self._rows = sqlite3.connect(folder / "ledger.sqlite3", check_same_thread=False, isolation_level=None)
            self._rows.execute("PRAGMA journal_mode=WAL")
            self._rows.execute(_SCHEMA)
        except sqlite3.Error as error:
            self._held.release()
            raise ColorizeError(f"the ledger {folder / 'ledger.sqlite3'} cannot be used: {error}; remove it") from error

    def close(self) -> None:
        """Let go of the folder."""
        self._rows.close()
        self._held.release()

    def _row(self, job: Job) -> Row | None:
        with self._lock:
            found = self._rows.execute(
                f"SELECT {', '.join(Row._fields)} FROM results WHERE target = ?", (self._name(job),)
            ).fetchone()
        return Row(*found) if found else None

    def _name(self, job: Job) -> str:
        return _as_text(job.target.relative_to(self._out))

    def look(self, job: Job) -> tuple[Standing, Mark]:
        """Where a job stands, and the mark of its source. OSError if the source cannot be read."""
        row = self._row(job)
        facts = job.source.stat()
        source = _as_text(os.path.realpath(job.source))
        if row and (row.source, row.source_size, row.source_time) == (source, facts.st_size, facts.st_ctime_ns):
            content = row.content  # the same file, unchanged by size and time: not read again
        else:
            with job.source.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
        mark = Mark(content, source, facts.st_size, facts.st_ctime_ns)
        try:
            result = job.target.stat()
        except (FileNotFoundError, NotADirectoryError):  # the second is told when the result cannot be written
            return Standing.NEW, mark
        if row is None:
            return Standing.FOREIGN, mark
        if row.state == "begun":  # killed while writing: whole or not, it is ours
            return Standing.STALE, mark
        if (row.size, row.time) != (result.st_size, result.st_mtime_ns):
            return Standing.FOREIGN, mark
        if row.content == mark.content:
            return (Standing.DONE if row.settings == self._settings else Standing.STALE), mark
        # Other content: the photo was changed in its place, or another photo would replace this one's result.
        return (Standing.STALE if row.source == mark.source else Standing.FOREIGN), mark

    def begin(self, job: Job, mark: Mark) -> Row | None:
        """Note that this result is about to be written. Returns what was noted before, for `abandon`."""
        before = self._row(job)
        with self._lock:
            self._rows.execute(
                "INSERT OR REPLACE INTO results VALUES (?, 'begun', ?, ?, ?, ?, ?, NULL, NULL)",
                (self._name(job), mark.content, mark.source, mark.size, mark.time, self._settings),
            )
        return before

    def abandon(self, job: Job, before: Row | None) -> None:
        """Note that nothing was written after all: what lies there is no more ours than it was before."""
        with self._lock:
            self._rows.execute("DELETE FROM results WHERE target = ?", (self._name(job),))
            if before is not None:
                self._rows.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (self._name(job), *before))

    def finish(self, job: Job) -> None:
        """Note that this result lies whole under its final name."""
        result = job.target.stat()
        with self._lock:
            self._rows.execute(
                "UPDATE results SET state = 'done', size = ?, time = ? WHERE target = ?",
                (result.st_size, result.st_mtime_ns, self._name(job)),
            )

    def leftovers(self) -> list[Path]:
        """Results that a killed run had begun: their `.part` files may lie about."""
        with self._lock:
            rows = self._rows.execute("SELECT target FROM results WHERE state = 'begun'").fetchall()
        return [self._out / os.fsdecode(str(row[0]).encode("latin-1")) for row in rows]
