"""Runs of a tiny network, one after the other, in one process: alone, or as one of several under torchrun's
environment. `worker.py JOBS.json`: a list of `Job` fields each. Also called from the tests' own process."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorcli.methods.registry import METHODS
from colorcli.train import distributed
from colorcli.train.ahead import Ahead
from colorcli.train.config import Stage, TrainConfig
from colorcli.train.data import Example, Photos
from colorcli.train.loop import Run


@dataclass(frozen=True)
class Job:
    """One run, or the rest of one."""

    folder: str  # losses-RANK.json and final.pt go here
    method: str = "siggraph17"
    steps: int = 3
    resume: bool = False
    freeze: bool = True  # batch norm's statistics
    accumulate: int = 1
    ahead: int = 0  # batches that a thread makes ahead
    port: int = 0  # where the processes meet


_TINY: dict[str, tuple[dict[str, Any], Stage]] = {  # network and stage
    "siggraph17": ({"widths": (4, 4, 8, 8), "classes": 5}, Stage(16, 1.0, 16)),  # a head that no loss reaches
    "agin": ({"width": 4, "groups": 2}, Stage(96, 1.0, 2)),  # two players; its discriminators need 96 px
}


def carry_out(job: Job) -> None:
    """Train; what this process saw goes to losses-RANK.json, the first one's weights to final.pt."""
    os.environ["MASTER_PORT"] = str(job.port)
    folder = Path(job.folder)
    folder.mkdir(exist_ok=True)
    noise = torch.Generator().manual_seed(0)
    network, stage = _TINY[job.method]
    shape = (3, stage.size + 8, stage.size + 8)
    photos = [Example(torch.randint(0, 256, shape, generator=noise, dtype=torch.uint8)) for _ in range(20)]
    config = TrainConfig(
        method=job.method,
        variant="compact",
        network=network,
        stages=(stage,),
        steps=job.steps,
        schedule="constant",
        warmup=0,
        rate=1e-3,
        precision="fp32",
        freeze_norm=job.freeze,
        accumulate=job.accumulate,
        validation_size=stage.size,
    )
    with distributed.join("cpu") as team:
        run = Run(METHODS[job.method], config, Photos(photos, photos[:1]), folder, team, lambda _: None)
        run.ahead = Ahead(run.crops, run._on_device, job.ahead)
        seen: list[float] = []

        def watch(_module: Any, _arguments: Any, losses: dict[str, Tensor]) -> None:
            seen.append(float(torch.stack([loss.detach() for loss in losses.values()]).sum()))

        run.objective.register_forward_hook(watch)
        if job.resume:
            run.resume()
        run.train()
        (folder / f"losses-{team.rank}.json").write_text(json.dumps(seen))
        if team.leads:
            torch.save(run.network.state_dict(), folder / "final.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for fields in json.loads(Path(sys.argv[1]).read_text()):
        carry_out(Job(**fields))
