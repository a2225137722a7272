"""A remote folder: what is in it, files fetched from it and delivered to it, each whole or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from colorcli.errors import ColorizeError, PhotoError, UsageError
from colorcli.media.places import part_path
from colorcli.media.remote.address import Address
from colorcli.media.remote.drivers import close_driver, open_driver, puts_whole, renames
from colorcli.media.remote.faults import is_passing, is_refusal, reason_of

DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # s between tries: a server that is started again has half a minute
_FIRST_TRIES = 3  # again, of the first word with it: a misspelt name should not take long
_CONNECTIONS = 6  # at once; OpenSSH's server begins to refuse further logins at ten

T = TypeVar("T")


class GoneError(ColorizeError):
    """A store that does not answer any more: no other photo would fare better."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a store tells of a file without its bytes."""

    size: int  # bytes
    stamp: int  # another one when the file is: of its ETag, else the time of its last change, ns


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a remote folder."""

    name: str
    kind: str  # "file", "directory", "link", "other"
    facts: Facts


class Store:
    """The folder at an address. Safe to use from several threads.

    What fails on the way is tried again, up to half a minute; then a GoneError ends the run. What the server refuses is
    not: FileNotFoundError where a file is not there, PhotoError with the server's reason for anything else. No text
    of these says what is secret in the address.
    """

    def __init__(self, address: Address) -> None:
        """Connects. Errors: UsageError, also for a login that is refused; GoneError."""
        self.address = address
        self._root = ""
        self._idle: list[Any] = []
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        self._lock = threading.Lock()
        self._hurried = threading.Event()
        self._folders: set[str] = set()  # that are known to be there
        self._whole = puts_whole(address)
        self.renames = self._tried("reached", lambda driver: renames(driver, address), _FIRST_TRIES)

    def check_takes_results(self) -> None:
        """UsageError where a file would be seen under its name before it is whole."""
        if not (self._whole or self.renames):
            raise UsageError(
                f"{self.address} takes no results: over {self.address.protocol} no file can be put in place at once; "
                "sftp, s3, gs and az can"
            )

    def hurry(self) -> None:
        """Try nothing again from now on: the run is to end."""
        self._hurried.set()

    def close(self) -> None:
        """End the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for driver in idle:
            with suppress(Exception):  # of whatever kind: it is not used any more
                close_driver(driver)

    # what is there

    def facts(self, name: str) -> Facts | None:
        """Of the file at a path below the folder; None where there is none. Errors: PhotoError where it is a folder."""
        try:
            found = self._tried(f"{name} looked up", lambda driver: driver.info(self._path(name)))
        except FileNotFoundError:
            return None
        if found["type"] == "directory":
            raise PhotoError(f"{self.address.below(name)} is a folder")
        return _facts(found)

    def is_file(self) -> bool:
        """Whether the address is that of a file. Errors: FileNotFoundError where there is nothing."""
        return str(self._tried("looked up", lambda driver: driver.info(self._root))["type"]) == "file"

    def entries(self, folder: str) -> list[Entry]:
        """What a folder below this one holds, by name; links are what they lead to. Errors: FileNotFoundError."""

        def listed(driver: Any) -> list[Entry]:
            path = self._path(folder)
            entries = []
            for info in driver.ls(path, detail=True):
                name = str(info["name"]).rstrip("/").rpartition("/")[2]
                if not name or str(info["name"]).strip("/") == path.strip("/"):
                    continue  # the folder itself, as stores of objects have it
                linked = info["type"] == "link"
                entries.append(Entry(name, *self._led_to(driver, f"{path}/{name}", info) if linked else _seen(info)))
            return sorted(entries, key=lambda entry: entry.name)

        return self._tried(f"{folder or 'folder'} listed", listed)

    def _led_to(self, driver: Any, path: str, link: Mapping[str, Any]) -> tuple[str, Facts]:
        try:
            return _seen(driver.info(path))
        except OSError as error:  # a broken link, a loop of links
            if is_passing(error):
                raise
            return "other", _facts(link)

    # to and fro

    def fetch(self, name: str, place: Path) -> Facts:
        """Copy a file to `place`, whose folder is made if need be; what it was when it was read."""

        def copied(driver: Any) -> Facts:
            facts = _facts(driver.info(self._path(name)))
            driver.get_file(self._path(name), str(place))
            if place.stat().st_size != facts.size:
                raise ConnectionError(f"{place.stat().st_size} of {facts.size} bytes came")
            return facts

        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._tried(f"{name} fetched", copied)
        except BaseException:
            place.unlink(missing_ok=True)
            raise

    def deliver(self, place: Path, name: str) -> Facts:
        """Put a copy of the file at `place` under a name, all of it at once; what it is there."""
        size = place.stat().st_size
        part = name if self._whole else part_name(name)

        def put(driver: Any) -> Facts:
            self._make_folder(driver, name)
            driver.put_file(str(place), self._path(part))
            if part != name:
                if (come := int(driver.info(self._path(part))["size"])) != size:
                    raise ConnectionError(f"{come} of {size} bytes arrived")
                driver.mv(self._path(part), self._path(name))
            facts = _facts(driver.info(self._path(name)))
            if facts.size != size:
                raise ConnectionError(f"{facts.size} of {size} bytes arrived")
            return facts

        try:
            return self._tried(f"{name} delivered", put)
        except BaseException as error:
            if part != name and not isinstance(error, GoneError):
                with suppress(ColorizeError, OSError):  # the first error is the one to tell
                    self.remove(part)
            raise

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self._tried(f"{name} removed", lambda driver: driver.rm_file(self._path(name)))

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}" if name else self._root

    def _make_folder(self, driver: Any, name: str) -> None:
        """The folder of a file, and those above; stores of objects have none."""
        folder = self._path(name).rpartition("/")[0]
        if self._whole or not folder:
            return
        with self._lock:
            if folder in self._folders:
                return
        try:
            driver.makedirs(folder, exist_ok=True)
        except OSError:
            if not driver.isdir(folder):  # another thread was quicker
                raise
        with self._lock:
            self._folders.add(folder)

    # again, where the way there failed

    def _tried(self, what: str, work: Callable[[Any], T], tries: int | None = None) -> T:
        waits = iter(DELAYS[:tries])
        while True:
            try:
                with self._driver() as driver:
                    return work(driver)
            except (ColorizeError, FileNotFoundError):
                raise
            except Exception as error:  # of many kinds, by what the driver uses
                reason = self.address.masked(reason_of(error))
                if is_refusal(error):
                    raise UsageError(f"{self.address} does not let us in: {reason}") from None
                if not is_passing(error):
                    raise PhotoError(f"it cannot be {what} at {self.address}: {reason}") from None
                delay = next(waits, None)
                with self._lock:
                    self._folders.clear()  # the server may have been started anew, with another disk
                if delay is None or self._hurried.wait(delay):
                    raise GoneError(
                        f"{self.address} does not answer ({reason}); what was delivered is noted, the same command "
                        "goes on where it stopped"
                    ) from None

    @contextmanager
    def _driver(self) -> Iterator[Any]:
        """One that nobody else uses; after an error that may be its connection's it is not used again."""
        with self._free:
            with self._lock:
                driver = self._idle.pop() if self._idle else None
            if driver is None:
                driver, self._root = open_driver(self.address)
            try:
                yield driver
            except BaseException as error:
                if not isinstance(error, Exception) or is_passing(error):
                    with suppress(Exception):
                        close_driver(driver)
                else:
                    self._idle.append(driver)
                raise
            self._idle.append(driver)


def part_name(name: str) -> str:
    """The hidden name beside a file's under which it is delivered before it is whole."""
    return str(PurePosixPath(name).with_name(part_path(Path(PurePosixPath(name).name)).name))


def _seen(info: Mapping[str, Any]) -> tuple[str, Facts]:
    return str(info["type"]), _facts(info)


def _facts(info: Mapping[str, Any]) -> Facts:
    """Of what a driver tells, which is called otherwise in each."""
    known = {key.lower().replace("_", ""): value for key, value in info.items()}
    tag = known.get("etag")
    if tag:
        stamp = int.from_bytes(hashlib.sha256(str(tag).strip('"').encode()).digest()[:7])  # 7 bytes: sqlite has 63 bits
    else:
        names = ("mtime", "lastmodified", "modified", "updated", "created")
        time = next((known[name] for name in names if known.get(name)), 0)
        seconds = time.timestamp() if isinstance(time, datetime) else time
        stamp = int(float(seconds) * 1e9) if isinstance(seconds, int | float) else _stamp_of(str(seconds))
    return Facts(int(known.get("size") or 0), stamp)


def _stamp_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])
