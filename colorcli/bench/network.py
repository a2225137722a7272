"""Speed of a network alone: lightness that lies on its device -> chroma there, at several sizes and batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from colorcli.bench.timing import LEAST, LONGEST, Spread, repeated, spread
from colorcli.color.lab import rgb_to_lab
from colorcli.color.resize import stretch_to_square
from colorcli.devices import is_out_of_memory
from colorcli.errors import ColorizeError
from colorcli.loader import LoadedMethod
from colorcli.media.samples import PHOTOGRAPHS, photograph

BATCHES = (1, 2, 4, 8, 16)
_WORTH = 3  # rounds, the warm-up among them, that must fit into timing.LONGEST for a batch to be tried

Peak = Callable[[int, int], int]  # side, batch -> bytes
Once = Callable[[], float]  # does it, and says how many seconds it took


@dataclass(frozen=True, slots=True)
class NetworkSpeed:
    """One line of the table."""

    side: int  # pixels
    batch: int
    seconds: Spread  # per photo
    rate: float  # photos per second, at the median
    peak: int | None = None  # bytes; None: unknown


class Asked:
    """A network call that can be repeated: a batch of one photograph, and its reference where one is needed."""

    def __init__(self, method: LoadedMethod, side: int, batch: int) -> None:
        """side: pixels, a multiple of the method's."""
        rgb = torch.from_numpy(photograph(PHOTOGRAPHS[0]).copy()).permute(2, 0, 1)  # (h, w, 3) -> (3, h, w)
        square = stretch_to_square(rgb, side) / 255  # (1, 3, side, side)
        lightness = rgb_to_lab(square)[:, :1].expand(batch, -1, -1, -1)
        given = [lightness] if method.embed is None else [lightness, method.embed(square).expand(batch, -1)]
        self._given = [maps.contiguous().to(method.device) for maps in given]
        self._method = method

    def once(self) -> float:
        """Seconds of one call, until its chroma is there."""
        begun = time.perf_counter()
        self._method.predict(*self._given)
        _wait(self._method.device)
        return time.perf_counter() - begun


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def speeds(method: LoadedMethod, side: int, peak: Peak, left_out: Callable[[str], None]) -> list[NetworkSpeed]:
    """Batch 1 and, where it is faster, the best batch of squares of side x side pixels.

    Batches grow until photos per second do not, or until three rounds of the next would take over timing.LONGEST, or
    memory ends; what was not tried is told to `left_out`. The first call of each is not counted. peak: of a CPU, asked
    for what is returned; CUDA counts what torch allocates, the weights included; of other devices it is unknown.
    """
    found: list[NetworkSpeed] = []
    for batch in BATCHES:
        expected = batch * found[-1].seconds.median if found else 0.0  # seconds of a round
        if _WORTH * expected > LONGEST:
            left_out(f"{side} px: batches from {batch} on, of about {expected:.0f} s each")
            break
        try:
            row = measured(method, side, batch, repeated)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            left_out(f"{side} px: batches from {batch} on, memory does not suffice")
            break
        if found and row.rate <= found[-1].rate:
            break
        found.append(row)
        if row.seconds.rounds < LEAST:
            left_out(f"{side} px, batch {batch}: rounds after the first {row.seconds.rounds}")
    chosen = found[:1] + found[1:][-1:]
    return list(_with_peaks(chosen, peak, left_out)) if method.device.type == "cpu" else chosen


def measured(method: LoadedMethod, side: int, batch: int, rounds: Callable[[Once], list[float]]) -> NetworkSpeed:
    """One batch's line. rounds: what repeats the call, `repeated` for one; the first call is not among them."""
    device = method.device
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    asked = Asked(method, side, batch)
    asked.once()  # the first call chooses kernels
    times = rounds(asked.once)
    peak = torch.cuda.max_memory_allocated(device) if cuda else None
    seconds = spread([seconds / batch for seconds in times])
    return NetworkSpeed(side, batch, seconds, 1 / seconds.median, peak)


def _with_peaks(rows: list[NetworkSpeed], peak: Peak, left_out: Callable[[str], None]) -> Iterator[NetworkSpeed]:
    for row in rows:
        try:
            held: int | None = peak(row.side, row.batch)
        except ColorizeError as error:
            held = None
            left_out(f"{row.side} px, batch {row.batch}: peak memory, {error}")
        yield replace(row, peak=held)
