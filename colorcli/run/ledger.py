"""The ledger of finished work: which result was made from which content with which settings and weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from filelock import FileLock, Timeout

from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Job
from colorcli.media.places import FILMS, LEDGER, sha256_of
from colorcli.media.unwritable import unwritable
from colorcli.run.in_place import standing_in_place
from colorcli.run.marks import Look, Mark, Standing, Written, files_of, settings_key, written_at
from colorcli.run.rows import Row, Rows, as_path, as_text, copy_rows

_PATIENCE = 0.2  # s between two looks at a folder that another run holds


class Ledgers(Protocol):
    """The ledger of each job: one of the output folder, or one of each folder that holds results."""

    def of(self, job: Job, /) -> AbstractContextManager[Ledger]:
        """The job's ledger, open while the context is. Errors: PhotoError where there can be none for this job."""

    def leftovers(self) -> list[Path]:
        """Files that a killed run had begun: their parts may lie about. Errors: ColorizeError where none can be."""


class Ledger:
    """The ledger of one output folder. Safe to use from several threads; one process at a time holds it."""

    def __init__(
        self,
        out: Path,
        settings: str,
        *,
        compare: bool = False,
        file: Path | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """settings: from `settings_key`. compare: each result has a comparison, which is noted and judged as it is, but
        for one that several share: that is a job of its own.
        file: where the ledger lies, if not at LEDGER in `out`. say: told once that another run holds the folder, which
        is then waited for; None: that is an error.

        A folder that cannot be written, or is in use, raises ColorizeError; so does every method whose note or look-up
        fails, as on a full disk.
        """
        self._out = out
        self._settings = settings
        self._compare = compare
        file = file or out / LEDGER
        self._folder = file.parent
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._held = FileLock(file.with_name("lock"), thread_local=False)  # the last user may be any thread
            hold(self._held, str(out), say)
        except OSError as error:
            raise ColorizeError(f"cannot write into the output folder {out}: {error.strerror}") from error
        try:
            self._rows = Rows(file)
        except ColorizeError:
            self._held.release()
            raise

    def close(self) -> None:
        """Let go of the folder."""
        self._rows.close()
        self._held.release()

    @contextmanager
    def of(self, _: Job, /) -> Iterator[Ledger]:
        """Itself: every job's result lies in its folder."""
        yield self

    def _name(self, path: Path) -> str:
        return as_text(os.path.relpath(path, self._out))  # an attention map may lie elsewhere

    def files(self, job: Job) -> tuple[Path, ...]:
        """As of `files_of`."""
        return files_of(job, self._compare)

    def look(self, job: Job) -> Look:
        """Where a job stands, its files taken together. A comparison that it shares counts if it is missing or foreign.

        Errors: OSError if the source or its sidecar cannot be read; PhotoError if nobody can tell what lies in a
        result's place.
        """
        mark = self._mark(job)
        found = [(self._standing_of(job, path, mark), path) for path in self.files(job)]
        if job.in_place and found[0][0] in (Standing.DONE, Standing.KEPT):
            return Look(found[0][0], mark, job.target)  # nothing beside it can be made again
        if job.together is not None:
            shared = self._standing(job.together, mark)  # what else it was made from is the comparison's own affair
            found += [(shared, job.together)] if shared in (Standing.NEW, Standing.FOREIGN) else []
        for standing, path in found:
            if standing is Standing.FOREIGN:
                return Look(standing, mark, path)
        standings = {standing for standing, _ in found}
        return Look(standings.pop() if len(standings) == 1 else Standing.STALE, mark, job.target)

    def _mark(self, job: Job) -> Mark:
        row = self._rows.get(self._name(job.target))
        facts = job.source.stat()
        source = as_text(os.path.realpath(job.source))
        if row and (row.source, row.source_size, row.source_time) == (source, facts.st_size, facts.st_ctime_ns):
            content = row.content  # the same file, unchanged by size and time: not read again
        elif job.in_place and row and row.digest and (row.size, row.time) == (facts.st_size, facts.st_mtime_ns):
            content = row.digest  # its result, likewise
        else:
            content = sha256_of(job.source)
        return Mark(content, source, facts.st_size, facts.st_ctime_ns, self._settings_of(job))

    def _settings_of(self, job: Job) -> str:
        """What decides besides the photo: the settings; its hints, reference, segments and seed, or the results it
        shows."""
        own: dict[str, Any] = {}
        if job.sidecar is not None or job.dots:
            own["drawing"] = None if job.sidecar is None else sha256_of(job.sidecar)
            own["dots"] = [astuple(dot) for dot in job.dots]
        if job.reference is not None:
            own["reference"] = job.reference.sha256
        if job.segments is not None:
            own["segments"] = job.segments.sha256
        if job.seed is not None:
            own["seed"] = job.seed
        if job.film is not None:
            own["film"] = astuple(job.film)
        if job.shows:
            own["shows"] = [self._settings_of(one) for one in job.shows]
        return settings_key({"settings": self._settings, **own}) if own else self._settings

    def _standing_of(self, job: Job, path: Path, mark: Mark) -> Standing:
        """Where one of a job's files stands. A result in its photo's place whose note was cut off is noted as done."""
        if not (job.in_place and path == job.target):
            return self._standing(path, mark)
        name, facts = self._name(path), path.stat()
        row = self._rows.get(name)
        standing = standing_in_place(row, mark, facts)
        ours = standing in (Standing.DONE, Standing.KEPT)
        if row and ours and (row.state, row.time) != ("done", facts.st_mtime_ns):
            self._rows.put({name: row._replace(state="done", size=facts.st_size, time=facts.st_mtime_ns)})
        return standing

    def _standing(self, path: Path, mark: Mark) -> Standing:
        row = self._rows.get(self._name(path))
        seen = self._seen(path)
        if seen is None:
            return Standing.NEW
        if row is None:
            return Standing.FOREIGN
        if row.state == "begun":  # killed while writing
            if (row.size, row.time) == seen:
                return Standing.FOREIGN  # before it took its place: there still lies what was not ours
        elif row.size != seen[0] or not (row.time == seen[1] or self._is_copy(path, row, seen[1])):
            return Standing.FOREIGN
        if row.content == mark.content:
            same = row.state == "done" and row.settings == mark.settings
            return Standing.DONE if same else Standing.STALE
        # Other content: the photo was changed in its place, or another photo would replace this one's result.
        return Standing.STALE if row.source == mark.source else Standing.FOREIGN

    def _seen(self, path: Path) -> tuple[int, int] | None:
        """Size and time of what lies in a result's place, as in `Written`; None for nothing. Errors: PhotoError."""
        try:
            facts = path.stat()
        except (FileNotFoundError, NotADirectoryError):  # the second is told when the result cannot be written
            return None
        except OSError as error:
            raise unwritable("the result", path, error.strerror or str(error)) from error
        return facts.st_size, facts.st_mtime_ns

    def _digest(self, path: Path) -> str:
        """The sha256 of a result. Errors: OSError."""
        return sha256_of(path)

    def _is_copy(self, path: Path, row: Row, time: int) -> bool:
        """Whether a result of another time is ours by its content, as in a folder that was copied or restored."""
        try:
            if row.digest is None or self._digest(path) != row.digest:
                return False
        except OSError:  # it cannot be read: nobody knows whose it is
            return False
        self._rows.put({self._name(path): row._replace(time=time)})  # so that it is read once
        return True

    def begin(self, job: Job, mark: Mark) -> dict[str, Row | None]:
        """Note that this job's files are about to be written. Returns what was noted before, for `abandon`.

        Also noted is what lies in their places and is not ours: a killed run must not make it so. Errors: PhotoError
        where nobody can tell.
        """
        names = {path: self._name(path) for path in self.files(job)}
        before = {name: self._rows.get(name) for name in names.values()}
        begun = Row("begun", mark.content, mark.source, mark.size, mark.time, mark.settings, None, None, None)
        changes: dict[str, Row | None] = {}
        for path, name in names.items():
            changes[name] = begun
            foreign = self._standing_of(job, path, mark) in (Standing.FOREIGN, Standing.KEPT)
            if foreign and (seen := self._seen(path)) is not None:
                changes[name] = begun._replace(size=seen[0], time=seen[1])
        self._rows.put(changes)
        return before

    def abandon(self, before: Mapping[str, Row | None]) -> None:
        """Note that nothing was written after all: what lies there is no more ours than it was before."""
        self._rows.put(before)

    def seal(self, job: Job, parts: Sequence[Path]) -> None:
        """Note what is about to take its photo's own place, so that it is known there after a kill.

        parts: of its files, in their order, whole. Errors: PhotoError where the photo is not what was coloured.
        """
        name = self._name(job.target)
        row = self._rows.get(name)
        if not job.in_place or row is None:
            return
        facts = job.source.stat()
        if (facts.st_size, facts.st_ctime_ns) != (row.source_size, row.source_time):
            raise PhotoError("the photo was changed while it was coloured and is left as it is; run again")
        self._rows.put({name: row._replace(digest=sha256_of(parts[0]))})

    def finish(self, job: Job, written: Sequence[Written] | None = None) -> None:
        """Note that this job's files lie whole under their final names. Errors: OSError where one cannot be read.

        written: what whoever wrote them saw of `files`, in that order; None: they are read here.
        """
        files = self.files(job)
        changes: dict[str, Row | None] = {}
        for path, seen in zip(files, map(written_at, files) if written is None else written, strict=True):
            name = self._name(path)
            row = self._rows.get(name)
            if row is not None:  # it was begun
                changes[name] = row._replace(state="done", size=seen.size, time=seen.time, digest=seen.digest)
        self._rows.put(changes)

    def stages_folder(self, job: Job) -> Path:
        """Where what is finished of a film lies until the film is. It may not be there."""
        return self._folder / FILMS / hashlib.sha256(self._name(job.target).encode()).hexdigest()[:16]

    def has_stage(self, path: Path, mark: Mark) -> bool:
        """Whether a finished piece of a film is there, of this content and these settings. Errors: PhotoError."""
        return self._standing(path, mark) is Standing.DONE

    def note_stage(self, path: Path, mark: Mark) -> None:
        """Note that a piece of a film lies whole under its name. Errors: OSError where it cannot be read."""
        facts, (content, source, size, time, settings) = path.stat(), astuple(mark)
        row = Row("done", content, source, size, time, settings, facts.st_size, facts.st_mtime_ns, None)
        self._rows.put({self._name(path): row})

    def drop_stages(self, job: Job) -> None:
        """Remove the pieces of a film, and what is noted of them."""
        folder = self.stages_folder(job)
        pieces = list(folder.iterdir()) if folder.is_dir() else []
        for path in pieces:
            path.unlink(missing_ok=True)
        self._rows.put({self._name(path): None for path in pieces})
        with suppress(OSError):  # other films have pieces there, or there are none
            folder.rmdir()
            folder.parent.rmdir()

    def leftovers(self) -> list[Path]:
        """Files that a killed run had begun: their parts may lie about."""
        return [Path(os.path.normpath(self._out / as_path(name))) for name in self._rows.begun()]


def hold(lock: FileLock, out: str, say: Callable[[str], None] | None) -> None:
    """Take the lock of `out`. say: as of `Ledger`. Errors: ColorizeError where another run has it; OSError."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if say is None:
            raise ColorizeError(f"another run is writing into {out}: wait for it, or choose another -o") from None
        say(f"another run is writing into {out}: waiting until it is through")
        lock.acquire(poll_interval=_PATIENCE)


@contextmanager
def copied_ledger(out: Path, settings: str, *, compare: bool = False, file: Path | None = None) -> Iterator[Ledger]:
    """A copy of the output folder's ledger, to look at: `out` is neither written nor held. Errors: ColorizeError.

    file: where the ledger lies, if not at LEDGER in `out`.
    """
    with TemporaryDirectory(prefix="colorize-") as folder:
        copy = Path(folder, LEDGER.name)
        copy_rows(file or out / LEDGER, copy)
        ledger = Ledger(out, settings, compare=compare, file=copy)
        try:
            yield ledger
        finally:
            ledger.close()
