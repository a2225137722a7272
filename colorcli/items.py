"""What crosses the borders between stages: Job -> Photo -> Batch -> Colored -> Finished or Failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Dot:
    """A colour that a person wants at one place of a photo."""

    x: int  # pixels of the photo, upright, from its left and its upper border
    y: int
    color: tuple[int, int, int]  # sRGB, 0..255


@dataclass(frozen=True, slots=True)
class Reference:
    """A colour photo that says what colours another photo shall have."""

    path: Path
    name: str  # what reports call it: its name, or the path below the folder that was given
    sha256: str  # of its bytes


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How films are made; what decides a film's result besides what decides a photo's."""

    codec: str | None = None  # of the result, as libav names codecs or encoders; None: of the film's own family
    crf: float | None = None  # its quality, on the codec's own scale; None: ours for it
    deinterlace: bool = True  # interlaced frames; False: they stay as they are
    temporal: bool = True  # chroma is steadied within a shot


@dataclass(frozen=True, slots=True)
class Segments:
    """Maps of the regions of a photo and of its reference: those of one label belong together."""

    target: Path  # the photo's map
    reference: Path  # the reference's
    labels: tuple[int, ...]  # of either, ascending; what the stages carry is a label's place in this row
    sha256: str  # of the bytes of both


@dataclass(frozen=True, slots=True)
class Job:
    """One input file, the places of its results, and what a person says of its colours."""

    source: Path  # the file to read
    target: Path  # the file to write
    name: str  # what reports call it: the path below the input folder, with forward slashes
    sidecar: Path | None = None  # a drawing of colour hints, to be read as well
    dots: tuple[Dot, ...] = ()  # further hints
    attention: Path | None = None  # a map of where the network looked, to be written as well
    matches: Path | None = None  # pictures of its matches, to be written as well: what their names begin with
    stages: Path | None = None  # a picture of the steps to its colour, to be written as well
    reference: Reference | None = None  # whose colours it gets; None: the method needs none, or the nearest is chosen
    segments: Segments | None = None  # which regions take after which of the reference; None: all after all of it
    sample: int = 0  # which of several results of one photo and one reference
    seed: int | None = None  # of what is drawn for it; None: the method draws nothing
    together: Path | None = None  # the comparison that it shares with the photo's other results; None: it shares none
    shows: tuple[Job, ...] = ()  # of such a comparison, which is its target: the results' jobs
    film: FilmOptions | None = None  # how it is made; None: it is a photo
    url: str | None = None  # what reports call its result where that lies elsewhere; None: its target

    @property
    def place(self) -> str:
        """What reports call its result."""
        return str(self.target) if self.url is None else self.url

    @property
    def in_place(self) -> bool:
        """Whether the result takes the photo's own place."""
        return self.target == self.source

    @property
    def explained(self) -> bool:
        """Whether pictures of the method's way are to be written as well."""
        return any(path is not None for path in (self.attention, self.matches, self.stages))

    def failed(self, stage: str, reason: str) -> Failure:
        """This job as a Failure."""
        return Failure(self.name, stage, reason, self.reference, self.together)


@dataclass(frozen=True, slots=True)
class PhotoHeader:
    """What is known of a photo besides its pixels."""

    width: int  # pixels, upright (after the EXIF orientation is applied)
    height: int
    kind: str  # "L 8-bit", "RGB 16-bit", "CMYK 8-bit", ... for reports
    bits: int  # per channel of the result: 8 or 16
    alpha: bool
    damage: str = ""  # what its decoder warned of, where the rest could be read; known once the pixels are


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file is known by at one moment: another content has another one."""

    inode: int
    size: int  # bytes
    time: int  # ns, st_ctime: unlike st_mtime it cannot be set back


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo ready for a network: its lightness at the network's size."""

    job: Job
    header: PhotoHeader
    lightness: Tensor  # (1, h, w) float32, CIE L 0..100
    hints: Tensor | None = None  # (3, h, w) float32: CIE ab, and a mask that is 1 where there is a hint; None: no hints
    embedding: Tensor | None = None  # (E,) float32, its reference's colours; None: the method needs none
    notes: tuple[str, ...] = ()  # for a person, to be told with the result
    chroma: Tensor | None = None  # (2, h, w) float32, its own CIE ab; None: it is seen in gray
    segments: Tensor | None = None  # (h, w) uint8, each pixel's region: a place in its job's labels; None: no regions
    stamp: Stamp | None = None  # of its file, before that was read; None: nobody looked


@dataclass(frozen=True, slots=True)
class Batch:
    """Photos of one network size."""

    photos: tuple[Photo, ...]
    lightness: Tensor  # (B, 1, h, w) float32, CIE L 0..100
    hints: Tensor | None = None  # (B, 3, h, w) as in Photo, zeros for a photo without; None: no photo has any
    embeddings: Tensor | None = None  # (B, E) as in Photo; None: no photo has one
    seeds: Tensor | None = None  # (B,) int64, of the photos' jobs; None: no job has one
    chroma: Tensor | None = None  # (B, 2, h, w) as in Photo; None: no photo has one
    segments: Tensor | None = None  # (B, h, w) as in Photo; None: no photo has any


@dataclass(frozen=True, slots=True)
class Colored:
    """A photo and the chroma that a method gave it, both at the network's size."""

    photo: Photo
    chroma: Tensor  # (2, h, w) float32, CIE ab; of a photo with its own (3, h, w), what is added to its CIE Lab
    shown: Tensor | None = None  # (n, h, w) float32: what `MethodSpec.showing` shows besides; None: nobody asked


@dataclass(frozen=True, slots=True)
class Flicker:
    """How much colour changes by itself, at the network's size and within shots; lower is steadier.

    None: no two frames to compare. What ends with `_own` is of the frames' own predictions, before they were steadied;
    None also where they were not.
    """

    warp: float | None  # chroma warp error (`metrics/temporal.py`): mean change along the motion, units of CIE ab
    warp_own: float | None
    consistency: float | None  # CDC (`metrics/distribution.py`) of the 8-bit picture
    consistency_own: float | None
    consistency_gray: float | None  # of the film as it was, without colour


@dataclass(frozen=True, slots=True)
class ShotReport:
    """One shot of a film, and whose colours it has."""

    first: int  # number of its first frame, from 0
    frames: int
    start: float  # s, from the film's beginning
    seconds: float
    chroma: float  # mean CIE chroma of its colours
    flicker: Flicker
    reference: str | None = None  # name; None: the method needs none


@dataclass(frozen=True, slots=True)
class FilmReport:
    """What a person may want to know of a coloured film."""

    frames: int
    seconds: float
    codec: str
    rate: float  # frames that were coloured in a second
    found: int  # shots that an earlier run had finished
    flicker: Flicker  # the mean of the shots', each counted by its frames
    shots: tuple[ShotReport, ...]
    sheet: str | None = None  # path of a picture of one frame a shot, before and after; None: nobody asked for it


@dataclass(frozen=True, slots=True)
class Finished:
    """A result under its final name."""

    job: Job
    notes: tuple[str, ...] = field(default=())  # what a person should know: flattened alpha, nearly gray
    film: FilmReport | None = None  # None: it is a photo


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that got no result, and why."""

    name: str
    stage: str  # "discover", "decode", "infer", "encode"; of remote folders also "fetch", "deliver"
    reason: str
    reference: Reference | None = None  # whose colours it was to have, where that is known
    together: Path | None = None  # as of its job
