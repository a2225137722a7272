"""The manifest of shipped weights: one TOML table per file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from colorcli.errors import WeightsError
from colorcli.media.places import whole_files


@dataclass(frozen=True, slots=True)
class Entry:
    """One weights file."""

    file: str  # name inside the weights folder
    method: str
    variant: str
    sha256: str  # of the file's bytes, hexadecimal
    bytes: int
    licence: str
    source: str  # how the weights came to be


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """The entries of a manifest; WeightsError if it is missing, malformed or cannot be read."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("weights", [])
        return tuple(Entry(**table) for table in tables)
    except FileNotFoundError:
        raise WeightsError(f"the weights' manifest is missing: {path}; install colorize again") from None
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"the weights' manifest {path} cannot be read ({reason}); check its permissions") from None
    except (tomllib.TOMLDecodeError, TypeError, UnicodeDecodeError) as error:
        raise WeightsError(f"the weights' manifest {path} is damaged ({error}); install colorize again") from None


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Write the entries, sorted by file, `.part` first."""
    lines = ["# Made by `colorize weights export`; read by the store.\n"]
    for entry in sorted(entries, key=lambda item: item.file):
        lines.append("[[weights]]")
        for field in fields(Entry):
            value = asdict(entry)[field.name]
            lines.append(f"{field.name} = {value if isinstance(value, int) else _quoted(str(value))}")
        lines.append("")
    with whole_files(path) as (part,):
        part.write_text("\n".join(lines), encoding="utf-8")


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's as well; the delete character is the one that only TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
