"""Which processor does the work, and how precisely."""

from __future__ import annotations

import threading

import pytest
import torch

from colorcli import devices
from colorcli.devices import choose_device, choose_precision, describe, use_threads
from colorcli.errors import UsageError


def _machine(monkeypatch: pytest.MonkeyPatch, cuda: int = 0, mps: bool = False, fast_bf16: bool = False) -> None:
    """Pretend to be a machine with so many CUDA devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(devices, "has_fast_bf16", lambda _: fast_bf16)


@pytest.mark.parametrize(
    ("cuda", "mps", "name", "expected"),
    [
        (0, False, "auto", "cpu"),
        (0, True, "auto", "mps"),
        (2, True, "auto", "cuda"),
        (2, False, "cuda:1", "cuda:1"),
        (2, True, "cpu", "cpu"),
        (0, True, "mps", "mps"),
    ],
)
def test_device_that_is_there(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, name: str, expected: str) -> None:
    """Oracle: the contract: CUDA before mps before the CPU; a name is taken at its word."""
    _machine(monkeypatch, cuda, mps)
    assert choose_device(name) == torch.device(expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "no device is called 'gpu': auto, cpu, cuda, cuda:N or mps"),
        ("cuda:1", "there is no cuda:1 here: 1 CUDA devices were found"),
        ("mps", "there is no mps here"),
    ],
)
def test_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    """Oracle: the contract: UsageError that says what there is."""
    _machine(monkeypatch, cuda=1)
    with pytest.raises(UsageError, match=message):
        choose_device(name)


@pytest.mark.parametrize(
    ("name", "device", "half", "fast_bf16", "expected"),
    [
        ("fp32", "cuda", True, True, torch.float32),
        ("bf16", "cpu", False, False, torch.bfloat16),
        ("fp16", "cuda", True, True, torch.float16),
        ("auto", "cpu", True, True, torch.bfloat16),
        ("auto", "cpu", True, False, torch.float32),
        ("auto", "cuda", True, False, torch.float16),
        ("auto", "cuda", False, True, torch.float32),
        ("auto", "mps", True, False, torch.float16),
    ],
)
def test_precision(
    monkeypatch: pytest.MonkeyPatch, name: str, device: str, half: bool, fast_bf16: bool, expected: torch.dtype
) -> None:
    """Oracle: issue 3: bf16 where the processor has it, half on other GPUs, fp32 elsewhere or where the method asks."""
    _machine(monkeypatch, fast_bf16=fast_bf16)
    assert choose_precision(name, torch.device(device), half) is expected


def test_unknown_precision() -> None:
    """Oracle: the contract."""
    with pytest.raises(UsageError, match="auto, fp32, bf16 or fp16, not 'int8'"):
        choose_precision("int8", torch.device("cpu"), half=True)


def test_description_of_the_cpu() -> None:
    """Oracle: torch's own thread count."""
    assert f"{torch.get_num_threads()} threads" in describe(torch.device("cpu"))


def test_each_thread_has_its_own_number_of_threads() -> None:
    """Oracle: what torch says in each thread, after a computation and after the other thread has asked for 1."""
    found: dict[int, int] = {}
    both = threading.Barrier(2)

    def work(count: int) -> None:
        use_threads(count)
        both.wait()
        torch.ones(200_000).sin()
        both.wait()
        found[count] = torch.get_num_threads()

    threads = [threading.Thread(target=work, args=(count,)) for count in (3, 1)]
    before = torch.get_num_threads()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.set_num_threads(before)
    assert found == {3: 3, 1: 1}
