"""A run's log: one JSON object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from colorcli.errors import ColorizeError
from colorcli.media.places import whole_files

LOG = "log.jsonl"  # in the run's folder


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The entries of a run's log, none where there is none; half a line, as a power loss leaves it, is passed over."""
    entries: list[dict[str, Any]] = []
    path = folder / LOG
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):
            entries.append(json.loads(line))
    return entries


def append(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Write one entry and return it as written: numbers that are not finite become null, which JSON has a word for."""
    written = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in entry.items()}
    try:
        with (folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(written) + "\n")
    except OSError as error:
        raise ColorizeError(f"cannot write {folder / LOG}: {error}") from error
    return written


def keep_until(folder: Path, step: int) -> None:
    """Drop what a broken sitting logged after its last checkpoint: those steps are done again."""
    kept = [entry for entry in read_log(folder) if entry["step"] <= step]
    with whole_files(folder / LOG) as (part,):
        part.write_text("".join(json.dumps(entry) + "\n" for entry in kept), encoding="utf-8")
