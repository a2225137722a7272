"""A film's frames through the network and back, in their order, every stage in its own threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from av.video.frame import VideoFrame

from colorcli.color.flow import Motion
from colorcli.devices import use_threads
from colorcli.errors import PhotoError, Stopped
from colorcli.items import Colored, Failure, Photo
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.reading import Frame
from colorcli.media.libvips import set_vips_threads
from colorcli.methods.spec import Predict
from colorcli.run.channel import Channel
from colorcli.run.engine import Engine
from colorcli.stages.batch import make_batch
from colorcli.stages.film import Steadying, colour_frame, see
from colorcli.stages.flicker import Measured, Small, measure
from colorcli.stages.infer import infer

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A frame of a film that is to be coloured."""

    number: int  # in the film, from 0
    frame: Frame
    begins: bool  # it is its shot's first
    ends: bool  # its last
    like: Photo  # of its shot: what the network is given besides the lightness


@dataclass(frozen=True, slots=True)
class Made:
    """A frame in colour."""

    number: int
    picture: VideoFrame
    frame: Frame  # what it was made of
    measured: Measured | None  # what it adds to its shot's figures; None: a damaged one, with the colour before it
    moved: Motion | None  # how it came from the frame before; None: it is its shot's first, or damaged


@dataclass(frozen=True, slots=True)
class Colouring:
    """What all frames of a film share."""

    header: FilmHeader
    predict: Predict
    exact: Predict  # in fp32
    shape: tuple[int, int]  # height and width at which the network sees a frame
    saturation: float
    pixels: str  # libav's format of the results
    steadying: Steadying
    engine: Engine
    say: Say


class Frames:
    """Colours the frames of a film. At most some frames for each thread are in memory at a time."""

    def __init__(self, colouring: Colouring) -> None:
        self._given, self._batch = colouring, colouring.engine.batch
        engine = colouring.engine
        self._networks = ThreadPoolExecutor(engine.lanes, "film-infer", use_threads, (engine.threads_per_lane,))
        self._painters = ThreadPoolExecutor(engine.workers, "film-recombine", use_threads, (1,))
        self._predicted: Channel[tuple[list[Numbered], Future[list[Colored]]]] = Channel(engine.lanes + 1)
        self._painted: Channel[Future[Made]] = Channel(engine.workers + 1)
        self._fatal: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def coloured(self, frames: Iterable[Numbered]) -> Generator[Made, None, None]:
        """The frames in colour, in their order. A damaged one takes the colour of the one before.

        Errors: PhotoError where the network gives none; whatever reading raises.
        """
        set_vips_threads(1)
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._read, frames, self._predicted), name="film-read"),
            threading.Thread(target=self._guarded, args=(self._steady, None, self._painted), name="film-steady"),
        ]
        for thread in self._threads:
            thread.start()
        try:
            for painted in self._painted:
                yield painted.result()
        finally:
            self.close()
        if self._fatal is not None:
            raise self._fatal

    def close(self) -> None:
        """Stop all threads, and wait for them."""
        self._predicted.stop()
        self._painted.stop()
        for thread in self._threads:
            thread.join()
        for pool in (self._networks, self._painters):
            pool.shutdown(cancel_futures=True)

    def _guarded(self, work: Callable[..., None], frames: object, sink: Channel[object]) -> None:
        use_threads(1)
        try:
            work() if frames is None else work(frames)
        except Stopped:
            pass
        except BaseException as error:
            self._fatal = self._fatal or error
            self._predicted.stop()
            self._painted.stop()
        finally:
            sink.close()

    def _read(self, frames: Iterable[Numbered]) -> None:
        """Batches end with their shots, so that a resumed film has the same ones."""
        waiting: list[tuple[Numbered, Photo]] = []
        for one in frames:
            picture = one.frame.picture
            photo = see(picture, one.like.job, self._given.header, *self._given.shape)
            waiting.append((one, replace(photo, embedding=one.like.embedding)))
            if len(waiting) >= self._batch or one.ends:
                self._send(waiting)
                waiting = []
        if waiting:
            self._send(waiting)

    def _send(self, waiting: list[tuple[Numbered, Photo]]) -> None:
        photos = [photo for _, photo in waiting]
        self._predicted.put(([one for one, _ in waiting], self._networks.submit(self._infer, photos)))

    def _infer(self, photos: list[Photo]) -> list[Colored]:
        given = self._given
        found: list[Colored] = []
        for made in infer(make_batch(photos), given.predict, given.exact, given.say, self._shrink):
            if isinstance(made, Failure):
                raise PhotoError(made.reason)
            found.append(made)
        return found

    def _shrink(self, frames: int) -> None:
        self._batch = min(self._batch, frames)

    def _steady(self) -> None:
        steadying = self._given.steadying
        last: Small | None = None  # the frame before, in the same shot
        for numbered, coming in self._predicted:
            for one, colored in zip(numbered, coming.result(), strict=True):
                if one.begins:
                    steadying.reset()
                    last = None
                lightness, own = colored.photo.lightness, colored.chroma.float()
                if last is not None and one.frame.damage:
                    last = replace(last, lightness=lightness)
                    self._painted.put(self._painters.submit(self._paint, one, last))
                    continue
                before, last = last, Small(lightness, own, steadying.step(lightness, own))
                self._painted.put(self._painters.submit(self._paint, one, last, (before, steadying.moved)))

    def _paint(self, one: Numbered, small: Small, came: tuple[Small | None, Motion | None] | None = None) -> Made:
        """came: the frame before and the motion from there; None for a damaged frame, which is not measured."""
        given = self._given
        picture = colour_frame(
            one.frame.picture, given.header, small.lightness, small.chroma, given.saturation, given.pixels
        )
        measured = None if came is None else measure(came[0], small, came[1], given.saturation)
        return Made(one.number, picture, one.frame, measured, None if came is None else came[1])
