"""Several processes at one run, each with its own device: what torchrun starts."""

from __future__ import annotations

import gc
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from colorcli.devices import choose_device

_PATIENCE = timedelta(hours=1)  # the others wait while the first process validates and exports


@dataclass(frozen=True, slots=True)
class Team:
    """This process and the others of the run."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process logs, validates, keeps and exports."""
        return self.rank == 0

    def largest(self, *values: float) -> tuple[float, ...]:
        """The largest of all processes' values, for all: clocks and signals differ, decisions must not."""
        if self.size == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return tuple(shared.tolist())

    def same(self, text: str) -> bool:
        """Whether all processes have the same text."""
        number = float(zlib.crc32(text.encode()))
        return self.largest(number, -number) == (number, -number)

    def mean(self, value: float) -> float:
        """The mean of all processes' values."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.all_reduce(shared)
        return float(shared) / self.size

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier()

    def wrap(self, module: nn.Module, several_players: bool) -> nn.Module:
        """The module with its gradients averaged over all processes."""
        if self.size == 1:
            return module
        devices = [self.device.index] if self.device.type == "cuda" else None
        # A player leaves out the others' parameters.
        return DistributedDataParallel(module, device_ids=devices, find_unused_parameters=several_players)


@contextmanager
def join(device: str = "auto") -> Iterator[Team]:
    """The team that torchrun's environment describes (RANK, WORLD_SIZE, LOCAL_RANK); without it, this process alone.

    device: `auto` gives each process the CUDA device of its local rank, or the CPU. NCCL on CUDA, gloo elsewhere.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(0, 1, choose_device(device))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    on_cuda = device in ("auto", "cuda") and torch.cuda.is_available()
    chosen = choose_device(f"cuda:{local}" if on_cuda else device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Team(dist.get_rank(), dist.get_world_size(), chosen)
        dist.barrier()  # the first process keeps the meeting place: nobody leaves while another is still there
    finally:
        gc.collect()  # what DDP leaves in cycles holds the group, and ends the process if it outlives it
        dist.destroy_process_group()
