"""Which files are films. Without PyAV, which runs over photos alone need not load."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyvips

from colorcli.errors import PhotoError
from colorcli.items import FilmOptions
from colorcli.media.formats import FILM_EXTENSIONS
from colorcli.media.libvips import VipsError

_ANIMATED = frozenset({".gif", ".webp"})


def is_film(source: Path, target: Path) -> bool:
    """Whether a job is a film's: by its name, or an animation that becomes one of its kind."""
    suffix = source.suffix.lower()
    return suffix in FILM_EXTENSIONS or (suffix == target.suffix.lower() and is_animation(source))


def is_animation(path: Path) -> bool:
    """Whether it is a GIF or WebP of several pages; False for what cannot be read."""
    if path.suffix.lower() not in _ANIMATED:
        return False
    try:
        return page_count(path) > 1
    except VipsError:
        return False


def page_count(path: Path) -> int:
    """Of a GIF or WebP. Errors: VipsError."""
    image = pyvips.Image.new_from_file(os.fsencode(path))
    return int(image.get("n-pages")) if image.get_typeof("n-pages") else 1


def film_extensions(options: FilmOptions) -> Callable[[Path], str]:
    """The extension of each film's result; a film that cannot be read fails later, by name. Each is looked at once."""

    @cache
    def extension(path: Path) -> str:
        from colorcli.media.films.codecs import ANYTHING, container_of
        from colorcli.media.films.encoding import film_extension
        from colorcli.media.films.header import read_header

        try:
            return film_extension(path, read_header(path), options)[0]
        except PhotoError:
            return path.suffix if container_of(path) is not None else ANYTHING

    return extension
