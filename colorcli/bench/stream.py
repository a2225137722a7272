"""Speed from file to file: gray JPEGs through the product's own engine, into a folder that goes afterwards."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from colorcli.bench.stages import StageCost, ideal_seconds, photo_costs
from colorcli.bench.timing import Spread, repeated, spread
from colorcli.devices import cores_here
from colorcli.errors import ColorizeError
from colorcli.items import Failure
from colorcli.loader import LoadedMethod
from colorcli.media.discover import Discovery, discover
from colorcli.media.references import pair
from colorcli.media.samples import PHOTOGRAPHS, photograph
from colorcli.methods.registry import METHODS
from colorcli.run.request import Request
from colorcli.run.session import open_run

ROUNDS = 3
_QUALITY = 95


@dataclass(frozen=True, slots=True)
class StreamSpeed:
    """One line of the table."""

    side: int  # of the photos, pixels
    photos: int
    rate: Spread  # photos per second
    stages: tuple[StageCost, ...]  # each alone
    ideal: float  # photos per second if nothing stood still
    efficiency: float  # the median rate over the ideal one


def stream_speed(loaded: LoadedMethod, request: Request, side: int, photos: int) -> StreamSpeed:
    """Colour that many JPEGs of side x side pixels, a few times over, each time into a new folder.

    request: as of a person who asks for it, network size included; its method's reference is a colour JPEG of the same
    size, read and embedded within the time. Counted is from the first photo's start to the last one's end, without
    loading the weights. loaded: the method, for its stages alone. Errors: ColorizeError where a photo fails, and those
    of `open_run`.
    """
    with tempfile.TemporaryDirectory(prefix="colorize-bench-") as place:
        folder = Path(place)
        _write_photos(folder / "photos", side, photos)
        rates: list[float] = []

        def once() -> float:
            out = folder / f"out-{len(rates)}"
            seconds = _run_once(_found(folder, out, request, side), out, request)
            rates.append(photos / seconds)
            return seconds

        repeated(once, least=ROUNDS, enough=0)
        stages = photo_costs(loaded, _found(folder, folder / "alone", request, side).jobs)
        rate, ideal = spread(rates), 1 / ideal_seconds(stages, cores_here(), on_cpu=loaded.device.type == "cpu")
        return StreamSpeed(side, photos, rate, tuple(stages), ideal, rate.median / ideal)


def _found(folder: Path, out: Path, request: Request, side: int) -> Discovery:
    if not METHODS[request.method].needs_reference:
        return discover([str(folder / "photos")], out)
    reference = folder / "reference.jpg"
    if not reference.exists():
        _squared(PHOTOGRAPHS[0], side).save(reference, quality=_QUALITY)
    pairing = pair([str(reference)], None)
    return discover([str(folder / "photos")], out, versions=pairing.versions, references=pairing.paths)


def _run_once(found: Discovery, out: Path, request: Request) -> float:
    """Seconds."""
    with open_run(found.jobs, out, request, lambda _: None) as run:
        begun = time.perf_counter()
        outcomes = list(run)
        seconds = time.perf_counter() - begun
    for outcome in (*found.failures, *outcomes):
        if isinstance(outcome, Failure):
            raise ColorizeError(f"end to end, {outcome.name}: {outcome.reason}")
    return seconds


def _write_photos(folder: Path, side: int, photos: int) -> None:
    """The photographs in turn, as gray JPEGs."""
    folder.mkdir()
    different = min(photos, len(PHOTOGRAPHS))
    for index in range(photos):
        path = folder / f"{index:05}.jpg"
        if index < different:
            _squared(PHOTOGRAPHS[index], side).convert("L").save(path, quality=_QUALITY)
        else:
            path.write_bytes((folder / f"{index % different:05}.jpg").read_bytes())


def _squared(name: str, side: int) -> Image.Image:
    """The middle of a photograph, enlarged or reduced."""
    picture = Image.fromarray(photograph(name))
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    return picture.crop((left, top, left + short, top + short)).resize((side, side), Image.Resampling.LANCZOS)
