"""The ledgers of results that lie beside their photos: one in each folder that holds some."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Job
from colorcli.run.ledger import Ledger

_OPEN = 32  # ledgers that are open and in nobody's use; each takes a few of the process' files


@dataclass(slots=True)
class _Open:
    ledger: Ledger
    context: AbstractContextManager[Ledger]
    users: int = 0


class FolderLedgers:
    """The ledger of each folder, opened when a job of it comes and closed when it has long not been used.

    Safe to use from several threads. A folder is held from other runs while its ledger is open. `leftovers`, a run's
    beginning, waits for other runs; the first folder by name then stays held, so that a run over the same folders waits
    for all of this one.
    """

    def __init__(self, jobs: Sequence[Job], open_: Callable[[Path, bool], AbstractContextManager[Ledger]]) -> None:
        """open_: a folder's ledger, closed at the end of the context, and whether another run is waited for."""
        self._jobs, self._open = jobs, open_
        self._ledgers: OrderedDict[Path, _Open] = OrderedDict()
        self._lock = threading.Lock()
        self._first: Path | None = None  # stays open

    @contextmanager
    def of(self, job: Job, /) -> Iterator[Ledger]:
        """The ledger of the folder that the job's result lies in. Errors: PhotoError where it cannot be used."""
        with self._at(job.target.parent) as ledger:
            yield ledger

    @contextmanager
    def _at(self, folder: Path, *, waits: bool = False) -> Iterator[Ledger]:
        with self._lock:
            used = self._ledgers.get(folder)
            if used is None:
                context = self._open(folder, waits)
                try:
                    ledger = context.__enter__()
                except ColorizeError as error:  # of this folder: the others may do
                    raise PhotoError(str(error)) from error
                used = self._ledgers[folder] = _Open(ledger, context)
            self._ledgers.move_to_end(folder)
            used.users += 1
        try:
            yield used.ledger
        finally:
            with self._lock:
                used.users -= 1
                self._close_old()

    def _close_old(self) -> None:
        idle = [folder for folder, used in self._ledgers.items() if not used.users and folder != self._first]
        for folder in idle[: max(0, len(idle) - _OPEN)]:
            self._ledgers.pop(folder).context.__exit__(None, None, None)

    def leftovers(self) -> list[Path]:
        """Files that a killed run had begun in any of the folders. Errors: ColorizeError where none can be used."""
        found: list[Path] = []
        folders = {os.path.realpath(folder): folder for folder in {job.target.parent for job in self._jobs}}
        unusable: list[PhotoError] = []
        for _, folder in sorted(folders.items()):  # all runs in one order: no two wait for each other
            try:
                with self._at(folder, waits=True) as ledger:
                    self._first = self._first or folder
                    found += ledger.leftovers()
            except PhotoError as error:
                unusable.append(error)
        if unusable and len(unusable) == len(folders):
            raise ColorizeError(str(unusable[0]))
        return found

    def close(self) -> None:
        """Let go of all folders."""
        while self._ledgers:
            _, used = self._ledgers.popitem()
            used.context.__exit__(None, None, None)
