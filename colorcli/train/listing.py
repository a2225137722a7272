"""Which files a source of training pictures holds, near or remote, and how to get at each."""

from __future__ import annotations

import io
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from colorcli.errors import ColorizeError, UsageError
from colorcli.media.places import COMPARISON, EXPLAINING, HINTS

PHOTO_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
SHARD_ENDINGS = (".tar", ".tar.gz", ".tgz")
INDEX = "index.csv.gz"  # beside shards: the members' splits and labels
MASK_ENDING = ".mask.png"
_NO_PHOTOS = (MASK_ENDING, HINTS, *EXPLAINING, COMPARISON)  # what lies beside photos and has a photo's ending


@dataclass(frozen=True, slots=True)
class Files:
    """What a source holds: the names inside it, in order, and how to get at one. Both ways raise OSError."""

    prefix: str  # of titles: the source's own name, or nothing where the source is a single file
    names: list[str]
    read: Callable[[str], bytes]
    open: Callable[[str], IO[bytes]]


def is_photo(name: str) -> bool:
    """Whether a path names a photo, by its ending. Hidden files (macOS' `._a.jpg`) and photos' sidecars are none."""
    path = PurePosixPath(name)
    if path.name.startswith(".") or path.name.lower().endswith(_NO_PHOTOS):
        return False
    return path.suffix.lower() in PHOTO_ENDINGS


def listed(source: str, damaged: list[str]) -> Files:
    """The files of a folder or below a URL; a single file alone, or with the index that lies beside a shard.

    Folders that cannot be read are added to `damaged` by name. Errors: UsageError for what does not exist or is no
    source; OSError where it cannot be listed at all.
    """
    return _remote(source) if "://" in source else _local(Path(source), damaged)


def _parts(name: str) -> list[str]:
    return name.split("/")


# near


def _local(path: Path, damaged: list[str]) -> Files:
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if not path.is_dir():
        if not path.name.endswith(SHARD_ENDINGS) and not is_photo(path.name):
            raise UsageError(f"{path} is neither a folder of photos nor a tar shard")
        if not _ends(path):
            raise UsageError(f"{path} is a pipe or a device; expected a file or a folder")
        beside = [INDEX] if (path.parent / INDEX).is_file() else []
        return _on_disk("", path.parent, [*beside, path.name])
    prefix = f"{path.resolve().name}/"

    def refused(error: OSError) -> None:
        damaged.append(f"{prefix}{os.path.relpath(error.filename, path)}: {type(error).__name__}: {error}")

    names = [one.relative_to(path).as_posix() for one in _below(path, refused) if _ends(one)]
    return _on_disk(prefix, path, sorted(names, key=_parts))


def _below(path: Path, refused: Callable[[OSError], None]) -> Iterator[Path]:
    """The files of a folder and of all folders below it, each folder once, however many links lead to it.

    Linked folders come last, so that no link hides a folder's own place. refused: told of each that cannot be read.
    """
    seen: set[tuple[int, int]] = set()  # device and inode: links in a circle end
    pending = deque([path])
    while pending:
        for folder, below, names in os.walk(pending.popleft(), onerror=refused):
            own = _identity(folder, refused)
            if own is None or own in seen:
                below.clear()
                continue
            seen.add(own)
            below.sort()
            pending += [link for name in below if (link := Path(folder, name)).is_symlink()]
            yield from (Path(folder, name) for name in names)


def _identity(folder: str, refused: Callable[[OSError], None]) -> tuple[int, int] | None:
    """Device and inode; None, and `refused` told, where the folder has gone meanwhile."""
    try:
        status = Path(folder).stat()
    except OSError as error:
        refused(error)
        return None
    return status.st_dev, status.st_ino


def _ends(path: Path) -> bool:
    """Whether it is no pipe or device, which would be read for ever. What cannot be looked at fails when it is read."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _on_disk(prefix: str, folder: Path, names: list[str]) -> Files:
    return Files(prefix, names, lambda name: (folder / name).read_bytes(), lambda name: (folder / name).open("rb"))


# remote


@contextmanager
def _back_end() -> Iterator[None]:
    """Errors of fsspec's back ends (botocore, aiohttp, google) have no ancestor in common: all become OSError."""
    try:
        yield
    except (OSError, ColorizeError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


class _RemoteStream(io.RawIOBase):
    """A remote file, read from front to back; its back end's errors are OSError."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _back_end():
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _remote(source: str) -> Files:
    """What lies under a URL that fsspec knows (s3://, gs://, memory://, https://, ...). Errors: UsageError, OSError."""
    import fsspec

    try:
        with _back_end():
            system, root = fsspec.core.url_to_fs(source)
    except OSError as error:
        if isinstance(error.__cause__, ImportError | ValueError):  # the back end is not installed, or unknown
            raise UsageError(f"cannot read {source}: {error.__cause__}") from None
        raise
    with _back_end():
        try:
            kind = system.info(root)["type"]
        except FileNotFoundError:
            raise UsageError(f"{source} does not exist") from None
        # A web server calls all things files; looking for what is below a shard would fetch the whole of it.
        if kind == "file" and (root.endswith(SHARD_ENDINGS) or is_photo(root)):
            folder, _, own = root.rpartition("/")
            prefix, places = "", {own: root}
            if own.endswith(SHARD_ENDINGS) and system.exists(f"{folder}/{INDEX}"):
                places[INDEX] = f"{folder}/{INDEX}"
        else:
            prefix = f"{PurePosixPath(source).name}/"
            places = {path.removeprefix(root).lstrip("/"): path for path in system.find(root)}

    def read(name: str) -> bytes:
        with _back_end():
            data: bytes = system.cat_file(places[name])
        return data

    def opened(name: str) -> IO[bytes]:
        with _back_end():
            return io.BufferedReader(_RemoteStream(system.open(places[name], "rb")))

    names = sorted(places, key=_parts)
    return Files(prefix, names, read, opened)
