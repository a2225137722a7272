"""The training pictures of a folder, tar shard or URL, and what their places and neighbours say of them."""

from __future__ import annotations

import csv
import gzip
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Self

from colorcli.media.places import LEDGER
from colorcli.train.listing import INDEX, MASK_ENDING, SHARD_ENDINGS, Files, is_photo, listed

_CLASS_ENDING = ".cls"  # WebDataset's: the class as a number or a name
_HELD_OUT_FOLDERS = {"val", "validation", "test"}
_SPLITS = {"train", *_HELD_OUT_FOLDERS}
_HELD_OUT = 50  # where nothing else says so, every 50th name (by its checksum) is for validation
_UNREADABLE = (tarfile.TarError, EOFError, zlib.error, OSError, ValueError)  # what a bad shard raises
_BAD_INDEX = (OSError, EOFError, zlib.error, ValueError, csv.Error)

_Rows = dict[str, tuple[str, str | None]]  # of one shard: member -> split, label; empty: none; None: not said


@dataclass(slots=True)
class Member:
    """A picture of a source, not yet read."""

    name: str  # inside the source; a shard's begins with the shard's
    title: str  # the same for a person, beginning with the source's own name
    read: Callable[[], bytes]  # raises OSError
    label: str  # empty: none
    held_out: bool | None  # as its folder or an index says; None: neither does
    chosen: bool  # whether the checksum of its name holds it out where nothing else is said
    mask: Callable[[], bytes] | None = None  # raises OSError
    numbered_by: str = ""  # where the label is a class's number (.cls): the folder whose numbers it is one of


def placed(path: str) -> tuple[str, bool | None]:
    """The label and whether a picture is held out, by its path inside a folder or a shard.

    The label is the name of the folder that it lies in, unless that is a split's: train, val, validation or test. What
    lies in one of the last three at the top is held out, what lies in the first is not; of others the path does not
    say it: None.
    """
    folders = PurePosixPath(path).parent.parts
    held_out = folders[0] in _HELD_OUT_FOLDERS if folders and folders[0] in _SPLITS else None
    return (folders[-1] if folders and folders[-1] not in _SPLITS else ""), held_out


def members(source: str, damaged: list[str]) -> Iterator[Member]:
    """Every picture of a folder, shard, single file or URL, in the order of its names.

    What the tool writes or reads beside photos is none: masks, hints, comparisons, attention maps, and all below a
    `.colorize` folder. A shard or index that cannot be read is added to `damaged` by name, and the others go on; so is
    a remote source that cannot be listed. Errors: UsageError for what does not exist or is no source.
    """
    try:
        files = listed(source, damaged)
    except OSError as error:
        damaged.append(f"{source}: cannot be listed: {type(error).__name__}: {error}")
        return
    here = {name for name in files.names if LEDGER.parts[0] not in name.split("/")}
    numbers = _numbers_of(source)
    indexes: dict[str, dict[str, _Rows]] = {}  # by folder
    for name in files.names:
        if name not in here:
            continue
        if name.endswith(SHARD_ENDINGS):
            folder, _, own = name.rpartition("/")
            if folder not in indexes:
                index = f"{folder}/{INDEX}".lstrip("/")
                indexes[folder] = _index(files, index, damaged) if index in here else {}
            yield from _shard(files, name, indexes[folder].get(own, {}), numbers, damaged)
        elif is_photo(name):
            label, held_out = placed(name)
            mask = name.removesuffix(PurePosixPath(name).suffix) + MASK_ENDING
            yield Member(
                name,
                files.prefix + name,
                partial(files.read, name),
                label,
                held_out,
                _chosen(name),
                partial(files.read, mask) if mask in here else None,
            )


def _numbers_of(source: str) -> str:
    """Where a source's classes are numbered: the folder, or the folder of a shard; of `train` and `val`, above both."""
    folder = posixpath.dirname(source) if source.endswith(SHARD_ENDINGS) else source
    place = PurePosixPath(folder if "://" in folder else Path(folder).resolve())
    return str(place.parent if place.name in _SPLITS else place)


def _chosen(name: str) -> bool:
    return zlib.crc32(name.encode(errors="surrogateescape")) % _HELD_OUT == 0


class _Header(tarfile.TarInfo):
    """A member's header. tarfile takes one that is spoilt for the archive's end, and says nothing of the rest."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not buf.strip(b"\0"):  # the archive's own end
                raise
            raise tarfile.ReadError(f"{error}, where a member or the archive's end should be") from None


def _index(files: Files, name: str, damaged: list[str]) -> dict[str, _Rows]:
    """The rows of an index, by shard; without any, and `damaged` told, if it cannot be read.

    A row with an empty label says that its picture has none; one without that column leaves it to the path.
    """
    indexed: dict[str, _Rows] = {}
    try:
        with files.open(name) as stream, gzip.open(stream, "rt", encoding="utf-8", newline="") as text:
            rows = csv.DictReader(text)
            if missing := {"shard", "member", "split"} - set(rows.fieldnames or ()):
                raise ValueError(f"it lacks the columns {', '.join(sorted(missing))}")
            for row in rows:
                label = row.get("label")
                if label:
                    label = "/".join(filter(None, (row.get("source"), label)))
                shard, member, split = (row[column] or "" for column in ("shard", "member", "split"))
                indexed.setdefault(PurePosixPath(shard).name, {})[_plain(member)] = (split, label)
    except _BAD_INDEX as error:
        damaged.append(f"{files.prefix}{name}: not used: {type(error).__name__}: {error}")
        return {}
    return indexed


def _plain(name: str) -> str:
    """`./a.png`, as `tar -c .` writes it, is `a.png`."""
    return PurePosixPath(name).as_posix()


def _shard(files: Files, shard: str, rows: _Rows, numbers: str, damaged: list[str]) -> Iterator[Member]:
    """The pictures of a shard, up to where it cannot be read any further, which is noted in `damaged`."""
    try:
        with files.open(shard) as stream, _opened(stream) as archive:
            yield from _archived(archive, shard, files.prefix, rows, numbers)
    except _UNREADABLE as error:
        damaged.append(f"{files.prefix}{shard}: the rest is unreadable: {type(error).__name__}: {error}")


def _opened(stream: IO[bytes]) -> tarfile.TarFile:
    """Errors: those of _UNREADABLE."""
    try:
        return tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Header)
    except AttributeError as error:  # Python 3.11.2 reads further fields of a gzip header before it knows zlib's errors
        raise tarfile.ReadError("its gzip header is damaged") from error


def _archived(archive: tarfile.TarFile, shard: str, prefix: str, rows: _Rows, numbers: str) -> Iterator[Member]:
    """The pictures of an open shard, with what stands beside them under the same key (WebDataset's layout).

    What neither the index nor the path inside the shard says, the shard's own path may. Where one of the two paths
    holds a picture out, it is held out.
    """
    beside: dict[str, bytes] = {}  # masks and classes of the current key, whichever comes first
    pending: list[Member] = []
    key = ""
    outer_label, outer_held_out = placed(shard)

    def finished() -> Iterator[Member]:
        for member in pending:
            if (mask := beside.get(MASK_ENDING)) is not None:
                member.mask = partial(bytes, mask)
            if _CLASS_ENDING in beside:
                member.label = beside[_CLASS_ENDING].decode(errors="replace").strip()
                member.numbered_by = numbers if member.label.isdecimal() else ""
            yield member
        pending.clear()
        beside.clear()

    try:
        for item in archive:
            name = _plain(item.name)
            ending = next((e for e in (MASK_ENDING, _CLASS_ENDING) if name.endswith(e)), PurePosixPath(name).suffix)
            known = ending in (MASK_ENDING, _CLASS_ENDING) or is_photo(name)
            stream = archive.extractfile(item) if known and item.isfile() else None
            if stream is None or LEDGER.parts[0] in name.split("/"):
                continue
            if (found := name.removesuffix(ending)) != key:
                yield from finished()
                key = found
            if ending in (MASK_ENDING, _CLASS_ENDING):
                beside[ending] = stream.read()
                continue
            split, label = rows.get(name, ("", None))
            inner_label, held_out = placed(name)
            if split:
                held_out = split in _HELD_OUT_FOLDERS
            elif held_out is None or outer_held_out:
                held_out = outer_held_out
            inside = f"{shard}/{name}"
            data = partial(bytes, stream.read())
            if label is None:
                label = inner_label or outer_label
            pending.append(Member(inside, prefix + inside, data, label, held_out, _chosen(name)))
    except _UNREADABLE:
        yield from finished()  # they are whole
        raise
    yield from finished()
