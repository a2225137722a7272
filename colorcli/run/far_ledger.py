"""The ledger of a run with a remote folder: the same table, but stores tell of the files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from colorcli.errors import PhotoError
from colorcli.items import Job
from colorcli.media.places import sha256_of
from colorcli.media.remote.places import Remote
from colorcli.media.remote.store import Facts, Store, part_name
from colorcli.run.ledger import Ledger
from colorcli.run.marks import Look, Mark, Written
from colorcli.run.rows import Row

_FOLDERS = 64  # of which is known what they hold; photos come folder by folder
_UNKNOWN = "not fetched: "  # and where it lies: the content of a photo that was not


class FarLedger(Ledger):
    """A ledger that fetches nothing to know a photo: a store's size and stamp of it say that it is the same.

    Where a photo that was coloured before has another stamp, it is fetched once for its content. The content of a photo
    that is to be coloured is noted when whoever coloured it says what it was.
    """

    def __init__(
        self,
        remote: Remote,
        source: Store | None,
        out: Store | None,
        place: Path,
        settings: str,
        *,
        compare: bool,
        file: Path,
    ) -> None:
        """place: the folder of the results, or the one that stands for it. file: where the ledger lies."""
        self._remote, self._source, self._store = remote, source, out
        self._lock = threading.Lock()
        self._known: OrderedDict[str, dict[str, Facts]] = OrderedDict()
        super().__init__(place, settings, compare=compare, file=file)

    def look(self, job: Job) -> Look:
        """As of `Ledger`; the path of a remote result is its URL."""
        look = super().look(job)
        name = self._remote.result_name(Path(look.path))
        if self._remote.out is None or name is None:
            return look
        return look._replace(path=self._remote.out.below(name))

    def _mark(self, job: Job) -> Mark:
        name = self._remote.source_name(job)
        if self._source is None or name is None:
            return super()._mark(job)
        facts = self._remote.facts[name]
        source = f"{self._source.address.identity}/{name}"
        settings = self._settings_of(job)
        row = self._rows.get(self._name(job.target))
        content = f"{_UNKNOWN}{source}"
        if row and (row.source, row.source_size, row.source_time) == (source, facts.size, facts.stamp):
            content = row.content
        elif row and row.state == "done" and self._seen(job.target) is not None:
            content = self._content(self._source, name)
            if content == row.content:  # it was touched, or moved: it need not be fetched again
                changed = row._replace(source=source, source_size=facts.size, source_time=facts.stamp)
                self._rows.put({self._name(job.target): changed})
        return Mark(content, source, facts.size, facts.stamp, settings)

    def _seen(self, path: Path) -> tuple[int, int] | None:
        name = self._remote.result_name(path)
        if self._store is None or name is None:
            return super()._seen(path)
        facts = self._listed(str(PurePosixPath(name).parent)).get(PurePosixPath(name).name)
        return None if facts is None else (facts.size, facts.stamp)

    def _listed(self, folder: str) -> dict[str, Facts]:
        """What lies in a remote folder of results."""
        folder = "" if folder == "." else folder
        with self._lock:
            known = self._known.get(folder)
        if known is None and self._store is not None:
            try:
                known = {entry.name: entry.facts for entry in self._store.entries(folder)}
            except FileNotFoundError:
                known = {}
            with self._lock:
                known = self._known.setdefault(folder, known)
                while len(self._known) > _FOLDERS:
                    self._known.popitem(last=False)
        return known or {}

    def _digest(self, path: Path) -> str:
        name = self._remote.result_name(path)
        if self._store is None or name is None:
            return super()._digest(path)
        return self._content(self._store, name)

    def _content(self, store: Store, name: str) -> str:
        """The sha256 of a remote file."""
        self._remote.work.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._remote.work) as folder:
            copy = Path(folder, "copy")
            store.fetch(name, copy)
            return sha256_of(copy)

    def begin(self, job: Job, mark: Mark) -> dict[str, Row | None]:
        """As of `Ledger`; what lies in the results' places is looked up anew."""
        if self._store is not None:
            for name in filter(None, map(self._remote.result_name, self.files(job))):
                self._learn(name, self._store.facts(name))
        return super().begin(job, mark)

    def finish(self, job: Job, written: Sequence[Written] | None = None) -> None:
        """As of `Ledger`. written: of a remote photo, first of all what was read."""
        if written is None:
            raise ValueError("what was delivered is known to whoever delivered it")
        files = self.files(job)
        read, results = (written[0], written[1:]) if len(written) > len(files) else (None, written)
        changes: dict[str, Row | None] = {}
        for path, seen in zip(files, results, strict=True):
            row = self._rows.get(self._name(path))
            if row is None:
                continue
            if read is not None:
                row = row._replace(content=read.digest, source_size=read.size, source_time=read.time)
            changes[self._name(path)] = row._replace(state="done", size=seen.size, time=seen.time, digest=seen.digest)
            if (name := self._remote.result_name(path)) is not None:
                self._learn(name, Facts(seen.size, seen.time))
        self._rows.put(changes)

    def _learn(self, name: str, facts: Facts | None) -> None:
        """Of a file, what is known of its folder is otherwise now."""
        place = PurePosixPath(name)
        with self._lock:
            known = self._known.get("" if str(place.parent) == "." else str(place.parent))
            if known is not None and facts is not None:
                known[place.name] = facts
            elif known is not None:
                known.pop(place.name, None)

    def leftovers(self) -> list[Path]:
        """As of `Ledger`; parts at the store are removed at once."""
        begun = super().leftovers()
        for path in begun:
            if self._store is not None and (name := self._remote.result_name(path)) is not None:
                try:
                    self._store.remove(part_name(name))
                except PhotoError:  # it is in nobody's way, and its photo says what is wrong there
                    continue
        return begun
