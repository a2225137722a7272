"""Photo -> Photo with its reference: named by its job, or the nearest of many; read and embedded once a run."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import PhotoError, Stopped, UsageError
from colorcli.items import Failure, Photo, Reference, Segments
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.photos import network_size, read_colors
from colorcli.media.segments import read_regions
from colorcli.metrics.colourfulness import GRAY, colourfulness

_SIDE = 256  # pixels, of the square that a reference is read at; its embedding is made of 256x256
_READ = 32  # references whose colours are remembered; 768 KB each
_KEPT = 2**26  # bytes of embeddings that are kept; by the method one takes 2 KB to some MB
_ERROR = 2**11  # bytes that what could not be made is counted as

Say = Callable[[str], None]


@lru_cache(maxsize=_READ)
def read_reference(reference: Reference, max_pixels: int = MAX_PIXELS) -> Tensor:
    """The reference's colours, (3, h, w) sRGB 0..1, about 256x256 in its own aspect; not to be written to.

    The latest 32 are remembered: a reference is judged before the run, and perhaps compared with photos, and embedded.
    Errors: PhotoError, which names it, where it cannot be read, is too large, or is gray.
    """
    try:
        rgb = torch.from_numpy(read_colors(reference.path, side=_SIDE, max_pixels=max_pixels))
    except PhotoError as error:
        raise PhotoError(f"its reference {reference.name}: {error}") from error
    if float(colourfulness(255 * rgb[None])) <= GRAY:
        raise PhotoError(f"its reference {reference.name} is gray; expected a photo in colour, choose another one")
    return rgb


class References:
    """The references of one run. Each is read and embedded when the first photo asks for it, and once.

    Safe to use from several threads, which share the work of looking at the references of `choices`.
    """

    def __init__(
        self,
        embed: Callable[..., Tensor],
        content: Callable[[Tensor], Tensor],
        *,
        multiple: int,
        max_pixels: int = MAX_PIXELS,
        choices: Sequence[Reference] = (),
        segments: Segments | None = None,
        say: Say = lambda _: None,
    ) -> None:
        """embed: (1, 3, h, w) sRGB 0..1 -> (1, E). content: (1, 1, H, W) CIE L, sides multiples of `multiple` ->
        (1, F), of length 1. choices: of these the nearest is taken for photos whose job names none; those that cannot
        be references are left out, which is said once. segments: of the one photo and its one reference; `embed` is
        then also given the reference's regions, (1, h, w), and their number R, and gives (1, R E).
        """
        self._embed, self._content, self._multiple, self._max_pixels = embed, content, multiple, max_pixels
        self._choices, self._segments, self._say = choices, segments, say
        self._embeddings = _Once(self._embedding_of, _KEPT)
        self._contents = _Once(self._content_of, None)
        self._lock = threading.Lock()
        self._candidates: tuple[list[Reference], Tensor] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Look at no further reference: `refer` raises Stopped where it would have to."""
        self._stopped = True

    def refer(self, photo: Photo) -> Photo | Failure:
        """The photo with its reference in its job, that one's embedding and, where it was chosen, a note.

        A reference that cannot be one is the photo's Failure. Errors: UsageError where none of `choices` can; Stopped.
        """
        job = photo.job
        notes: tuple[str, ...] = ()
        try:
            if job.reference is None:
                reference, likeness = self._nearest(photo.lightness)
                job = replace(job, reference=reference)
                notes = (f"its reference is {reference.name}, of {len(self._choices)} (similarity {likeness:.2f})",)
            else:
                reference = job.reference
            embedding = self._embeddings.of(reference)
        except PhotoError as error:
            return job.failed("decode", str(error))
        return replace(photo, job=job, embedding=embedding, notes=(*photo.notes, *notes))

    def _embedding_of(self, reference: Reference) -> Tensor:
        """(E,)."""
        rgb, segments = read_reference(reference, self._max_pixels)[None], self._segments
        if segments is None:
            return self._embed(rgb)[0]
        height, width = rgb.shape[2:]
        regions = read_regions(segments.reference, segments.labels, height, width, self._max_pixels)
        return self._embed(rgb, torch.from_numpy(regions)[None], len(segments.labels))[0]  # (h, w) -> (1, h, w)

    def _content_of(self, reference: Reference) -> Tensor:
        """(F,)."""
        lightness = rgb_to_lab(read_reference(reference, self._max_pixels))[:1]  # (3, h, w) -> (1, h, w)
        height, width = network_size(lightness.shape[2], lightness.shape[1], _SIDE, self._multiple)
        return self._content(_resized(lightness, height, width))[0]

    def _nearest(self, lightness: Tensor) -> tuple[Reference, float]:
        """The candidate whose content is the most like that of a photo's lightness (1, h, w); cosine, -1..1."""
        references, contents = self._looked_at()
        height, width = network_size(lightness.shape[2], lightness.shape[1], _SIDE, self._multiple)
        likeness = contents @ self._content(_resized(lightness, height, width))[0]  # (N, F) @ (F,) -> (N,)
        best = int(likeness.argmax())
        return references[best], float(likeness[best])

    def _looked_at(self) -> tuple[list[Reference], Tensor]:
        """The choices that can be references, and what they show, (N, F)."""
        if self._candidates is None:
            for reference in self._choices:
                if self._stopped:
                    raise Stopped
                self._contents.begin(reference)  # other threads meanwhile take the next ones
        with self._lock:
            if self._candidates is None:
                self._candidates = self._gathered()
            return self._candidates

    def _gathered(self) -> tuple[list[Reference], Tensor]:
        references, contents = [], []
        for reference in self._choices:
            try:
                contents.append(self._contents.of(reference))
                references.append(reference)
            except PhotoError as error:
                self._say(f"left out: {str(error).removeprefix('its ')}")
        if not references:
            raise UsageError("none of the references can be used: expected photos in colour, choose others")
        return references, torch.stack(contents)  # N x (F,) -> (N, F)


def _resized(lightness: Tensor, height: int, width: int) -> Tensor:
    """(1, h, w) -> (1, 1, height, width)."""
    return torch.nn.functional.interpolate(lightness[None], (height, width), mode="bilinear", antialias=True)


class _Once:
    """What is made of a reference, made once, by the thread that asks first; the others wait.

    kept: bytes of those that are kept, the latest asked for; None: all are. The last one made always is.
    """

    def __init__(self, make: Callable[[Reference], Tensor], kept: int | None) -> None:
        self._make, self._kept = make, kept
        self._made: OrderedDict[Reference, Future[Tensor]] = OrderedDict()
        self._sizes: dict[Reference, int] = {}  # bytes of those that are made
        self._held = 0  # bytes, their sum
        self._lock = threading.Lock()

    def begin(self, reference: Reference) -> Future[Tensor]:
        """Make it, unless another thread does or did: then its answer may still be to come."""
        with self._lock:
            made = self._made.get(reference)
            if made is not None:
                self._made.move_to_end(reference)
                return made
            made = self._made[reference] = Future()
        try:
            result = self._make(reference)
        except BaseException as error:
            made.set_exception(error)
            self._note(reference, _ERROR)
        else:
            made.set_result(result)
            self._note(reference, result.nbytes)
        return made

    def _note(self, reference: Reference, size: int) -> None:
        """That it is made, and takes so many bytes; what was asked for least lately makes room for it."""
        with self._lock:
            self._sizes[reference] = size
            self._held += size
            if self._kept is None:
                return
            for other in list(self._made):
                if self._held <= self._kept:
                    return
                if other in self._sizes and other != reference:
                    del self._made[other]
                    self._held -= self._sizes.pop(other)

    def of(self, reference: Reference) -> Tensor:
        """What was made of it. Errors: those of `make`, for every photo that asks."""
        return self.begin(reference).result()
