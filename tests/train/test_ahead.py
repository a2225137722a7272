"""Crops that a thread makes ahead of the step that needs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorcli.train.ahead import Ahead, Batch, steps_ahead
from colorcli.train.crops import Crops
from colorcli.train.data import Example

Picture = Callable[..., Tensor]
REQUESTS = [(3, 16, 0, 1)] * 4 + [(2, 20, 0, 1)] * 3 + [(5, 16, 0, 1)] + [(4, 20, 1, 2)] * 3  # stages come and go


def _crops(picture: Picture, kind: str = "photos") -> Crops:
    return Crops([Example(picture(seed, 24, 30), gray=seed > 4) for seed in range(7)], 3, kind)


def _as_it_is(batch: Batch) -> Batch:
    return batch


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("crops")]


def _same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kind", ["photos", "unpaired"])
@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_the_order_is_that_of_the_crops(picture: Picture, kind: str, depth: int) -> None:
    """Oracle: Crops alone: every batch exact over changes of stage, and after each the state, from which a stream of
    its own goes on alike; so does the stream itself when the thread has ended."""
    plain, crops = _crops(picture, kind), _crops(picture, kind)
    ahead = Ahead(crops, _as_it_is, depth)
    with ahead:
        for request in REQUESTS:
            assert _same(ahead.batch(*request), plain.batch(*request))
            state, expected = ahead.state(), plain.state()
            assert torch.equal(state["generator"], expected["generator"])
            assert state["queues"] == expected["queues"]
    resumed = _crops(picture, kind)
    resumed.restore(state)
    expected_batch = plain.batch(6, 16)
    assert _same(resumed.batch(6, 16), expected_batch)
    assert _same(ahead.batch(6, 16, 0, 1), expected_batch)
    assert not _threads()


def test_two_are_made_ahead_in_a_thread(picture: Picture) -> None:
    """Oracle: the contract: with the first batch given, three are made and no fourth, none by this thread; without
    depth, one and by this thread."""
    for depth, expected in ((2, 3), (0, 1)):
        makers: list[threading.Thread] = []

        def noting(batch: Batch, makers: list[threading.Thread] = makers) -> Batch:
            makers.append(threading.current_thread())
            return batch

        with Ahead(_crops(picture), noting, depth) as ahead:
            ahead.batch(3, 16, 0, 1)
            patience = time.monotonic() + 20
            while len(makers) < expected and time.monotonic() < patience:
                time.sleep(0.001)
            time.sleep(0.05)  # for one too many
            assert len(makers) == expected
            assert (threading.main_thread() in makers) == (depth == 0)


def test_errors_of_the_thread_are_raised_at_their_batch(picture: Picture) -> None:
    """Oracle: the contract: the third batch's error comes with the third, and the thread ends."""
    made = iter(range(10))

    def failing(batch: Batch) -> Batch:
        if next(made) == 2:
            raise OSError("the page cannot be read")
        return batch

    with Ahead(_crops(picture), failing, 2) as ahead:
        for _ in range(2):
            ahead.batch(3, 16, 0, 1)
        with pytest.raises(OSError, match="cannot be read"):
            ahead.batch(3, 16, 0, 1)
    assert not _threads()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_thread_ends_with_the_run(picture: Picture, error: type[BaseException]) -> None:
    """Oracle: the system's list of threads, after Ctrl-C in the middle of a step."""
    with pytest.raises(error), Ahead(_crops(picture), _as_it_is, 2) as ahead:
        ahead.batch(3, 16, 0, 1)
        assert len(_threads()) == 1
        raise error
    assert not _threads()


def test_only_a_gpu_has_steps_ahead() -> None:
    """Oracle: the contract: measured on two cores, the thread takes from the network what it gives."""
    assert [steps_ahead(torch.device(name)) for name in ("cpu", "mps", "cuda:1")] == [0, 0, 2]
