"""How the work is spread over the machine."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from colorcli.devices import cores_here

_LANES = 4  # networks side by side on a CPU; more would cost memory, not save time
_AUTO_BATCH_GPU = 16


@dataclass(frozen=True, slots=True)
class Engine:
    """How the work is spread over the machine."""

    batch: int  # photos that go through the network together
    workers: int  # threads that decode, and as many that encode
    lanes: int  # threads that run the network
    threads_per_lane: int  # cores that one network call uses; a GPU's lane needs one
    threads_per_photo: int = 0  # of libvips, where there are fewer photos than workers; 0: all cores

    @staticmethod
    def plan(device: torch.device, jobs: int, *, batch: int = 0, workers: int = 0) -> Engine:
        """Fill in what was left automatic (0).

        On a CPU every core gets a network of its own, up to 4: one network on several cores waits at the end of
        every layer. Batches do not pay there (compact smsanet, 128 px, one AVX2 thread: 8.8 photos/s at
        a batch of 1, 8.7 at 4, 8.0 at 16), so a photo goes alone.
        """
        cores = cores_here()
        workers = max(1, min(workers or cores, jobs))
        if device.type != "cpu":
            return Engine(batch or _AUTO_BATCH_GPU, workers, 1, 1)
        lanes = min(cores, _LANES)
        # Not by the number of jobs: other thread counts give other last bits, and a photo alone (the last of a
        # resumed run, say) must come out as it does in a folder.
        return Engine(batch or 1, workers, max(1, min(lanes, jobs)), max(1, cores // lanes))

    @staticmethod
    def share(device: torch.device, cores: int, *, batch: int = 0) -> Engine:
        """Of one among several processes on a machine, which has so many of its cores.

        On a CPU its stages take turns on one core: there are as many such processes as cores.
        """
        if device.type != "cpu":
            return Engine(batch or _AUTO_BATCH_GPU, cores, 1, 1, 1)
        return Engine(batch or 1, 1, 1, 1, 1)
