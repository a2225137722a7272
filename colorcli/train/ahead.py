"""The next steps' crops, made while the network is busy with this one's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from colorcli.train.crops import Crops, Draws, Mark

Batch = dict[str, Tensor]


def steps_ahead(device: torch.device) -> int:
    """How many steps' crops to make ahead: on a CPU none, where the network needs the cores itself."""
    return 2 if device.type == "cuda" else 0


@dataclass(frozen=True, slots=True)
class _Coming:
    """A batch that is being made."""

    request: tuple[int, int, int, int]
    before: Mark  # where the stream of crops was before this batch was drawn
    batch: Future[Batch]


class Ahead:
    """The batches of `Crops`, in the same order, made ready by one thread inside a `with`; outside, as asked for.

    Batches are drawn by the caller and made by the thread, so the stream has one owner.
    """

    def __init__(self, crops: Crops, prepare: Callable[[Batch], Batch], depth: int) -> None:
        """prepare: what is done with a batch, in the thread too. depth: batches made ahead; 0: no thread."""
        self._crops = crops
        self._prepare = prepare
        self._depth = depth
        self._pool: ThreadPoolExecutor | None = None
        self._coming: deque[_Coming] = deque()

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(1, "crops") if self._depth else None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._go_back()
        if self._pool:
            self._pool.shutdown()
            self._pool = None

    def batch(self, count: int, size: int, rank: int, ranks: int) -> Batch:
        """As `Crops.batch`, prepared. Errors: those of making it, where it would have been made without a thread."""
        request = (count, size, rank, ranks)
        if self._pool is None:
            return self._made(self._crops.draw(*request))
        if self._coming and self._coming[0].request != request:  # another stage has begun
            self._go_back()
        while len(self._coming) <= self._depth:
            before = self._crops.mark()
            made = self._pool.submit(self._made, self._crops.draw(*request))
            self._coming.append(_Coming(request, before, made))
        return self._coming.popleft().batch.result()

    def state(self) -> dict[str, Any]:
        """`Crops.state` after the batches that were given out."""
        return self._crops.state(self._coming[0].before if self._coming else None)

    def _made(self, draws: Draws) -> Batch:
        return self._prepare(self._crops.make(draws))

    def _go_back(self) -> None:
        """Forget the batches that nobody was given."""
        if not self._coming:
            return
        self._crops.go_back(self._coming[0].before)
        for coming in self._coming:
            coming.batch.cancel()
        self._coming.clear()
