"""Two runs over the same photos at the same time: one waits, and nothing is done twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from colorcli.media.places import LEDGER

Call = Callable[..., "object"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def _wait_until_it_waits(process: subprocess.Popen[str], folder: Path) -> None:
    """Returns when it has said so. It ends sooner or later: it says so, or ends."""
    assert process.stderr is not None
    for line in process.stderr:
        if line == f"another run is writing into {folder}: waiting until it is through\n":
            return
    pytest.fail(f"it did not wait: {process.communicate()}")


@pytest.mark.parametrize("in_place", [False, True], ids=["an output folder", "in place"])
def test_two_runs_share_the_work(
    in_place: bool, photos: Path, tmp_path: Path, start_colorize: Call, colorize: Call, tiny_weights: Path
) -> None:
    """Oracle: both end with 0; each photo is done in one of them and done before in the other; nothing half-written.
    While the folder is held both say once that they wait, a third one is interrupted (130) and a dry run does not
    wait."""
    folder = photos if in_place else tmp_path / "out"
    place = ("--in-place",) if in_place else ("-o", folder)
    said = ("auto", photos, *place, "--weights", tiny_weights, "-d", "cpu", "--json")
    lock = folder / LEDGER.with_name("lock")
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        runs = [start_colorize(*said) for _ in range(3)]
        for run in runs:
            _wait_until_it_waits(run, folder)
        runs[2].send_signal(signal.SIGINT)
        _, rest = runs[2].communicate(timeout=60)
        assert runs[2].returncode == 130 and rest.startswith("colorize: interrupted")
        foretold = colorize(*said, "--dry-run")
        assert foretold.code == 0 and json.loads(foretold.out.splitlines()[-1])["summary"]["planned"] == 4
    states: Counter[tuple[str, str]] = Counter()
    for run in runs[:2]:
        out, rest = run.communicate(timeout=120)
        assert run.returncode == 0 and "another run" not in rest, rest
        states.update((line["file"], line["state"]) for line in map(json.loads, out.splitlines()) if "file" in line)
    names = [path.name for path in photos.glob("*.png")]
    assert states == Counter((name, state) for name in names for state in ("done", "unchanged"))
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]
