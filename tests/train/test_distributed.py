"""Runs of two processes on the CPU, with gloo, against runs of this process alone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from colorcli.train.distributed import Team, join

WORKER = Path(__file__).with_name("worker.py")
sys.path.insert(0, str(WORKER.parent))
from worker import Job, carry_out  # noqa: E402 - a script beside this file, not a module of the tests


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made of: `frozen`, `free`, `sliced` (3 steps each), `unbroken` (5), `broken` (2, then 5), and
    `gan` (2 steps).

    In two starts, which take longer than the runs."""
    folder = tmp_path_factory.mktemp("pairs")
    broken = Job(str(folder / "broken"), steps=2, freeze=False, ahead=2)
    _start_two(
        Job(str(folder / "frozen")),
        Job(str(folder / "free"), freeze=False),
        Job(str(folder / "sliced"), accumulate=2),
        Job(str(folder / "unbroken"), steps=5, freeze=False),
        broken,
        Job(str(folder / "gan"), method="agin", steps=2),
    )
    shutil.copytree(folder / "broken", folder / "before")
    _start_two(replace(broken, steps=5, resume=True))
    return folder


def _start_two(*jobs: Job) -> None:
    """Two processes that carry the jobs out together."""
    listed = Path(jobs[0].folder).parent / "jobs.json"
    listed.write_text(json.dumps([asdict(replace(job, port=_free_port())) for job in jobs]))
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2"}
    command = [sys.executable, str(WORKER), str(listed)]
    started = [
        subprocess.Popen(
            command, env={**shared, "RANK": str(r), "LOCAL_RANK": str(r)}, stderr=subprocess.PIPE, text=True
        )
        for r in range(2)
    ]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def _alone(folder: Path, freeze: bool = True, accumulate: int = 1) -> list[float]:
    carry_out(Job(str(folder), freeze=freeze, accumulate=accumulate))
    return _losses(folder, 0)


def _losses(folder: Path, rank: int) -> list[float]:
    losses: list[float] = json.loads((folder / f"losses-{rank}.json").read_text())
    return losses


def _differences(one: Path, other: Path) -> Tensor:
    """Between all weights of two runs."""
    a, b = (torch.load(folder / "final.pt", weights_only=True) for folder in (one, other))
    return torch.cat([(a[name].double() - b[name].double()).abs().flatten() for name in a])


def _largest_difference(one: Path, other: Path) -> float:
    return float(_differences(one, other).max())


def test_two_processes_of_eight_are_one_of_sixteen(pairs: Path, tmp_path: Path) -> None:
    """Oracle: one process with the whole batch, batch norm frozen: mean losses to 1e-6 relative and weights to 1e-5
    after three AdamW steps of 1e-3 (order of sums; Adam's first steps divide small gradients by their own size)."""
    alone = _alone(tmp_path / "one")
    together = [_losses(pairs / "frozen", rank) for rank in range(2)]
    assert np.mean(together, axis=0) == pytest.approx(alone, rel=1e-6)
    assert together[0] != together[1]  # each saw pictures of its own
    assert _largest_difference(tmp_path / "one", pairs / "frozen") < 1e-5


def test_free_batch_norm_sees_each_process_alone(pairs: Path, tmp_path: Path) -> None:
    """Oracle: the documented difference: each process normalises its own half, so the weights part."""
    _alone(tmp_path / "one", freeze=False)
    assert _largest_difference(tmp_path / "one", pairs / "free") > 1e-4


def test_slices_are_the_whole_batch(pairs: Path, tmp_path: Path) -> None:
    """Oracle: one process with the batch in one piece, batch norm frozen; in four slices and in two processes of two
    slices: weights to 1e-5."""
    _alone(tmp_path / "whole")
    assert len(_alone(tmp_path / "sliced", accumulate=4)) == 3 * 4
    assert _largest_difference(tmp_path / "whole", tmp_path / "sliced") < 1e-5
    assert _largest_difference(tmp_path / "whole", pairs / "sliced") < 1e-5


def test_players_take_turns_in_two_processes(pairs: Path, tmp_path: Path) -> None:
    """Oracle: one process with the whole batch of a GAN without batch norm: both players' losses, 1e-5 relative in the
    first step and 1e-3 in the second, and the generator's weights, 1e-4 on average after two Adam steps that move each
    by about 1e-3 (Adam turns the rounding of the smallest gradients into more: 4e-5 on one of the CPUs that were tried.
    A process that saw its own half alone would be 1e-3 away)."""
    carry_out(Job(str(tmp_path / "one"), method="agin", steps=2))
    alone = _losses(tmp_path / "one", 0)
    together = np.mean([_losses(pairs / "gan", rank) for rank in range(2)], axis=0)
    assert len(alone) == 4  # two steps of two players
    assert together[:2] == pytest.approx(alone[:2], rel=1e-5)
    assert together[2:] == pytest.approx(alone[2:], rel=1e-3)
    assert float(_differences(tmp_path / "one", pairs / "gan").mean()) < 1e-4


def test_resumed_run_of_two_processes(pairs: Path) -> None:
    """Oracle: the unbroken run of two processes: every later loss of each process, 1e-6 relative, and the weights,
    1e-6; batch norm is free here. The second sitting is of two new processes. Threads make crops in the first."""
    for rank in range(2):
        found = _losses(pairs / "before", rank) + _losses(pairs / "broken", rank)
        assert found == pytest.approx(_losses(pairs / "unbroken", rank), rel=1e-6)
    assert _largest_difference(pairs / "unbroken", pairs / "broken") < 1e-6


def test_alone() -> None:
    """Oracle: the contract: without torchrun's environment a team of one that leads and talks to nobody."""
    with join("cpu") as team:
        assert team == Team(0, 1, torch.device("cpu"))
        assert team.leads
        assert (team.largest(3.5, -1.0), team.mean(2.5)) == ((3.5, -1.0), 2.5)
        assert team.same("text")
        module = torch.nn.Linear(1, 1)
        assert team.wrap(module, several_players=False) is module
