"""A film looked through once before it is coloured: its frames' times, its shots, its damage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from colorcli.errors import PhotoError
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.reading import frames_of

# libav's scdet: the mean difference to the frame before, 0..100, or how much that grew if less: steady motion counts
# little. On real cuts we found 19; motion, film grain and fades gave up to 4.
_CUT = 10.0
_FLASH = 5  # frames; a picture that is back after fewer was not left: a flash, a splice, a damaged frame
_BACK = 0.35  # of the difference that looked like a cut: what is as near as that to the frame before is back
_WIDTH = 160  # pixels, of the picture that is compared: grain is averaged away
_COARSE = (12, 9)  # width and height at which pictures are compared over a flash
_LEAST = 3.0  # 8-bit steps; a flash to a picture nearer than that leaves no cut


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames between two cuts."""

    first: int  # number of its first frame, from 0
    end: int  # that of the next shot's

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def middle(self) -> int:
        """The frame that stands for it."""
        return (self.first + self.end) // 2


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found."""

    shots: tuple[Shot, ...]
    times: Sequence[int]  # of each frame, in the header's unit
    durations: Sequence[int]  # 0: untold
    damage: dict[int, str] = field(default_factory=dict)  # frame -> reading.DAMAGED or MISSING
    interlaced: int = 0  # frames that are

    def __len__(self) -> int:
        return len(self.times)

    def as_json(self) -> str:
        """For `scan_from`."""
        return json.dumps({**asdict(self), "shots": [(shot.first, shot.end) for shot in self.shots]})


def scan_from(text: str) -> Scan:
    """What `as_json` wrote. Errors: ValueError, KeyError, TypeError for anything else."""
    told: dict[str, Any] = json.loads(text)
    shots = tuple(Shot(*pair) for pair in told.pop("shots"))
    damage = {int(frame): str(kind) for frame, kind in told.pop("damage").items()}
    return Scan(shots, damage=damage, **told)


def scan(header: FilmHeader) -> Scan:
    """Look through the film. 16 bytes a frame are kept. Errors: PhotoError, also where there is no frame."""
    times: list[int] = []
    durations: list[int] = []
    damage: dict[int, str] = {}
    interlaced = 0

    def seen() -> Iterator[VideoFrame]:
        nonlocal interlaced
        for frame in frames_of(header, deinterlace=False):
            if frame.damage:
                damage[len(times)] = frame.damage
            interlaced += frame.picture.interlaced_frame
            times.append(frame.time)
            durations.append(frame.duration)
            yield frame.picture

    cuts = find_cuts(seen(), header)
    if not times:
        raise PhotoError("it has no frame that can be decoded; expected a film")
    borders = [0, *cuts, len(times)]
    shots = tuple(Shot(first, end) for first, end in pairwise(borders))
    return Scan(shots, times, durations, damage, interlaced)


def find_cuts(pictures: Iterator[VideoFrame], header: FilmHeader) -> list[int]:
    """The numbers of the frames that begin a new shot. Flashes of fewer than five frames, and fades, are no cuts."""
    cuts: list[int] = []
    suspect: _Suspect | None = None
    last: NDArray[np.int16] | None = None
    quiet = -1  # the last frame whose score does not count
    for number, (score, small) in enumerate(_compared(pictures, header)):
        if suspect is not None:
            if suspect.is_left_by(small):
                suspect, quiet = None, number + 1  # after a flash scdet takes any motion for a cut
            elif number - suspect.frame >= _FLASH:
                cuts.append(suspect.frame)
                suspect = None
        elif score >= _CUT and last is not None and number > quiet:
            suspect = _Suspect(number, last, float(np.abs(small - last).mean()))
        last = small
    return cuts if suspect is None else [*cuts, suspect.frame]


@dataclass(frozen=True, slots=True)
class _Suspect:
    """What looks like a cut."""

    frame: int
    before: NDArray[np.int16]  # the last picture before it
    change: float  # 8-bit steps, the mean difference

    def is_left_by(self, small: NDArray[np.int16]) -> bool:
        """Whether the picture before it is back."""
        return float(np.abs(small - self.before).mean()) < max(_BACK * self.change, _LEAST)


def _compared(pictures: Iterator[VideoFrame], header: FilmHeader) -> Iterator[tuple[float, NDArray[np.int16]]]:
    """Each picture's score, and its gray values, so coarse that some motion does not matter.

    The second's is by how much it differs more than the third: for scdet, motion at the beginning is a cut.
    """
    width = min(_WIDTH, header.width)
    height = max(2, round(header.height * width / header.width))
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=VideoFormat("gray"), time_base=header.unit)
    graph.link_nodes(source, graph.add("scdet", "threshold=100"), graph.add("buffersink")).configure()
    second: tuple[float, NDArray[np.int16]] | None = None  # mean difference to the first, gray values
    for number, picture in enumerate(pictures):
        small = picture.reformat(width=width, height=height, format="gray", interpolation="AREA")
        small.pts, small.time_base = number, header.unit
        graph.vpush(small)
        scored = graph.vpull()
        score, mean = (float(scored.metadata.get(f"lavfi.scd.{what}", 0)) for what in ("score", "mafd"))
        coarse = small.reformat(*_COARSE, interpolation="AREA")
        values = coarse.to_ndarray().astype(np.int16)
        if second is not None:
            yield min(second[0], abs(second[0] - mean)), second[1]
            second = None
        if number == 1:
            second = (mean, values)
        else:
            yield score, values
    if second is not None:
        yield second
