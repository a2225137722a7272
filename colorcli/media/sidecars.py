"""Which drawing of colour hints goes with which photo: the one of its name, in whatever case."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from colorcli.media.formats import PHOTO_EXTENSIONS
from colorcli.media.places import EXPLAINING, HINTS, hints_path


def folded(name: str) -> str:
    """One text for all names that differ only in case or in how their accents are written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


@dataclass(slots=True)
class _Folder:
    """The names in a folder that matter here; empty where it cannot be listed."""

    own: dict[str, str] = field(default_factory=dict)  # stem of a photo -> drawing of just that stem
    others: dict[str, str] = field(default_factory=dict)  # folded stem -> drawing of no photo's very stem
    photos: set[str] = field(default_factory=set)  # folded stems


class Sidecars:
    """The drawings beside photos. Each folder is listed once, when it is first asked about."""

    def __init__(self) -> None:
        self._folders: dict[Path, _Folder] = {}

    def of(self, photo: Path) -> Path | None:
        """A photo's drawing: `a.hints.png` for `a.jpg`, else one that differs in case and is no other photo's."""
        exact = hints_path(photo)
        if os.path.lexists(exact):  # what cannot be read fails with its photo
            return exact
        folder = self._listed(photo.parent)
        name = folder.own.get(photo.stem) or folder.others.get(folded(photo.stem))
        return None if name is None else photo.with_name(name)

    def has_photo(self, drawing: Path) -> bool:
        """Whether a photo of the drawing's name lies beside it."""
        return folded(_stem(drawing.name)) in self._listed(drawing.parent).photos

    def _listed(self, path: Path) -> _Folder:
        if path not in self._folders:
            try:
                names = sorted(os.listdir(path))  # noqa: PTH208 - names are all that is needed
            except OSError:
                names = []
            drawings = [name for name in names if name.lower().endswith(HINTS)]
            stems = {Path(name).stem for name in names if _is_photo(name)}
            folder = self._folders[path] = _Folder(photos=set(map(folded, stems)))
            for name in drawings:
                stem = _stem(name)
                if stem in stems:
                    folder.own.setdefault(stem, name)
                else:
                    folder.others.setdefault(folded(stem), name)
        return self._folders[path]


def _stem(drawing: str) -> str:
    return drawing[: -len(HINTS)]


def _is_photo(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(tuple(PHOTO_EXTENSIONS)) and not lower.endswith((HINTS, *EXPLAINING))
