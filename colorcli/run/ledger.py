"""The ledger of finished work: which result was made from which content with which settings and weights."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from colorcli.checkpoints.store import sha256_of
from colorcli.errors import ColorizeError
from colorcli.items import Job
from colorcli.media.places import LEDGER, results_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    target TEXT PRIMARY KEY,   -- path from the output folder, of a result, a comparison or an attention map
    state TEXT NOT NULL,       -- 'begun' or 'done'
    content TEXT NOT NULL,     -- sha256 of the source's bytes
    source TEXT NOT NULL,      -- its real path
    source_size INTEGER NOT NULL, source_time INTEGER NOT NULL,  -- bytes, ns of its last change of data or place
    settings TEXT NOT NULL,    -- sha256 of the settings, the weights and the photo's hints
    size INTEGER, time INTEGER, -- of the result: bytes, ns
    digest TEXT                -- of the result: sha256; NULL in rows of the first schema, which had none
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
    settings: str  # sha256 of what else decides the result: settings, weights, hints


class Look(NamedTuple):
    """What a look at a job found."""

    standing: Standing
    mark: Mark
    path: Path  # the result, or the comparison or attention map where that is what is foreign


def settings_key(settings: Mapping[str, Any]) -> str:
    """One hash for everything besides the source that decides a result's pixels and metadata."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def _as_text(path: str | Path) -> str:
    """A path for sqlite: names are bytes to the file system, and as Latin-1 any bytes are a text."""
    return os.fsencode(path).decode("latin-1")


class Ledger:
    """The ledger of one output folder. Safe to use from several threads; one process at a time holds it."""

    def __init__(self, out: Path, settings: str, *, compare: bool = False, folder: Path | None = None) -> None:
        """settings: from `settings_key`. compare: each result has a comparison, which is noted and judged as it is.
        folder: where the ledger lies, if not in `out`.

        A folder that cannot be written, or is in use, raises ColorizeError.
        """
        self._out = out
        self._settings = settings
        self._compare = compare
        self._lock = threading.Lock()
        folder = folder or (out / LEDGER).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._held = FileLock(folder / "lock")
            self._held.acquire(timeout=0)
        except Timeout:
            raise ColorizeError(f"another run is writing into {out}: wait for it, or choose another -o") from None
        except OSError as error:
            raise ColorizeError(f"cannot write into the output folder {out}: {error.strerror}") from error
        try:
            self._rows = sqlite3.connect(folder / LEDGER.name, check_same_thread=False, isolation_level=None)
            self._rows.execute("PRAGMA journal_mode=WAL")
            self._prepare()
        except sqlite3.Error as error:
            self._held.release()
            raise ColorizeError(f"the ledger {out / LEDGER} cannot be used: {error}; remove it") from error

    def _prepare(self) -> None:
        """Make the table, or bring that of the first schema up to date."""
        self._rows.execute(_SCHEMA)
        columns = [name for _, name, *_ in self._rows.execute("PRAGMA table_info(results)")]
        if columns == ["target", *Row._fields[:-1]]:
            self._rows.execute("ALTER TABLE results ADD COLUMN digest TEXT")
        elif columns != ["target", *Row._fields]:
            raise sqlite3.DatabaseError("it is of another version of colorize")

    def close(self) -> None:
        """Let go of the folder."""
        self._rows.close()
        self._held.release()

    def _row(self, path: Path) -> Row | None:
        with self._lock:
            found = self._rows.execute(
                f"SELECT {', '.join(Row._fields)} FROM results WHERE target = ?", (self._name(path),)
            ).fetchone()
        return Row(*found) if found else None

    def _name(self, path: Path) -> str:
        return _as_text(os.path.relpath(path, self._out))  # an attention map may lie elsewhere

    def _files(self, job: Job) -> tuple[Path, ...]:
        """All that a job writes."""
        results = results_of(job.target, self._compare)
        return results if job.attention is None else (*results, job.attention)

    def look(self, job: Job) -> Look:
        """Where a job stands, its files taken together. OSError if the source or its sidecar cannot be read."""
        mark = self._mark(job)
        found = [(self._standing(path, mark), path) for path in self._files(job)]
        for standing, path in found:
            if standing is Standing.FOREIGN:
                return Look(standing, mark, path)
        standings = {standing for standing, _ in found}
        return Look(standings.pop() if len(standings) == 1 else Standing.STALE, mark, job.target)

    def _mark(self, job: Job) -> Mark:
        row = self._row(job.target)
        facts = job.source.stat()
        source = _as_text(os.path.realpath(job.source))
        if row and (row.source, row.source_size, row.source_time) == (source, facts.st_size, facts.st_ctime_ns):
            content = row.content  # the same file, unchanged by size and time: not read again
        else:
            content = sha256_of(job.source)
        return Mark(content, source, facts.st_size, facts.st_ctime_ns, self._settings_of(job))

    def _settings_of(self, job: Job) -> str:
        """The settings and this photo's hints: other hints make another result of the same photo."""
        if job.sidecar is None and not job.dots:
            return self._settings
        drawing = None if job.sidecar is None else sha256_of(job.sidecar)
        dots = [astuple(dot) for dot in job.dots]
        return settings_key({"settings": self._settings, "drawing": drawing, "dots": dots})

    def _standing(self, path: Path, mark: Mark) -> Standing:
        row = self._row(path)
        try:
            result = path.stat()
        except (FileNotFoundError, NotADirectoryError):  # the second is told when the result cannot be written
            return Standing.NEW
        if row is None:
            return Standing.FOREIGN
        if row.state == "begun":  # killed while writing: whole or not, it is ours
            return Standing.STALE
        if row.size != result.st_size or not (row.time == result.st_mtime_ns or self._is_copy(path, row, result)):
            return Standing.FOREIGN
        if row.content == mark.content:
            return Standing.DONE if row.settings == mark.settings else Standing.STALE
        # Other content: the photo was changed in its place, or another photo would replace this one's result.
        return Standing.STALE if row.source == mark.source else Standing.FOREIGN

    def _is_copy(self, path: Path, row: Row, result: os.stat_result) -> bool:
        """Whether a result of another time is ours by its content, as in a folder that was copied or restored."""
        try:
            if row.digest is None or sha256_of(path) != row.digest:
                return False
        except OSError:  # it cannot be read: nobody knows whose it is
            return False
        with self._lock:  # so that it is read once
            self._rows.execute("UPDATE results SET time = ? WHERE target = ?", (result.st_mtime_ns, self._name(path)))
        return True

    def begin(self, job: Job, mark: Mark) -> list[Row | None]:
        """Note that this job's files are about to be written. Returns what was noted before, for `abandon`."""
        paths = self._files(job)
        before = [self._row(path) for path in paths]
        noted = (mark.content, mark.source, mark.size, mark.time, mark.settings)
        with self._lock:
            self._rows.executemany(
                "INSERT OR REPLACE INTO results VALUES (?, 'begun', ?, ?, ?, ?, ?, NULL, NULL, NULL)",
                [(self._name(path), *noted) for path in paths],
            )
        return before

    def abandon(self, job: Job, before: list[Row | None]) -> None:
        """Note that nothing was written after all: what lies there is no more ours than it was before."""
        for path, row in zip(self._files(job), before, strict=True):
            with self._lock:
                self._rows.execute("DELETE FROM results WHERE target = ?", (self._name(path),))
                if row is not None:
                    values = ", ".join("?" * (1 + len(row)))
                    self._rows.execute(f"INSERT INTO results VALUES ({values})", (self._name(path), *row))

    def finish(self, job: Job) -> None:
        """Note that this job's files lie whole under their final names."""
        for path in self._files(job):
            result, digest = path.stat(), sha256_of(path)
            with self._lock:
                self._rows.execute(
                    "UPDATE results SET state = 'done', size = ?, time = ?, digest = ? WHERE target = ?",
                    (result.st_size, result.st_mtime_ns, digest, self._name(path)),
                )

    def leftovers(self) -> list[Path]:
        """Files that a killed run had begun: their parts may lie about."""
        with self._lock:
            rows = self._rows.execute("SELECT target FROM results WHERE state = 'begun'").fetchall()
        names = [os.fsdecode(str(row[0]).encode("latin-1")) for row in rows]
        return [Path(os.path.normpath(self._out / name)) for name in names]


@contextmanager
def copied_ledger(out: Path, settings: str, *, compare: bool = False) -> Iterator[Ledger]:
    """A copy of the output folder's ledger, to look at: `out` is neither written nor held. Errors: ColorizeError."""
    with TemporaryDirectory(prefix="colorize-") as folder:
        for name in (LEDGER.name, f"{LEDGER.name}-wal"):  # the second holds what a killed run noted last
            try:
                with suppress(FileNotFoundError):
                    shutil.copyfile((out / LEDGER).with_name(name), Path(folder, name))
            except OSError as error:
                raise ColorizeError(f"cannot read the ledger in {out}: {error.strerror}") from error
        ledger = Ledger(out, settings, compare=compare, folder=Path(folder))
        try:
            yield ledger
        finally:
            ledger.close()
