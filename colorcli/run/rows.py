"""The table behind the ledger: one row per file that a run made or was about to make."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from colorcli.errors import ColorizeError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    target TEXT PRIMARY KEY,   -- path from the output folder, of a result or a picture that goes with it
    state TEXT NOT NULL,       -- 'begun' or 'done'
    content TEXT NOT NULL,     -- sha256 of the source's bytes
    source TEXT NOT NULL,      -- its real path
    source_size INTEGER NOT NULL, source_time INTEGER NOT NULL,  -- bytes, ns of its last change of data or place
    settings TEXT NOT NULL,    -- sha256 of the settings, the weights, the photo's hints, its reference and regions
    size INTEGER, time INTEGER, -- of the result: bytes, ns; in 'begun', of a file in its place that is not ours
    digest TEXT                -- of the result: sha256; in 'begun', of what is about to take its photo's own place;
                               -- NULL in rows of the first schema, which had none
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
    digest: str | None


def as_text(path: str | Path) -> str:
    """A path for sqlite: names are bytes to the file system, and as Latin-1 any bytes are a text."""
    return os.fsencode(path).decode("latin-1")


def as_path(text: str) -> Path:
    """The path that `as_text` made a text of."""
    return Path(os.fsdecode(text.encode("latin-1")))


class Rows:
    """The table in a file. Safe to use from several threads. Errors, of every method: ColorizeError."""

    def __init__(self, file: Path) -> None:
        """The file is made if need be; a table of the first schema is brought up to date."""
        self._file = file
        self._lock = threading.Lock()
        with self._told():
            self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._prepare()

    def _prepare(self) -> None:
        self._connection.execute(_SCHEMA)
        columns = [name for _, name, *_ in self._connection.execute("PRAGMA table_info(results)")]
        if columns == ["target", *Row._fields[:-1]]:
            self._connection.execute("ALTER TABLE results ADD COLUMN digest TEXT")
        elif columns != ["target", *Row._fields]:
            raise sqlite3.DatabaseError("it is of another version of colorize")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """One thread at a time, sqlite's errors as ours."""
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise unusable(self._file, error) from error

    def get(self, target: str) -> Row | None:
        """The row of a target, as `as_text` writes it."""
        with self._told():
            query = f"SELECT {', '.join(Row._fields)} FROM results WHERE target = ?"
            found = self._connection.execute(query, (target,)).fetchone()
        return Row(*found) if found else None

    def put(self, changes: Mapping[str, Row | None]) -> None:
        """Give targets these rows, or none; all of them, or nothing where the process is killed meanwhile."""
        values = ", ".join("?" * (1 + len(Row._fields)))
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for target, row in changes.items():
                    if row is None:
                        self._connection.execute("DELETE FROM results WHERE target = ?", (target,))
                    else:
                        self._connection.execute(f"INSERT OR REPLACE INTO results VALUES ({values})", (target, *row))
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # sqlite itself may have rolled back
                    self._connection.execute("ROLLBACK")
                raise

    def add(self, other: Path, *, prefer_other: bool) -> None:
        """As of `join_rows`."""
        how = "REPLACE" if prefer_other else "IGNORE"
        columns = ", ".join(("target", *Row._fields))
        with self._told():
            self._connection.execute("ATTACH ? AS other", (str(other),))
            try:
                self._connection.execute(
                    f"INSERT OR {how} INTO results ({columns}) SELECT {columns} FROM other.results"
                )
            finally:
                self._connection.execute("DETACH other")

    def begun(self) -> list[str]:
        """The targets whose rows were begun and not done, in the order in which they were."""
        with self._told():
            found = self._connection.execute("SELECT target FROM results WHERE state = 'begun' ORDER BY rowid")
            return [str(target) for (target,) in found]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def unusable(file: Path, error: sqlite3.Error) -> ColorizeError:
    """What sqlite's error means: only a file that is no ledger is to be removed."""
    no_ledger = type(error) is sqlite3.DatabaseError  # its children: locked, unreadable, a full disk
    remedy = "remove it" if no_ledger else "check that folder, its permissions and its free space, then run again"
    return ColorizeError(f"the ledger {file} cannot be used: {error}; {remedy}")


def copy_rows(file: Path, copy: Path) -> None:
    """Copy the table as of now, also while a run writes to it; beside `file` nothing is written or held.

    Errors: ColorizeError. A file that is not there gives no copy.
    """
    if not os.path.lexists(file):
        return
    log, index = (file.with_name(file.name + ending) for ending in ("-wal", "-shm"))
    how = "immutable=1"  # without a log nobody writes; sqlite would make an index file all the same
    if log.exists():
        how = "mode=ro&readonly_shm=1" if index.exists() else "mode=ro"
    source = target = None
    try:
        source = sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True)
        target = sqlite3.connect(copy)
        source.backup(target)
    except sqlite3.Error as error:
        raise unusable(file, error) from error
    finally:
        for connection in (source, target):
            if connection is not None:
                connection.close()


def join_rows(file: Path, other: Path, *, prefer_other: bool) -> None:
    """Add the rows of another table to that in `file`, also while a run writes to it. Errors: ColorizeError.

    prefer_other: of targets that both have, the other's rows count.
    """
    Rows(other).close()  # up to date
    rows = Rows(file)
    try:
        rows.add(other, prefer_other=prefer_other)
    finally:
        rows.close()
