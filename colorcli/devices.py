"""Which processor does the work, and how precisely."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from colorcli.errors import UsageError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def cores_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Processor:
    """What networks run on, and how precisely."""

    device: torch.device
    dtype: torch.dtype
    name: str  # as a person knows it
    here: bool = True  # in this process

    @property
    def precision(self) -> str:
        """`fp32`, `bf16` or `fp16`."""
        return next(name for name, dtype in PRECISIONS.items() if dtype is self.dtype)


def choose_processor(device: str, precision: str, half: bool) -> Processor:
    """One that is here: as of `choose_device` and `choose_precision`."""
    chosen = choose_device(device)
    return Processor(chosen, choose_precision(precision, chosen, half), describe(chosen))


def choose_device(name: str = "auto") -> torch.device:
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps` as a device that is there; UsageError if it is not."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device is called {name!r}: auto, cpu, cuda, cuda:N or mps") from None
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"{name!r} is not supported: auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"there is no {name} here: {torch.cuda.device_count()} CUDA devices were found")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("there is no mps here: it needs a Mac with Apple silicon")
    return device


def use_threads(count: int) -> None:
    """Let torch use this many cores for what the calling thread computes, and no other.

    A thread's first computation sets it to what any thread asked for last; so that has to come before the request.
    """
    torch.get_num_threads()
    torch.set_num_threads(count)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 pays: CUDA from Ampere on, CPUs with AMX or AVX-512 BF16. Elsewhere it is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return False


def choose_precision(name: str, device: torch.device, half: bool) -> torch.dtype:
    """`auto`, `fp32`, `bf16` or `fp16` as the type that a network computes in.

    half: whether the method is known to give usable results in half precision.
    """
    if name in PRECISIONS:
        return PRECISIONS[name]
    if name != "auto":
        raise UsageError(f"precision must be auto, fp32, bf16 or fp16, not {name!r}")
    if not half:
        return torch.float32
    if has_fast_bf16(device):
        return torch.bfloat16
    return torch.float16 if device.type in ("cuda", "mps") else torch.float32


def describe(device: torch.device) -> str:
    """A device as a person knows it."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"cpu ({torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads)"
    return str(device)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch failed for want of memory; the CPU's allocator says so in a plain RuntimeError."""
    told = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in told or "can't allocate memory" in told
