"""The ledger of a remote output folder: used on this machine, kept there for others."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from colorcli.errors import ColorizeError
from colorcli.media.places import LEDGER
from colorcli.media.remote.store import Facts, Store
from colorcli.run.rows import copy_rows, join_rows

_NAME = LEDGER.as_posix()
_FIRST_PAUSE = 30.0  # s until it is sent in a run; each pause is twice as long as the one before
_LONGEST_PAUSE = 300.0
_SHARE = 20  # a pause is so many times as long as sending took: a ledger of a million photos is no small file


class LedgerCopy:
    """What a store has of a ledger, and this machine. For one thread."""

    def __init__(self, store: Store, state: Path) -> None:
        """state: the folder of this machine that keeps it."""
        self._store, self._state = store, state
        self.file = state / LEDGER.name
        self._noted = state / "sent"  # of what is there, what it was when this machine last looked
        self._pause, self._sent = _FIRST_PAUSE, time.monotonic()

    def bring(self) -> None:
        """Add what others noted there since. Errors: ColorizeError."""
        facts = self._store.facts(_NAME)
        if facts is not None and not self._knows(facts):
            self._join(self.file, prefer_other=True)
            self._note(facts)

    def copied_to(self, file: Path) -> None:
        """Make a copy with what is known here and there; nothing else is written. Errors: ColorizeError."""
        copy_rows(self.file, file)
        facts = self._store.facts(_NAME)
        if facts is not None and not self._knows(facts):
            self._join(file, prefer_other=True)

    def send(self) -> None:
        """Deliver it, with what others noted there meanwhile. Errors: ColorizeError."""
        start = time.monotonic()
        facts = self._store.facts(_NAME)
        if facts is not None and not self._knows(facts):
            self._join(self.file, prefer_other=False)
        with TemporaryDirectory(dir=self._state) as folder:
            copy = Path(folder, LEDGER.name)
            copy_rows(self.file, copy)
            if copy.exists():
                self._note(self._store.deliver(copy, _NAME))
        self._sent = time.monotonic()
        self._pause = max(min(2 * self._pause, _LONGEST_PAUSE), _SHARE * (self._sent - start))

    def send_at_times(self) -> None:
        """`send`, if that is long ago. Errors: ColorizeError."""
        if time.monotonic() - self._sent > self._pause:
            self.send()

    def _join(self, file: Path, *, prefer_other: bool) -> None:
        with TemporaryDirectory(prefix="colorize-") as folder:
            there = Path(folder, LEDGER.name)
            try:
                self._store.fetch(_NAME, there)
            except FileNotFoundError:  # somebody has removed it since
                return
            try:
                join_rows(file, there, prefer_other=prefer_other)
            except ColorizeError as error:
                place = self._store.address.below(_NAME)
                raise ColorizeError(str(error).replace(str(there), place)) from error

    def _knows(self, facts: Facts) -> bool:
        return self.file.exists() and self._noted.exists() and self._noted.read_text() == _text(facts)

    def _note(self, facts: Facts) -> None:
        self._noted.write_text(_text(facts))


def _text(facts: Facts) -> str:
    return f"{facts.size} {facts.stamp}"
