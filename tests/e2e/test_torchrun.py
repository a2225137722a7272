"""The README's own command for several processes, as it stands there, on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., "object"]
_TINY = ("--variant", "compact", "--steps", "2", "--set", "stages=16:1:4", "--set", "validation_size=16", "-d", "cpu")


@pytest.mark.slow
def test_torchrun_trains_one_run(tmp_path: Path, put_color: Call) -> None:
    """Oracle: README: one run of two processes: two steps of four photos between them, one log, one weights file, whose
    path is all of stdout. Without photos each process says why it ends."""
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        put_color(tmp_path / "photos" / f"{name}.png", name, 40, 30)
    (tmp_path / "empty").mkdir()
    weights = tmp_path / "run" / "weights.safetensors"

    def torchrun(data: str, out: str) -> subprocess.CompletedProcess[str]:
        # `torchrun` is this module's command; two processes meet at a port that is free.
        launch = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
        command = (*launch, "-m", "colorcli", "train", "smsanet", tmp_path / data, *_TINY, "-o", tmp_path / out)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, timeout=300)

    answer = torchrun("photos", "run")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"{weights}\n" and weights.is_file()
    entries = list(map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines()))
    assert [entry["event"] for entry in entries] == ["data", "train", "final"]
    assert (entries[-1]["step"], entries[-1]["images"]) == (2, 8)
    refused = torchrun("empty", "other")
    assert refused.returncode != 0
    assert refused.stderr.count("colorize: no readable photo in") == 2
