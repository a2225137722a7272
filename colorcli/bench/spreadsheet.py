"""Rows as CSV, with every digit: for a spreadsheet, or for who draws them."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from colorcli.errors import ColorizeError
from colorcli.media.places import part_path, whole_files


def check_writable(path: Path) -> None:
    """ColorizeError where the file cannot be written, before what it shall hold is measured."""
    part = part_path(path)
    if path.is_dir():
        raise ColorizeError(f"{path} is a folder; name a file")
    try:
        part.open("wb").close()
        part.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one or more rows under the keys of all of them, in their order; None and what a row lacks are empty.

    Floats have the digits that read back to the same value, infinity is `inf`. Errors: ColorizeError where the file
    cannot be written; what was there then stays.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        with whole_files(path) as (part,), part.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, names, restval="", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ColorizeError:
    where = os.fsdecode(path)
    return ColorizeError(f"{where} cannot be written: {error.strerror or error}; name another file")
