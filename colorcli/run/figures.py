"""What is told of a finished film. Each shot's figures lie beside it until the film is whole: a resume has them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from colorcli.items import FilmReport, Flicker, Job, Photo, ShotReport
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.reading import DAMAGED, MISSING
from colorcli.media.films.scan import Scan
from colorcli.stages.encode import nearly_gray
from colorcli.stages.flicker import ShotFigures

_DAMAGE_NAMED = 5  # damaged frames that a note names
_CUT_SHORT = 0.95  # of the length that a file says: a film that ends before that was cut off


def figures_path(shot: Path) -> Path:
    """Where the figures of a shot's file lie."""
    return shot.with_suffix(".json")


def write_figures(place: Path, figures: ShotFigures) -> None:
    """For `read_figures`. Errors: OSError."""
    place.write_text(json.dumps(asdict(figures)))


def read_figures(place: Path) -> ShotFigures:
    """What `write_figures` wrote. Errors: OSError; ValueError, KeyError, TypeError for anything else."""
    told: dict[str, Any] = json.loads(place.read_text())
    return ShotFigures(float(told["chroma"]), Flicker(**told["flicker"]))


def seconds_of(header: FilmHeader, scan: Scan) -> float:
    """How long the film is, its last frame included."""
    return float((scan.times[-1] - scan.times[0]) * header.unit + 1 / header.rate)


def film_report(
    header: FilmHeader,
    scan: Scan,
    figures: Sequence[ShotFigures],
    likes: Sequence[Photo],
    *,
    codec: str,
    rate: float,
    found: int,
    sheet: Path | None,
) -> FilmReport:
    """The report. figures, likes: of each shot; the job of the latter says whose colours the shot has."""
    times, unit = scan.times, header.unit
    ends = [*times, times[-1] + round(1 / (header.rate * unit))]
    shots = []
    for shot, like, one in zip(scan.shots, likes, figures, strict=True):
        reference = None if like.job.reference is None else like.job.reference.name
        start = float((times[shot.first] - times[0]) * unit)
        length = float((ends[shot.end] - times[shot.first]) * unit)
        shots.append(ShotReport(shot.first, len(shot), start, length, one.chroma, one.flicker, reference))
    return FilmReport(
        frames=len(times),
        seconds=seconds_of(header, scan),
        codec=codec,
        rate=round(rate, 2),
        found=found,
        flicker=_together(shots),
        shots=tuple(shots),
        sheet=None if sheet is None else str(sheet),
    )


def film_notes(
    job: Job,
    header: FilmHeader,
    scan: Scan,
    figures: Sequence[ShotFigures],
    likes: Sequence[Photo],
    saturation: float,
) -> list[str]:
    """What a person should know of a film's picture. figures, likes: of each shot, as of `film_report`."""
    notes = []
    if scan.interlaced:
        what = "deinterlaced (bwdif)" if job.film is None or job.film.deinterlace else "coloured as they are"
        notes.append(f"{scan.interlaced} of {len(scan)} frames are interlaced and were {what}")
    for kind, told in ((MISSING, "cannot be decoded, the one before is shown again"), (DAMAGED, "are damaged")):
        frames = [number for number, found in scan.damage.items() if found == kind]
        if frames:
            named = ", ".join(map(str, frames[:_DAMAGE_NAMED])) + (", ..." if len(frames) > _DAMAGE_NAMED else "")
            notes.append(f"{len(frames)} frame(s) {told} and the last colour is kept: number {named}, from 0")
    seconds = seconds_of(header, scan)
    if header.seconds and seconds < _CUT_SHORT * header.seconds and len(scan) < (header.frames or len(scan) + 1):
        notes.append(f"the file is cut short: it says {header.seconds:.1f} s and holds {seconds:.1f} s")
    chroma = sum(one.chroma * len(shot) for one, shot in zip(figures, scan.shots, strict=True)) / len(scan)
    notes += nearly_gray(chroma, saturation)
    if job.reference is None:
        chosen = [(n, like.job.reference) for n, like in enumerate(likes, 1)]
        notes += [f"shot {n} has the colours of {one.name}" for n, one in chosen if one is not None]
    return notes


def _together(shots: Sequence[ShotReport]) -> Flicker:
    def mean(name: str) -> float | None:
        told = [(getattr(shot.flicker, name), shot.frames) for shot in shots]
        known = [(value, frames) for value, frames in told if value is not None]
        return sum(value * frames for value, frames in known) / sum(frames for _, frames in known) if known else None

    return Flicker(**{field.name: mean(field.name) for field in fields(Flicker)})
