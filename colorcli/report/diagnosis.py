"""The report of `doctor`: what a bug report needs, as text or JSON, and nothing of the person who writes it."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from colorcli.errors import ColorizeError
from colorcli.media.places import whole_files
from colorcli.run.doctor import Finding

ENDINGS = (".txt", ".json")
_TITLE = "report of colorize doctor"
_PUBLIC = frozenset({"root", "localhost"})  # names that are nobody's
_SHORT = 4  # letters; shorter names are replaced as words alone, or they would be found in every text


def is_ours(beginning: str) -> bool:
    """Whether a file that begins so is such a report."""
    return beginning.lstrip('{ \n"').startswith(_TITLE)


def write_diagnosis(place: Path, findings: Sequence[Finding], machine: dict[str, Any]) -> None:
    """Write the report, as JSON where its name ends so. Errors: ColorizeError."""
    told = {"findings": [{"what": one.what, "found": one.found, "sound": one.sound} for one in findings], **machine}
    content = _without(told, _names())
    as_json = place.suffix.lower() == ".json"
    text = json.dumps({_TITLE: content}, indent=2) if as_json else "\n".join([_TITLE, *_lines(content)])
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole_files(place) as (part,):
            part.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ColorizeError(f"the report {place} cannot be written ({error.strerror or error})") from error


def _names() -> dict[str, str]:
    """What tells who somebody is and on which machine, and what stands for it; the longest first."""
    homes = {os.path.expanduser("~"), os.environ.get("USERPROFILE", "")}  # noqa: PTH111 - Path.home may raise
    homes = {path for home in homes for path in (home.rstrip(os.sep), os.path.realpath(home)) if len(path) > 1 and home}
    users = {os.path.basename(home) for home in homes}  # noqa: PTH119 - a text
    users |= {os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    with suppress(OSError, KeyError, ImportError):  # nobody of that number
        users.add(getpass.getuser())
    hosts = {platform.node(), os.environ.get("HOSTNAME", "")}
    hosts |= {host.split(".")[0] for host in hosts}
    hidden = dict.fromkeys(hosts, "HOST") | dict.fromkeys(users, "USER") | dict.fromkeys(homes, "~")
    return {name: hidden[name] for name in sorted(hidden, key=len, reverse=True) if name and name not in _PUBLIC}


def _without(value: Any, names: dict[str, str]) -> Any:
    """The same with these names replaced in all its texts."""
    if isinstance(value, dict):
        return {key: _without(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_without(one, names) for one in value]
    if not isinstance(value, str):
        return value
    for name, stands in names.items():
        border = ("(?<![A-Za-z0-9])", "(?![A-Za-z0-9])") if len(name) < _SHORT else ("", "")
        value = re.sub(re.escape(name).join(border), stands, value)
    return value


def _lines(content: dict[str, Any]) -> Iterator[str]:
    for topic, told in content.items():
        yield f"\n{topic}"
        rows = told if isinstance(told, list) else [told]
        for row in rows:
            if not isinstance(row, dict):
                yield f"  {row}"
            elif "sound" in row:
                yield f"  {'ok ' if row['sound'] else 'BAD'}  {row['what']:<18} {row['found']}"
            elif isinstance(told, list):
                yield "  " + ", ".join(f"{name} {value}" for name, value in row.items())
            else:
                yield from (f"  {name}: {value}" for name, value in row.items())
