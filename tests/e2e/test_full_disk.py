"""A disk that is full, or takes no files: the run ends by name, nothing is half-written, and it goes on with room."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Call = Callable[..., "object"]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a tmpfs")
_COUNT = 6


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three MiB, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def _remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True, capture_output=True)


@pytest.fixture
def scans(tmp_path: Path, put_photo: Call) -> Path:
    """PNGs whose results take some 600 KB each."""
    for number in range(_COUNT):
        put_photo(tmp_path / "scans" / f"{number}.png", ("astronaut", "coffee")[number % 2], 800 + number, 700)
    return tmp_path / "scans"


def _parts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".part" in path.name or ".held" in path.name]


def test_a_full_disk(scans: Path, disk: Path, tmp_path: Path, auto: Call, files_in: Call) -> None:
    """Oracle: exit 1 and the system's words; what is there is an unbroken run's, byte for byte; with room the run goes
    on with what is left."""
    assert auto(scans, "--batch", "1", out=tmp_path / "whole").code == 0
    whole = files_in(tmp_path / "whole")
    assert sum(map(len, whole.values())) > 3 * 2**20
    answer = auto(scans, "--batch", "1", out=disk / "out")
    assert answer.code == 1 and ("No space left" in answer.err or "is full" in answer.err), answer.err
    assert "Traceback" not in answer.err and not _parts(disk)
    found = files_in(disk / "out")
    assert 0 < len(found) < _COUNT and found.items() <= whole.items()
    _remount(disk, "size=20m")
    finished = auto(scans, "--batch", "1", out=disk / "out")
    assert finished.code == 0 and f"{_COUNT - len(found)} coloured, {len(found)} done before" in finished.out
    assert files_in(disk / "out") == whole and not _parts(disk)


def test_a_full_disk_in_place(
    disk: Path, tmp_path: Path, put_photo: Call, colorize: Call, auto: Call, files_in: Call, tiny_weights: Path
) -> None:
    """Oracle: as above; a photo whose result found no room is the photo that it was."""
    folder = disk / "scans"
    for number in range(_COUNT):
        put_photo(folder / f"{number}.png", ("astronaut", "coffee")[number % 2], 800 + number, 700)
    photos = files_in(folder)
    assert auto(folder, "--batch", "1", out=tmp_path / "whole").code == 0
    whole = files_in(tmp_path / "whole")
    said = ("auto", folder, "--in-place", "--weights", tiny_weights, "-d", "cpu", "--batch", "1")
    answer = colorize(*said)
    assert answer.code == 1 and ("No space left" in answer.err or "is full" in answer.err), answer.err
    assert not _parts(disk)
    found = files_in(folder)
    coloured = [name for name in found if found[name] == whole[name]]
    assert found.keys() == photos.keys() and 0 < len(coloured) < _COUNT
    assert all(found[name] == photos[name] for name in found.keys() - set(coloured))
    _remount(disk, "size=20m")
    finished = colorize(*said)
    assert finished.code == 0 and f"{_COUNT - len(coloured)} coloured, {len(coloured)} done before" in finished.out
    assert files_in(folder) == whole and not _parts(disk)


@pytest.mark.parametrize("used", [False, True], ids=["a new folder", "a folder with results"])
def test_a_disk_that_takes_no_files(
    used: bool, scans: Path, disk: Path, auto: Call, files_in: Call, put_photo: Call
) -> None:
    """Oracle: exit 1, one line, the system's words and the folder; the same bytes as before; with leave it goes on."""
    out = disk / "out"
    for path in list(scans.iterdir())[1:]:
        path.unlink()
    if used:
        assert auto(scans, out=out).code == 0
    put_photo(scans / "further.png")
    before = files_in(disk)
    _remount(disk, "ro")
    answer = auto(scans, out=out)
    assert answer.code == 1 and answer.out == "" and str(out) in answer.err
    assert "Read-only file system" in answer.err or "readonly database" in answer.err, answer.err
    assert "Traceback" not in answer.err and files_in(disk) == before
    foretold = auto(scans, "--dry-run", out=out)
    assert foretold.code == 0 and ("1 to colour, 1 done before" if used else "2 to colour") in foretold.out
    _remount(disk, "rw")
    assert auto(scans, out=out).code == 0
    assert len(files_in(out)) == 2 and not _parts(disk)
