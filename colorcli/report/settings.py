"""What a person asked for, told on a page: the options that are not as they are by default."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from colorcli.items import FilmOptions
from colorcli.run.request import Request

_TOLD_ELSEWHERE = {"method", "weights", "device", "precision", "size", "films", "choices", "stylizes"}
_DECIDE_NOTHING = frozenset(  # of the results
    {"batch", "workers", "verbosity", "overwrite", "max_pixels", "in_place", "engine", "address", "remote"}
)


def settings_of(request: Request) -> dict[str, str]:
    """By name, the settings that were chosen; of files and folders the last name alone, for a path may tell of people.

    How many references each photo had to choose from is told as `references to choose from`.
    """
    chosen = {
        field.name.replace("_", " "): _told(getattr(request, field.name))
        for field in fields(request)
        if field.name not in _TOLD_ELSEWHERE | _DECIDE_NOTHING and getattr(request, field.name) != _default(field)
    }
    if request.strength == 1:
        chosen.pop("strength")
    if request.choices:
        chosen["references to choose from"] = str(len(request.choices))
    films = FilmOptions()
    for field in fields(films):
        if getattr(request.films, field.name) != getattr(films, field.name):
            chosen[f"films: {field.name}"] = _told(getattr(request.films, field.name))
    return chosen


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Path):
        return value.name
    if isinstance(value, tuple):
        return ", ".join(map(_told, value)) if all(isinstance(one, Path) for one in value) else str(len(value))
    return f"{value:g}" if isinstance(value, float) else str(value)
