"""What each stage of a film costs alone: CPU time of a frame, the threads of libav's codecs included."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from av.video.frame import VideoFrame
from torch import Tensor

from colorcli.bench.stages import StageCost
from colorcli.color.steady import Steady
from colorcli.devices import use_threads
from colorcli.errors import ColorizeError
from colorcli.items import Colored, FilmOptions, Job, Photo
from colorcli.loader import LoadedMethod
from colorcli.media.films.assembly import assemble
from colorcli.media.films.encoding import Encoding, choose_encoding, film_extension
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.pixels import network_shape
from colorcli.media.films.reading import frames_of
from colorcli.media.films.scan import Scan, Shot, scan
from colorcli.media.films.segments import SegmentWriter
from colorcli.media.libvips import set_vips_threads
from colorcli.run.engine import Engine
from colorcli.stages.batch import make_batch
from colorcli.stages.film import colour_frame, see
from colorcli.stages.flicker import Small, measure
from colorcli.stages.infer import infer

_HELD = 256 * 2**20  # bytes of decoded frames that are held at a time: of longer films the beginning is measured


def held_frames(header: FilmHeader) -> int:
    """How many of its frames are held in memory."""
    return max(2, _HELD // (header.width * header.height * (6 if header.bits > 8 else 3)))


class _Clock:
    """Measures one stage after the other, each over all frames before the next begins."""

    def __init__(self) -> None:
        self.costs: list[StageCost] = []

    def frames(self, stage: str, work: Callable[[], int]) -> None:
        """work: does the stage, and says for how many frames."""
        begun = time.process_time()
        frames = work()
        self.costs.append(StageCost(stage, (time.process_time() - begun) / max(1, frames), frames))


def stage_costs(header: FilmHeader, loaded: LoadedMethod, size: int, engine: Engine) -> list[StageCost]:
    """Each stage of `run/film.py`, in its order, measured alone on the film's first frames.

    size: side of the network's input, pixels. Errors: PhotoError, as of a run.
    """
    clock, found = _Clock(), list[Scan]()
    use_threads(1)
    set_vips_threads(1)

    def look() -> int:
        found.append(scan(header))
        return len(found[0])

    clock.frames("scan", look)
    clock.frames("decode", lambda: _count(frames_of(header)))
    looked = found[0]
    pictures = [frame.picture for frame in islice(frames_of(header), held_frames(header))]
    photos = _seen(clock, header, pictures, loaded, size)
    chroma = _predicted(clock, photos, loaded, engine)
    painted = _painted(clock, header, looked, pictures, photos, chroma)
    _written(clock, header, looked, painted)
    return clock.costs


def _seen(
    clock: _Clock, header: FilmHeader, pictures: list[VideoFrame], loaded: LoadedMethod, size: int
) -> list[Photo]:
    job = Job(header.path, header.path, header.path.name, film=FilmOptions())
    shape = network_shape(header, size, loaded.spec.multiple)
    see(pictures[0], job, header, *shape)  # tables are made by the first
    photos: list[Photo] = []

    def look() -> int:
        photos.extend(see(picture, job, header, *shape) for picture in pictures)
        return len(photos)

    clock.frames("see", look)
    return photos


def _predicted(clock: _Clock, photos: list[Photo], loaded: LoadedMethod, engine: Engine) -> list[Tensor]:
    use_threads(engine.threads_per_lane)
    batches = [photos[start : start + engine.batch] for start in range(0, len(photos), engine.batch)]
    found: list[Tensor] = []

    def ask(batch: list[Photo]) -> None:
        for made in infer(make_batch(batch), loaded.predict, loaded.predict, lambda _: None):
            if not isinstance(made, Colored):
                raise ColorizeError(f"the network gave no colour: {made.reason}")
            found.append(made.chroma.float())

    ask(batches[0])  # the first call chooses kernels
    found.clear()
    passed = time.perf_counter()
    clock.frames("network", lambda: len(photos) * bool(_count(map(ask, batches))))
    if loaded.device.type != "cpu":
        seconds = (time.perf_counter() - passed) / len(photos)
        clock.costs[-1] = replace(clock.costs[-1], seconds=seconds)
    use_threads(1)
    return found


def _painted(
    clock: _Clock,
    header: FilmHeader,
    looked: Scan,
    pictures: list[VideoFrame],
    photos: list[Photo],
    chroma: list[Tensor],
) -> list[VideoFrame]:
    firsts = {shot.first for shot in looked.shots}
    steady, smalls, motions = Steady(), [], []

    def hold() -> int:
        for number, (photo, own) in enumerate(zip(photos, chroma, strict=True)):
            if number in firsts:
                steady.reset()
            smalls.append(Small(photo.lightness, own, steady.step(photo.lightness, own)))
            motions.append(steady.moved)
        return len(smalls)

    def compare() -> int:
        before = [None, *smalls[:-1]]
        return _count(measure(*given, 1.0) for given in zip(before, smalls, motions, strict=True))

    clock.frames("steady", hold)
    clock.frames("flicker", compare)
    pixels = _encoding(header).pixels
    painted: list[VideoFrame] = []

    def paint(picture: VideoFrame, small: Small) -> None:
        painted.append(colour_frame(picture, header, small.lightness, small.chroma, 1.0, pixels))

    paint(pictures[0], smalls[0])  # the gamut's table is made by the first
    painted.clear()
    clock.frames("recombine", lambda: _count(map(paint, pictures, smalls)))
    return painted


def _written(clock: _Clock, header: FilmHeader, looked: Scan, painted: list[VideoFrame]) -> None:
    count = len(painted)
    short = replace(looked, shots=(Shot(0, count),), times=looked.times[:count], durations=looked.durations[:count])
    with tempfile.TemporaryDirectory(prefix="colorize-bench-") as folder:
        encoding = _encoding(header)
        segment, target = Path(folder, "shot"), Path(folder, "film").with_suffix(_extension(header))

        def encode() -> int:
            with segment.open("wb") as file:
                writer = SegmentWriter(file, encoding.open(header))
                for number, picture in enumerate(painted):
                    writer.add(picture, number)
                writer.finish()
            return count

        def join() -> int:
            assemble(header, short, encoding, [segment], target, synthetic=None)
            return count

        clock.frames("encode", encode)
        clock.frames("assemble", join)


def _extension(header: FilmHeader) -> str:
    return film_extension(header.path, header, FilmOptions())[0]


def _encoding(header: FilmHeader) -> Encoding:
    return choose_encoding(header, header.path.with_suffix(_extension(header)), FilmOptions())


def _count(done: Iterable[object]) -> int:
    return sum(1 for _ in done)
