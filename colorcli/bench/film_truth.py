"""A film in colour as its own truth: grayed, coloured, and compared with what it was, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from av.video.frame import VideoFrame
from torch import Tensor

from colorcli.color.flow import Motion, carry, motion
from colorcli.color.lab import rgb_to_lab
from colorcli.errors import ColorizeError
from colorcli.items import FilmOptions
from colorcli.media.films.assembly import assemble
from colorcli.media.films.encoding import choose_encoding, film_extension
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.pixels import colours_of, is_gray
from colorcli.media.films.reading import frames_of, header_of
from colorcli.media.films.scan import Scan
from colorcli.media.films.segments import SegmentWriter
from colorcli.metrics.distribution import Consistency, value_histograms
from colorcli.metrics.psnr import mean_squared_error, psnr
from colorcli.metrics.temporal import chroma_change, chroma_warp_error, excess_warp_error
from colorcli.stages.film import colour_frame
from colorcli.stages.flicker import RELIABLE

_LOOKED_AT = 50  # frames, to tell whether a film is in colour


@dataclass(frozen=True, slots=True)
class TruthRow:
    """How a film's colour compares with the truth's, over the frames of its file; flicker leaves cuts out."""

    name: str
    psnr: float | None  # dB, mean of the frames; None: all are the truth's
    warp: float  # chroma warp error, units of ab
    excess: float  # of that beyond the truth's own, by pixel
    consistency: float  # CDC, mean of the shots by their frames


def is_in_colour(header: FilmHeader) -> bool:
    """Whether one of its first frames is in colour."""
    return any(not is_gray(frame.picture) for frame, _ in zip(frames_of(header), range(_LOOKED_AT), strict=False))


def write_tinted(header: FilmHeader, scan: Scan, folder: Path, chroma: tuple[float, float] = (0.0, 0.0)) -> Path:
    """The film with its own lightness and one colour (CIE ab) everywhere, encoded as a result is, with its sound.

    Returns its path below `folder`, which is made. Errors: as of a run.
    """
    extension = film_extension(header.path, header, FilmOptions())[0]
    target = folder / header.path.with_suffix(extension).name
    encoding = choose_encoding(header, target, FilmOptions())
    folder.mkdir(parents=True)
    segment = folder / "frames"
    maps = torch.tensor(chroma).view(2, 1, 1).expand(2, 8, 8)
    with segment.open("wb") as file:
        writer = SegmentWriter(file, encoding.open(header))
        for number, frame in enumerate(frames_of(header)):
            tinted = colour_frame(frame.picture, header, torch.zeros(1, 8, 8), maps, 1.0, encoding.pixels)
            writer.add(tinted, number)
        writer.finish()
    assemble(header, scan, encoding, [segment], target, synthetic=None)
    segment.unlink()
    return target


class _Row:
    """The figures of one film, frame by frame."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        header = header_of(path)
        self.pictures: Iterator[VideoFrame] = (frame.picture for frame in frames_of(header))
        self.header = header
        self.last: Tensor | None = None  # CIE Lab of the frame before, (3, H, W)
        self._psnr: list[float] = []
        self._warps: list[tuple[float, float]] = []
        self._shots: list[tuple[float, int]] = []
        self._consistency, self._frames = Consistency(), 0

    def add(self, rgb: Tensor, truth: Tensor, lab: Tensor, moved: Motion | None, true_change: Tensor | None) -> None:
        levels = rgb * 255
        self._psnr.append(float(psnr(mean_squared_error(truth[None] * 255, levels[None]))))
        if moved is None or self.last is None or true_change is None:
            self._close_shot()
        else:
            reliable = moved.reliable > RELIABLE
            change = chroma_change(carry(self.last[1:], moved.flow)[None], lab[None, 1:])
            warps = chroma_warp_error(change, reliable), excess_warp_error(change, true_change, reliable)
            self._warps.append((float(warps[0]), float(warps[1])))
        self._consistency.add(value_histograms(levels.round().to(torch.uint8)[None])[0])
        self._frames += 1
        self.last = lab

    def _close_shot(self) -> None:
        if self._consistency.value is not None:
            self._shots.append((self._consistency.value, self._frames))
        self._consistency, self._frames = Consistency(), 0

    def row(self) -> TruthRow:
        self._close_shot()
        warp, excess = np.nanmean(np.array(self._warps or [(np.nan, np.nan)]), axis=0).tolist()
        frames = sum(count for _, count in self._shots)
        consistency = sum(value * count for value, count in self._shots) / frames if frames else float("nan")
        mean = float(np.mean(self._psnr))
        return TruthRow(self.name, mean if np.isfinite(mean) else None, warp, excess, consistency)


def compare_films(truth: Path, scan: Scan, films: dict[str, Path]) -> list[TruthRow]:
    """A row for the truth and for each film of `films`, by its name, all of the truth's frames.

    Colour is read from the files without rounding to 8 bits; motion is that of the true film's lightness, at full
    size. Errors: PhotoError; ColorizeError where a film has other frames than the truth.
    """
    rows = [_Row("true film", truth), *(_Row(name, path) for name, path in films.items())]
    firsts = {shot.first for shot in scan.shots}
    for number, pictures in enumerate(zip_longest(*(row.pictures for row in rows))):
        if any(picture is None for picture in pictures):
            raise ColorizeError(f"the films differ in length, from frame {number} on; is the file still whole?")
        _compare(rows, pictures, begins=number in firsts)
    return [row.row() for row in rows]


def _compare(rows: list[_Row], pictures: tuple[VideoFrame, ...], *, begins: bool) -> None:
    """One frame of each film."""
    true = rows[0]
    colours = [
        torch.from_numpy(colours_of(picture, row.header)).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        for row, picture in zip(rows, pictures, strict=True)
    ]
    labs = [rgb_to_lab(one) for one in colours]
    moved: Motion | None = None
    change: Tensor | None = None
    if true.last is not None and not begins:
        moved = motion(true.last[:1], labs[0][:1])
        change = chroma_change(carry(true.last[1:], moved.flow)[None], labs[0][None, 1:])
    for row, rgb, lab in zip(rows, colours, labs, strict=True):
        row.add(rgb, colours[0], lab, moved, change)
