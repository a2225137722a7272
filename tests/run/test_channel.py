"""Channel: bounded, ended by its last producer, woken by stop. Waits are bounded by joins, not by sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from colorcli.errors import Stopped
from colorcli.run.channel import Channel

_SOON = 10.0  # seconds; a healthy channel needs milliseconds
_BLOCKED = 0.1  # seconds for which a thread must stay blocked; a channel that does not block is through in under 0.01


def _start(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)  # daemon: a hanging channel must not hang the tests
    thread.start()
    return thread


def _ended(thread: threading.Thread) -> bool:
    thread.join(_SOON)
    return not thread.is_alive()


def test_put_waits_while_full() -> None:
    """Oracle: the contract. The third put of a channel of two waits until one item is taken."""
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.put(2)
    third = _start(lambda: channel.put(3))
    third.join(_BLOCKED)
    assert third.is_alive()
    assert next(iter(channel)) == 1
    assert _ended(third)


def test_iteration_waits_for_items_and_keeps_order() -> None:
    """Oracle: first in, first out."""
    channel: Channel[int] = Channel(3)
    taken: list[int] = []
    reader = _start(lambda: taken.extend(channel))
    reader.join(_BLOCKED)
    assert reader.is_alive() and not taken
    for number in range(50):
        channel.put(number)
    channel.close()
    assert _ended(reader)
    assert taken == list(range(50))


def test_only_the_last_producer_ends_it_and_nothing_is_lost() -> None:
    """Oracle: the multiset of what four producers put, read by three consumers; the bound is never exceeded."""
    channel: Channel[int] = Channel(2, producers=4)
    taken: list[int] = []
    lock = threading.Lock()

    def produce(first: int) -> None:
        for number in range(first, first + 100):
            channel.put(number)
        channel.close()

    def consume() -> None:
        for item in channel:
            with lock:
                taken.append(item)

    readers = [_start(consume) for _ in range(3)]
    writers = [_start(lambda first=100 * index: produce(first)) for index in range(3)]
    assert all(_ended(writer) for writer in writers)
    readers[0].join(_BLOCKED)
    assert all(reader.is_alive() for reader in readers)  # one producer has not closed
    produce(300)
    assert all(_ended(reader) for reader in readers)
    assert sorted(taken) == list(range(400))


def test_what_waits_at_the_close_is_still_given() -> None:
    """Oracle: the contract: closing ends the iteration after the last item, not before."""
    channel: Channel[str] = Channel(2)
    channel.put("a")
    channel.put("b")
    channel.close()
    assert list(channel) == ["a", "b"]
    assert list(channel) == []


def test_stop_wakes_a_waiting_put_and_a_waiting_iteration() -> None:
    """Oracle: the contract: puts raise Stopped, iterations end, also those that begin later."""
    full: Channel[int] = Channel(1)
    full.put(1)
    empty: Channel[int] = Channel(1)
    raised: list[str] = []

    def put() -> None:
        try:
            full.put(2)
        except Stopped:
            raised.append("put")

    writer, reader = _start(put), _start(lambda: raised.extend(map(str, empty)))
    writer.join(_BLOCKED)
    assert writer.is_alive() and reader.is_alive()
    full.stop()
    empty.stop()
    assert _ended(writer) and _ended(reader)
    assert raised == ["put"]
    assert list(full) == []  # what waited is dropped
    with pytest.raises(Stopped):
        empty.put(3)
