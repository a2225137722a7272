"""Where decoded pictures lie: in memory as far as there is room, the rest in a file that is mapped into memory."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from colorcli.errors import ColorizeError

_SEGMENT = 2**30  # bytes that the file grows by; each segment is one mapping, and one of the process' open files
_SHARE = 0.5  # of the memory that is free: the rest is for the network, and for the system to keep the file's pages in


class Pixels:
    """Keeps pictures: the first `room` bytes of them in memory, what comes after in a file in `folder`.

    The system decides which pages of the file are in memory. The file has no name, so it goes when the process ends,
    in whatever way, and nobody takes it for that of another run. Every process of a run has its own.
    """

    def __init__(self, room: float = math.inf, folder: Path = Path()) -> None:
        """room: bytes. folder: must exist when the first picture does not fit."""
        self._room = room
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._segment = torch.empty(0, dtype=torch.uint8)
        self._end = 0  # of the file, bytes
        self._used = 0  # of the segment, bytes
        self.in_memory = 0  # bytes
        self.in_file = 0  # bytes

    def keep(self, picture: Tensor) -> Tensor:
        """The picture, uint8 of any shape: itself, or a view of the file. It must not be written to.

        Errors: ColorizeError where the file cannot be written (disk full).
        """
        size = picture.numel()
        if self.in_memory + size <= self._room:
            self.in_memory += size
            return picture
        try:
            view = self._written(picture)
        except OSError as error:
            raise ColorizeError(
                f"decoded pictures cannot be written to {self._folder}: {error} (after {self.in_file:,} bytes); make "
                "room there, take another folder, or train at smaller sizes; hold = memory needs no file"
            ) from error
        self.in_file += size
        return view

    def _written(self, picture: Tensor) -> Tensor:
        size = picture.numel()
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - it lasts as this does
        if self._used + size > len(self._segment):
            pages = math.ceil(max(size, _SEGMENT) / mmap.ALLOCATIONGRANULARITY)
            length = pages * mmap.ALLOCATIONGRANULARITY
            self._file.truncate(self._end + length)  # a hole: it takes room as it is filled
            self._segment = torch.frombuffer(
                mmap.mmap(self._file.fileno(), length, offset=self._end), dtype=torch.uint8
            )
            self._file.seek(self._end)
            self._end, self._used = self._end + length, 0
        # Written by a call, not through the mapping: there a full disk would be a signal that ends the process.
        data = picture.contiguous().numpy().data.cast("B")
        while data:
            data = data[self._file.write(data) :]
        view = self._segment[self._used : self._used + size].view(picture.shape)
        self._used += size
        return view


def room_for(hold: str) -> float:
    """How many bytes of pictures this process holds in memory with the recipe's `hold`.

    "memory": all; "file": none; "auto": half of what is free, shared with the run's other processes on this machine.
    """
    if hold == "auto":
        return _SHARE * _free_memory() / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return {"memory": math.inf, "file": 0}[hold]


def fits_on(device: torch.device, size: int) -> bool:
    """Whether `size` bytes of pictures go to the device for good: half of a CUDA GPU's free memory.

    Of other accelerators it is not known how much is free: never.
    """
    if device.type == "cuda":
        return size <= _SHARE * torch.cuda.mem_get_info(device)[0]
    return device.type == "cpu"


def _free_memory() -> int:
    """Bytes that can be had without swapping, at most what the container has left; where it is not told, all."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        total = 1024 * _listed("/proc/meminfo", "MemAvailable:")
        allowed = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        if allowed == "max":
            return total
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        cached = _listed("/sys/fs/cgroup/memory.stat", "inactive_file")  # counted as used, and given up when need be
    except (OSError, StopIteration):  # not Linux, or no control group of our own
        return total
    return max(min(total, int(allowed) - used + cached), 0)


def _listed(file: str, name: str) -> int:
    """The number behind a name in a list of the kernel's. Errors: OSError; StopIteration where it is not there."""
    lines = Path(file).read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[:1] == [name])
