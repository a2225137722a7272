"""Where files lie: a result, its comparison, what is unfinished, the ledger; and how a file appears only when whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from colorcli.media.originals import open_regular

LEDGER = Path(".colorize", "ledger.sqlite3")  # below an output folder, which is known by it
BESIDE_LEDGER = LEDGER.with_name("beside.sqlite3")  # below a folder that holds results beside their photos
FILMS = "films"  # the folder beside a ledger that holds the finished shots of unfinished films
BESIDE = ".colorized"  # how the stem of a result ends that lies beside its photo
HINTS = ".hints.png"  # how the name of a photo's sidecar with colour hints ends
ATTENTION = ".attention.png"  # how the name of a map of where the network looked ends
MATCHES = (".match-colours.png", ".match-similarity.png", ".match-places.png")  # how the names of matches' pictures end
STAGES = ".stages.png"  # how the name of a picture of the steps to a result's colour ends
EXPLAINING = (ATTENTION, *MATCHES, STAGES)  # how the names of pictures end that show a method's way to a result
THUMBNAIL = ".report-thumbnail.webp"  # how the name of a small picture ends that belongs to a report
COMPARISON = ".compare.jpg"  # how the name of a before/after picture ends
_LONGEST_NAME = 255  # bytes; what file systems take


def sha256_of(path: Path) -> str:
    """The file's sha256, hexadecimal. Errors: OSError, also for what is no regular file."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def results_of(target: Path, compare: bool) -> tuple[Path, ...]:
    """What a job writes: its result and, if asked for, the comparison."""
    return (target, comparison_path(target)) if compare else (target,)


def comparison_path(target: Path) -> Path:
    """Where the before/after picture of a result lies: `a.jpg.compare.jpg`, so that a.jpg and a.png do not collide."""
    return _named_after(target, COMPARISON)


def attention_path(target: Path) -> Path:
    """Where the attention map of a result lies, were it in the result's folder: `a.jpg.attention.png`."""
    return _named_after(target, ATTENTION)


def match_paths(start: Path) -> tuple[Path, ...]:
    """Where the pictures of a result's matches lie, were they in its folder: `a.jpg.match-colours.png`, ..."""
    return tuple(_named_after(start, ending) for ending in MATCHES)


def stages_path(target: Path) -> Path:
    """Where the picture of a result's stages lies, were it in the result's folder: `a.jpg.stages.png`."""
    return _named_after(target, STAGES)


def hints_path(photo: Path) -> Path:
    """Where a photo's sidecar with colour hints lies: `a.hints.png` beside `a.jpg`."""
    return photo.with_name(photo.stem + HINTS)


def _named_after(target: Path, ending: str) -> Path:
    """The target's name with a further ending. One too long is cut, and told from others by a hash of the whole."""
    name = f"{target.name}{ending}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        whole = os.fsencode(target.name)
        name = f"{whole[:160].decode('utf-8', 'ignore')}.{hashlib.sha256(whole).hexdigest()}{ending}"
    return target.with_name(name)


def part_path(target: Path) -> Path:
    """The hidden name beside the target under which it is written before it is whole."""
    return _hidden(target, "part")


def held_path(target: Path) -> Path:
    """The hidden name beside the target of the pixels that are too many to be held in memory."""
    return _hidden(target, "held.v")  # the extension of libvips' own format


def _hidden(target: Path, kind: str) -> Path:
    name = f".{target.name}.{kind}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()}.{kind}"
    return target.with_name(name)


@contextmanager
def whole_files(
    *targets: Path, ready: Callable[[tuple[Path, ...]], None] = lambda _: None
) -> Iterator[tuple[Path, ...]]:
    """The `part_path` of each target, to be written; all are flushed to disk, then renamed, the first one last.

    ready: called with the parts when all are on the disk and none is renamed. On failure, its own too, all parts are
    removed. Errors: OSError where a part cannot be flushed or renamed.
    """
    parts = tuple(part_path(target) for target in targets)
    for part in parts:
        part.unlink(missing_ok=True)  # a link there would lead the writing elsewhere
    try:
        yield parts
        for part in parts:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        ready(parts)
        for part, target in reversed(list(zip(parts, targets, strict=True))):
            part.replace(target)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
