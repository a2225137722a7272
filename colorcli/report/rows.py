"""What a page tells of one outcome of a run: a row of plain values, as the page's script reads it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyvips

from colorcli.errors import PhotoError
from colorcli.items import Failure, Finished, Job
from colorcli.media.libvips import VipsError
from colorcli.media.pictures import size_within
from colorcli.media.small import small_picture, within
from colorcli.media.sources import open_source, plain_reason
from colorcli.report.figures import figures
from colorcli.report.template import finite, spelled
from colorcli.report.thumbnails import Thumbnails
from colorcli.run.local import Outcome

LONGEST = 720  # pixels of the pictures that figures and thumbnails are made from
_POSTER = 120  # number of the last frame that is decoded for a film's picture
_UNTOLD = 48  # number of the frame where shots are not known: two seconds in, past a black start

Row = dict[str, Any]


def row_of(outcome: Outcome, place: Path, thumbnails: Thumbnails, *, knows_truth: bool) -> Row:
    """The row of an outcome; pictures are made of the files that were written.

    place: of the page. knows_truth: a photo in colour is what its result should be, as of `auto`.
    Keys: name, state ("done", "unchanged", "failed"); of a failure stage, reason; else, where there is something to
    say, before and after (addresses of pictures), width and height (pixels of these), figures, link (address of the
    result), film (a `FilmReport` as a dict); of both notes, reference ({name, picture}). What cannot be shown becomes a
    note. Errors: OSError where a picture cannot be written.
    """
    if isinstance(outcome, Failure):
        row: Row = {"name": spelled(outcome.name), "state": "failed", "stage": outcome.stage}
        if outcome.reference is not None:
            row["reference"] = {"name": spelled(outcome.reference.name)}
        return row | {"reason": spelled(outcome.reason)}
    job, notes = outcome.job, list(outcome.notes) if isinstance(outcome, Finished) else []
    state = "done" if isinstance(outcome, Finished) else "unchanged"
    row = {"name": spelled(job.name), "state": state, **_link(job.target, place)}
    film = outcome.film if isinstance(outcome, Finished) else None
    if film is not None:
        row["film"] = finite(asdict(film))
    middle = film.shots[0].first + film.shots[0].frames // 2 if film is not None and film.shots else _UNTOLD
    row |= _shown(job, notes, "no picture of it can be shown", lambda: _pair(job, middle, thumbnails, knows_truth))
    row |= _shown(job, notes, "its reference cannot be shown", lambda: _reference(job, thumbnails))
    return row | {"notes": list(map(spelled, notes))}


def _shown(job: Job, notes: list[str], lack: str, make: Callable[[], Row]) -> Row:
    """What `make` gives; nothing, and a note, where a file cannot be read any more."""
    try:
        return make()
    except PhotoError as error:
        notes.append(f"{lack}: {error}")
    except VipsError as error:
        paths = (job.source, job.target) if job.reference is None else (job.source, job.target, job.reference.path)
        notes.append(f"{lack}: {plain_reason(error, *paths)}")
    return {}


def _pair(job: Job, middle: int, thumbnails: Thumbnails, knows_truth: bool) -> Row:
    film = job.film is not None
    before, after = _frames(job, middle) if film else _photos(job)
    addresses = thumbnails.pair([before, after])
    row = dict(zip(("before", "after"), addresses, strict=True)) | {"width": before.width, "height": before.height}
    return row if film else row | {"figures": figures(before, after, knows_truth=knows_truth)}


def _photos(job: Job) -> tuple[pyvips.Image, pyvips.Image]:
    size = size_within(open_source(job.source, max_pixels=0).header, LONGEST)
    before, after = (small_picture(path, *size).copy_memory() for path in (job.source, job.target))
    return before, after


def _frames(job: Job, middle: int) -> tuple[pyvips.Image, pyvips.Image]:
    from colorcli.media.films.poster import poster  # with PyAV, which photos do not need

    before, after = (poster(path, min(middle, _POSTER), LONGEST) for path in (job.source, job.target))
    return before, after


def _reference(job: Job, thumbnails: Thumbnails) -> Row:
    if job.reference is None:
        return {}
    size = size_within(open_source(job.reference.path, max_pixels=0).header, LONGEST)
    picture = within(small_picture(job.reference.path, *size).copy_memory(), LONGEST)
    address = thumbnails.reference(picture, job.reference.sha256)
    return {"reference": {"name": spelled(job.reference.name), "picture": address}}


def _link(result: Path, place: Path) -> Row:
    """The result's address where it lies below the page's folder; elsewhere the address would tell of other folders."""
    below = os.path.relpath(result, place.parent)
    return {} if below.startswith(os.pardir) else {"link": quote(os.fsencode(below))}
