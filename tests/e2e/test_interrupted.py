"""A run that is interrupted, started again: the same bytes as an unbroken one, and nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., "object"]
_COUNT = 16
_PATIENCE = 120.0  # seconds until the first result, on a machine under load
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory, put_photo: Call) -> Path:
    """16 PNGs of about 1.4 megapixels: some tenths of a second each to encode, so that a signal lands mid-run."""
    folder = tmp_path_factory.mktemp("scans")
    for number in range(_COUNT):
        name = ("astronaut", "chelsea", "coffee", "rocket")[number % 4]
        put_photo(folder / f"{number % 2}" / f"{number:02}.png", name, 1400 + number, 1000)
    return folder


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, scans: Path, auto: Call, files_in: Call) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("unbroken") / "out"
    assert auto(scans, out=out).code == 0
    return files_in(out)


def _wait_for_first(process: subprocess.Popen[str], out: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not any(out.glob("*/[0-9]*.png")):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.002)


def _results(out: Path) -> list[Path]:
    return [path for path in out.rglob("*.png") if not path.name.startswith(".")]


def test_interrupted_and_finished_equals_unbroken(
    scans: Path,
    unbroken: dict[str, bytes],
    tmp_path: Path,
    auto: Call,
    start_colorize: Call,
    files_in: Call,
    tiny_weights: Path,
) -> None:
    """Oracle: exit 130, one line, no traceback, no .part even before the rerun; then the unbroken run's bytes."""
    out = tmp_path / "out"
    process = start_colorize("auto", scans, "-o", out, "--weights", tiny_weights, "-d", "cpu", "-j", "2")
    _wait_for_first(process, out)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and stdout == ""
    assert stderr.splitlines()[-1].startswith("colorize: interrupted") and "Traceback" not in stderr
    results = _results(out)
    assert 1 <= len(results) < _COUNT
    assert not [path for path in out.rglob("*") if ".part" in path.name]
    finished = auto(scans, out=out)
    assert finished.code == 0 and f"{len(results)} done before" in finished.out
    assert files_in(out) == unbroken
