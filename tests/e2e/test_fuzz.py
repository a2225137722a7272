"""Damaged files of every format, read, coloured and written in a process of its own: no crash, no hang, no surprise.

`pytest tests/e2e/test_fuzz.py --fuzz 5000` reads so many; a mutation's number makes it again. What fails is kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import pytest

from ..mutations import Seed, mutated, seeds
from . import reader

_SLOW = 20.0  # seconds of CPU time for a file of some kilobytes; after three times that it hangs
_LOOKED = 5.0  # seconds between two looks at its time
_PATIENCE = 900.0  # seconds until an answer of a process that waits: other work may have the machine
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of addresses")


class _Reader:
    """The process that reads; started anew after a file that ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def read(self, path: Path, kind: str) -> dict[str, Any]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(reader.__file__)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"path": str(path), "kind": kind}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline() if self._answers(process) else None
        if line:
            return dict(json.loads(line))
        self.close()
        ended = f"the process ended with {process.returncode}"
        return {"outcome": "hang" if line is None else "crash", "said": ended, "seconds": 0.0}

    def _answers(self, process: subprocess.Popen[str]) -> bool:
        """Whether there is something to be read, be it the end; False where it hangs."""
        begun, used = time.monotonic(), _cpu_seconds(process.pid)
        with DefaultSelector() as selector:
            selector.register(process.stdout, EVENT_READ)  # type: ignore[arg-type]
            while not selector.select(_LOOKED):
                if time.monotonic() - begun > _PATIENCE or _cpu_seconds(process.pid) - used > 3 * _SLOW:
                    return False
        return True

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]  # proc(5), fields 14 and 15
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _fuzzed(folder: Path, chosen: tuple[Seed, ...], numbers: range, make: Callable[..., Any]) -> Counter[str]:
    """How many files had which outcome; those that had a wrong one stay in the folder, with a word on each."""
    counts: Counter[str] = Counter()
    reading = _Reader()
    try:
        for number in numbers:
            seed, done = make(chosen, number)
            path = folder / seed.name
            path.write_bytes(seed.content)
            answer = reading.read(path, seed.kind)
            outcome = "slow" if answer["seconds"] > _SLOW else answer["outcome"]
            counts[outcome] += 1
            if outcome in ("done", "refused"):
                path.unlink()
            else:
                words = f"{path.name}: {outcome} after {done}: {answer['said']}"
                (folder / f"{number}.txt").write_text(words)
                print(words)
    finally:
        reading.close()
    return counts


def test_the_seeds_are_valid(tmp_path: Path) -> None:
    """Oracle: the contract: each is coloured, or read; else its mutations would say nothing."""
    chosen = seeds()
    (tmp_path / "photo.png").write_bytes(next(seed.content for seed in chosen if seed.name == "deep.png"))
    counts = _fuzzed(tmp_path, chosen, range(len(chosen)), lambda chosen, number: (chosen[number], "nothing"))
    assert counts == {"done": len(chosen)}, _kept(tmp_path)


def test_mutations_are_done_or_refused(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Oracle: the contract: a result, or an error of our own. Nothing else is an answer to a damaged file."""
    chosen = seeds()
    (tmp_path / "photo.png").write_bytes(next(seed.content for seed in chosen if seed.name == "deep.png"))
    count = pytestconfig.getoption("--fuzz")
    counts = _fuzzed(tmp_path, chosen, range(count), mutated)
    print(f"{count} mutations: {dict(counts)}")
    assert set(counts) <= {"done", "refused"}, _kept(tmp_path)
    assert count < 50 or min(counts["done"], counts["refused"]) > 0


def _kept(folder: Path) -> str:
    return "\n".join(path.read_text()[:2000] for path in sorted(folder.glob("*.txt")))
