"""Where the small pictures of a page lie: in the page itself, or in a folder beside it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pyvips

from colorcli.media.places import THUMBNAIL
from colorcli.media.small import encoded_alike, within
from colorcli.report.template import picture_data

INLINE = 30  # results; of more, the pictures lie beside the page
_PAGE = 690_000  # bytes of all pictures in a page: base64 makes 920 kB of it, and a page shall be under 1 MB
_LONGEST = 720  # pixels: a card is up to 480 wide, and screens are dense
_REFERENCE = 160  # pixels
_BESIDE = 120_000  # bytes of a pair in files of its own
_SHARE = 0.1  # of the pictures' bytes, for a reference
_RUN = re.compile(r"run-[0-9a-f]{16}")  # the folder of one page's pictures


class Thumbnails(Protocol):
    """Keeps small pictures and says how a page names them."""

    def pair(self, pictures: Sequence[pyvips.Image]) -> list[str]:
        """Addresses of pictures that are compared, so they are of one size and quality."""

    def reference(self, picture: pyvips.Image, sha256: str) -> str:
        """Address of a reference's picture; it is kept once."""

    def keep(self) -> None:
        """The page is whole: what is left of older ones goes."""

    def drop(self) -> None:
        """There will be no page."""


class Inline:
    """In the page, as data. For a few results."""

    def __init__(self, place: Path, results: int) -> None:
        """place: of the page. results: that it will show; they share the bytes."""
        self._place = place
        self._share = _PAGE / max(1, results)
        self._references: dict[str, str] = {}

    def pair(self, pictures: Sequence[pyvips.Image]) -> list[str]:
        """As in `Thumbnails`."""
        shown = [within(one, _LONGEST) for one in pictures]
        return [picture_data(file) for file in encoded_alike(shown, round(self._share * (1 - _SHARE)))]

    def reference(self, picture: pyvips.Image, sha256: str) -> str:
        """As in `Thumbnails`."""
        if sha256 not in self._references:
            files = encoded_alike([within(picture, _REFERENCE)], round(self._share * _SHARE))
            self._references[sha256] = picture_data(files[0])
        return self._references[sha256]

    def keep(self) -> None:
        """As in `Thumbnails`."""
        _clear(files_folder(self._place))

    def drop(self) -> None:
        """Nothing lies elsewhere."""


class Beside:
    """In a folder of their own in `PAGE.files`, so that a page that is there keeps its pictures until a new one is."""

    def __init__(self, place: Path) -> None:
        """place: of the page. The folder is made. Errors: OSError."""
        self._all = files_folder(place)
        self._folder = self._all / f"run-{secrets.token_hex(8)}"
        self._folder.mkdir(parents=True)
        self._count = 0

    def pair(self, pictures: Sequence[pyvips.Image]) -> list[str]:
        """As in `Thumbnails`. Errors: OSError."""
        self._count += 1
        files = encoded_alike([within(one, _LONGEST) for one in pictures], _BESIDE)
        return [self._put(f"{self._count:06d}-{n}", file) for n, file in enumerate(files)]

    def reference(self, picture: pyvips.Image, sha256: str) -> str:
        """As in `Thumbnails`. Errors: OSError."""
        name = f"reference-{sha256[:16]}"
        if (self._folder / f"{name}{THUMBNAIL}").exists():
            return self._address(name)
        return self._put(name, encoded_alike([within(picture, _REFERENCE)], _BESIDE)[0])

    def _put(self, name: str, file: bytes) -> str:
        (self._folder / f"{name}{THUMBNAIL}").write_bytes(file)
        return self._address(name)

    def _address(self, name: str) -> str:
        return quote(os.fsencode(f"{self._all.name}/{self._folder.name}/{name}{THUMBNAIL}"))

    def keep(self) -> None:
        """As in `Thumbnails`."""
        _clear(self._all, self._folder)

    def drop(self) -> None:
        """As in `Thumbnails`."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):  # an older page's pictures are there
            self._all.rmdir()


def thumbnails(place: Path, results: int) -> Thumbnails:
    """What fits the number of results. Errors: OSError where the folder beside the page cannot be made."""
    return Inline(place, results) if results <= INLINE else Beside(place)


def files_folder(place: Path) -> Path:
    """The folder of a page's pictures: `report.html.files`."""
    return place.with_name(f"{place.name}.files")


def _clear(folder: Path, but: Path | None = None) -> None:
    """Remove the pictures of pages that are no more, and the folder if nothing else is in it."""
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if one != but and _RUN.fullmatch(one.name):
            shutil.rmtree(one, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()
