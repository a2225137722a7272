"""A run over photos and films: first the photos, then the films."""

from __future__ import annotations

from collections.abc import Iterator

from colorcli.run.films import FilmsRun
from colorcli.run.local import LocalRun, Outcome


class MixedRun:
    """Iterate it for the outcomes."""

    def __init__(self, photos: LocalRun, films: FilmsRun) -> None:
        self._photos, self._films = photos, films

    def __iter__(self) -> Iterator[Outcome]:
        """Run. What a killed run left of either is removed first."""
        yield from self._photos
        yield from self._films

    def stop(self) -> None:
        """Begin no further photo and no further film."""
        self._photos.stop()
        self._films.stop()
