"""What crosses the borders between stages: Job -> Photo -> Batch -> Colored -> Finished or Failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Job:
    """One input file and the place of its result."""

    source: Path  # the file to read
    target: Path  # the file to write
    name: str  # what reports call it: the path below the input folder, with forward slashes


@dataclass(frozen=True, slots=True)
class PhotoHeader:
    """What is known of a photo besides its pixels."""

    width: int  # pixels, upright (after the EXIF orientation is applied)
    height: int
    kind: str  # "L 8-bit", "RGB 16-bit", "CMYK 8-bit", ... for reports
    bits: int  # per channel of the result: 8 or 16
    alpha: bool


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo ready for a network: its lightness at the network's size."""

    job: Job
    header: PhotoHeader
    lightness: Tensor  # (1, h, w) float32, CIE L 0..100


@dataclass(frozen=True, slots=True)
class Batch:
    """Photos of one network size."""

    photos: tuple[Photo, ...]
    lightness: Tensor  # (B, 1, h, w) float32, CIE L 0..100


@dataclass(frozen=True, slots=True)
class Colored:
    """A photo and the chroma that a method gave it, both at the network's size."""

    photo: Photo
    chroma: Tensor  # (2, h, w) float32, CIE ab


@dataclass(frozen=True, slots=True)
class Finished:
    """A result under its final name."""

    job: Job
    notes: tuple[str, ...] = field(default=())  # what a person should know: flattened alpha, nearly gray


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that got no result, and why."""

    name: str
    stage: str  # "discover", "decode", "infer", "encode"
    reason: str
