"""A real Ray cluster: two nodes on this machine, of one core each, that colour small photos with the tiny network.

Each driver is a process of its own, as a person's is; Ray keeps state in a process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PHOTOGRAPHS, Answer

pytestmark = [pytest.mark.ray, pytest.mark.slow]
_PHOTOS = 12
_STORE = 80 * 2**20  # bytes, Ray's least
_WAIT = 120  # s; a run takes seconds


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of the cluster."""
    pytest.importorskip("ray", reason="the cluster extra is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "object_store_memory": _STORE}
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        try:
            cluster.add_node(**node)
            yield cluster.address
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, put_photo: Callable[..., Path]) -> Path:
    """Twelve photos, half a megapixel each, so that a run lasts; and what is none."""
    folder = tmp_path_factory.mktemp("cluster") / "in"
    for number in range(_PHOTOS):
        put_photo(folder / f"{number:02}.png", PHOTOGRAPHS[number % 4], 700 + number, 700)
    (folder / "torn.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def local(many: Path, tmp_path_factory: pytest.TempPathFactory, auto: Callable[..., Answer]) -> Path:
    """The local engine's results."""
    out = tmp_path_factory.mktemp("local") / "out"
    assert auto(many, "--batch", "1", out=out).code == 3
    return out


@pytest.fixture
def start(
    start_colorize: Callable[..., subprocess.Popen[str]], address: str, tiny_weights: Path, many: Path
) -> Callable[..., subprocess.Popen[str]]:
    """start(OUT, ...): `colorize auto` of those photos on the cluster, to be watched and signalled."""

    def begin(out: Path, *more: object) -> subprocess.Popen[str]:
        engine = ("--engine", "ray", "--address", address)
        return start_colorize("auto", many, "-o", out, "--weights", tiny_weights, "-d", "cpu", *engine, *more)

    return begin


def _until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """What it says up to the line that the pattern is found in."""
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if re.search(wanted, line):
            return lines
    raise AssertionError(f"it ended without {wanted!r}: {''.join(lines)}")


def test_the_same_bytes_as_the_local_engine(
    start: Callable[..., subprocess.Popen[str]], local: Path, tmp_path: Path, files_in: Callable[[Path], object]
) -> None:
    """Oracle: the local engine's files; a row for each photo, the bad one by name and with its reason, exit 3; both
    nodes' workers took part."""
    run = start(tmp_path / "out", "--batch", "1", "--json", "-v")
    out, err = run.communicate(timeout=_WAIT)
    assert run.returncode == 3, err
    assert len(set(re.findall(r"a worker is ready on .*, process (\d+)", err))) == 2
    *rows, summary = map(json.loads, out.splitlines())
    assert summary["summary"] == {"done": _PHOTOS, "unchanged": 0, "failed": 1, "skipped": 0}
    (bad,) = (row for row in rows if row["state"] == "failed")
    assert bad["file"] == "torn.png" and bad["stage"] == "decode" and "not a photo" in bad["reason"]
    assert {row["result"] for row in rows if row["state"] == "done"} == {
        str(tmp_path / "out" / f"{number:02}.png") for number in range(_PHOTOS)
    }
    assert files_in(tmp_path / "out") == files_in(local)


def test_a_killed_worker_loses_nothing(
    start: Callable[..., subprocess.Popen[str]], local: Path, tmp_path: Path, files_in: Callable[[Path], object]
) -> None:
    """Oracle: the local engine's files, after SIGKILL of the first worker with photos in hand, which the run says; it
    takes another; no part stays. The local engine then finds every result done."""
    run = start(tmp_path / "out", "-v")
    said = "".join(_until(run, r"^\[1/"))
    os.kill(int(re.findall(r"process (\d+)", said)[0]), signal.SIGKILL)
    out, err = run.communicate(timeout=_WAIT)
    assert run.returncode == 3 and f"{_PHOTOS} coloured, 0 done before, 1 failed" in out, err
    assert "a worker was lost" in err
    assert files_in(tmp_path / "out") == files_in(local)


def test_either_engine_goes_on_where_a_run_was_stopped(
    start: Callable[..., subprocess.Popen[str]],
    auto: Callable[..., Answer],
    local: Path,
    many: Path,
    tmp_path: Path,
    files_in: Callable[[Path], object],
) -> None:
    """Oracle: exit 130 after Ctrl-C, and then nothing half-written: what is there is noted, and whole. The cluster goes
    on, until its driver is killed, and the local engine with the rest: to its own bytes."""
    run = start(tmp_path / "out")
    _until(run, r"^\[2/")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=_WAIT)
    assert run.returncode == 130 and "goes on where it stopped" in err
    made = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert 2 <= len(made) < _PHOTOS and not list((tmp_path / "out").glob(".*.part"))
    run = start(tmp_path / "out")
    said = _until(run, " -> ")
    run.kill()
    run.communicate()
    assert sum("done before" in line for line in said) == len(made)
    answer = auto(many, out=tmp_path / "out")
    assert answer.code == 3 and re.search(r"[1-9]\d* coloured, [1-9]\d* done before, 1 failed", answer.out)
    assert files_in(tmp_path / "out") == files_in(local)


@pytest.mark.parametrize("place", ["127.0.0.1:9", "127.0.0.1:port", "ray://127.0.0.1:9"])
def test_where_nobody_listens(place: str, photos: Path, tmp_path: Path, auto: Callable[..., Answer]) -> None:
    """Oracle: the port of the discard service, which nobody offers: exit 2 at once, where Ray tries for minutes."""
    pytest.importorskip("ray", reason="the cluster extra is not installed")
    started = time.monotonic()
    answer = auto(photos, "--engine", "ray", "--address", place, out=tmp_path / "out")
    assert answer.code == 2 and f"no Ray cluster at {place}" in answer.err
    assert time.monotonic() - started < 60 and not (tmp_path / "out").exists()


def test_what_a_cluster_cannot_do_is_said(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """Oracle: exit 2 and the reason; no output folder."""
    run = start(tmp_path / "out", "-d", "cuda")
    _, err = run.communicate(timeout=_WAIT)
    assert run.returncode == 2 and "has no GPU (2 nodes, 2 cores)" in err and not (tmp_path / "out").exists()
