"""A bounded queue between two stages, which knows when its producers are through and when all must stop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from colorcli.errors import Stopped

T = TypeVar("T")


class Channel(Generic[T]):
    """At most `bound` items wait; `put` blocks when full, iteration ends when every producer has closed."""

    def __init__(self, bound: int, producers: int = 1) -> None:
        self._items: deque[T] = deque()
        self._bound = bound
        self._producers = producers
        self._stopped = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Hand on one item; waits while the channel is full. Stopped once the run was stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._bound)
            if self._stopped:
                raise Stopped
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """One producer is through."""
        with self._changed:
            self._producers -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake everybody: puts raise Stopped, iterations end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Items until all producers have closed, or the run is stopped. Several threads may iterate."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._items or self._producers <= 0)
                if self._stopped or not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
