"""A coloured film in words: its own line, and those of its shots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colorcli.items import FilmReport, Flicker, Job
    from colorcli.run.local import Outcome


def film_line(job: Job, film: FilmReport) -> str:
    """What was made, of what, and how fast."""
    count = len(film.shots)
    shots = f"{count} shot{'s' if count > 1 else ''}" + (f", {film.found} of them done before" if film.found else "")
    return (
        f"{job.name} -> {job.target} ({film.frames} frames, {film.seconds:.1f} s, {shots}, "
        f"{film.codec}, {film.rate:.1f} frames/s)"
    )


def shot_lines(outcome: Outcome) -> Iterator[str]:
    """Flicker of a finished film, then a line for each shot; none of anything else."""
    from colorcli.items import Finished

    if not isinstance(outcome, Finished) or outcome.film is None:
        return
    film = outcome.film
    yield f"flicker, mean of the shots: {_flicker(film.flicker)}"
    for number, shot in enumerate(film.shots, 1):
        whose = "" if shot.reference is None else f", colours of {shot.reference}"
        frames = f"frames {shot.first}..{shot.first + shot.frames - 1}"
        yield f"shot {number} at {shot.start:.3f} s, {frames}{whose}: {_flicker(shot.flicker)}"


def _flicker(flicker: Flicker) -> str:
    if flicker.warp is None:
        return "too few frames to tell"
    warp = f"chroma warp error {flicker.warp:.3f} ab"
    if flicker.warp_own is not None:
        warp += f" ({flicker.warp_own:.3f} frame by frame)"
    if flicker.consistency is None or flicker.consistency_gray is None:
        return warp
    own = "" if flicker.consistency_own is None else f"{1e4 * flicker.consistency_own:.2f} frame by frame, "
    return f"{warp}, CDC {1e4 * flicker.consistency:.2f}e-4 ({own}{1e4 * flicker.consistency_gray:.2f} in gray)"
