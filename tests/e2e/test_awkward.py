"""Awkward files on a real command line: every row of `tests/awkward.py` ends as the table says, in one run."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pyvips
from PIL import Image, ImageCms

from ..awkward import TABLE, Awkward, build_all

Call = Callable[..., Any]
_MEMORY = 1500  # MB above that of an empty run: a few photos at a time, whatever a header says
_ROOM = 12 * 2**30  # bytes of addresses, torch's own and several threads' among them; a bomb wants more
_PATIENCE = 900  # seconds for the whole folder on a machine under load; a hang takes longer
_LAUNCH = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({room}, {room}))
from colorcli.cli import main
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("peak", int(peak.split()[1]) // 1000, file=sys.stderr)
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fifos, byte names, /proc"),
]


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run said, and the folder that it wrote."""

    code: int
    entries: dict[str, dict[str, Any]]  # by file
    summary: dict[str, int]
    err: str
    peak: int  # MB
    out: Path


def _colorize(out: Path, *arguments: object) -> _Run:
    answer = subprocess.run(
        [sys.executable, "-c", _LAUNCH.format(room=_ROOM), *map(str, arguments), "-o", out, "--json", "-d", "cpu"],
        capture_output=True,
        timeout=_PATIENCE,
        check=False,
    )
    err = answer.stderr.decode()
    *entries, last = map(json.loads, answer.stdout.decode().splitlines())
    peak = int(err.rpartition("peak ")[2])
    return _Run(answer.returncode, {one["file"]: one for one in entries}, last["summary"], err, peak, out)


def _digests(folder: Path, out: Path) -> dict[str, str]:
    """Of all regular files of the input folder."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name) != out]
        for path in (Path(place, name) for name in names):
            if path.is_file() and path.stat().st_size and path.stat().st_rdev == 0:
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_all(tmp_path_factory.mktemp("awkward"))


@pytest.fixture(scope="module")
def ran(folder: Path, tiny_weights: Path, pytestconfig: pytest.Config) -> Iterator[tuple[_Run, _Run]]:
    """The first run over the folder, with its output folder inside, and the same command again."""
    out = folder / "out"
    before = _digests(folder, out)
    runs = tuple(_colorize(out, "auto", folder, "--weights", tiny_weights) for _ in range(2))
    assert _digests(folder, out) == before  # never over an input
    place = pytestconfig.getoption("--table")
    if place:
        page = Path(place).read_text() if Path(place).exists() else ""
        Path(place).write_text(page.partition("| file |")[0] + _markdown(runs[0], folder))
    yield runs  # type: ignore[misc]


@pytest.fixture(scope="module")
def run(ran: tuple[_Run, _Run]) -> _Run:
    return ran[0]


def _words(entry: dict[str, Any]) -> str:
    return " ".join([entry.get("reason", ""), *entry.get("notes", ())])


def _markdown(run: _Run, folder: Path) -> str:
    """The table of docs/awkward.md: what happened, file by file."""
    lines = ["| file | what it is | what happens | what is said |", "|---|---|---|---|"]
    for row in TABLE:
        entry = run.entries[row.name]
        said = entry.get("reason") or "; ".join(entry["notes"])
        cells = (_shown(row.name), row.what, entry["state"], said.replace(str(folder) + os.sep, ""))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_page_has_the_table() -> None:
    """Oracle: docs/awkward.md, which the option --table wrote: each row's file, words and state, in order."""
    page = (Path(__file__).parents[2] / "docs" / "awkward.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert [line.split(" | ")[:3] for line in rows] == [[f"| {_shown(row.name)}", row.what, row.state] for row in TABLE]


def _shown(name: str) -> str:
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
    return f"`{plain if len(plain) <= 40 else plain[:20] + '…' + plain[-12:]}`".replace("`id`", "'id'")


def _named(row: Awkward) -> str:
    return row.name if row.name.isprintable() and len(row.name) < 60 else row.what


@pytest.mark.parametrize("row", TABLE, ids=_named)
def test_the_table(row: Awkward, run: _Run, folder: Path, tiny_weights: Path, tmp_path: Path) -> None:
    """Oracle: the row; results are opened again with Pillow and, for 16 bits, libvips. Where the words are not
    the row's, those of a run over this file alone: libvips keeps one message for all threads, maybe another file's."""
    entry = run.entries[row.name]
    said = _words(entry)
    assert entry["state"] == row.state, said
    if row.words not in said:
        (alone,) = _colorize(tmp_path, "auto", folder / row.name, "--weights", tiny_weights).entries.values()
        assert row.words in _words(alone), (said, _words(alone))
    if row.state != "done":
        assert row.state == "skipped" or not (run.out / row.name).exists()
        return
    result = run.out / row.name
    assert entry["result"] == str(result)
    with result.open("rb") as file, Image.open(file) as picture:  # a stream: Pillow takes no name that is not UTF-8
        assert picture.format == row.format
        assert picture.size == row.size
        assert getattr(picture, "n_frames", 1) == row.frames
        assert not row.alpha or picture.mode in ("RGBA", "PA", "LA")
        assert picture.getexif().get(0x0112, 1) == 1  # upright
        if row.format in ("PNG", "TIFF", "JPEG") and row.bits == 8:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
            assert "sRGB" in ImageCms.getProfileDescription(profile)
    if row.bits == 16:
        assert pyvips.Image.new_from_buffer(result.read_bytes(), "").format == "ushort"


def test_every_file_is_told_once(run: _Run) -> None:
    """Oracle: the table's names; besides them the folder that links to its own above, whose photos are taken once."""
    assert set(run.entries) == {row.name for row in TABLE}
    counts = {state: sum(row.state == state for row in TABLE) for state in ("done", "failed", "skipped")}
    assert run.code == 3 and run.summary == {**counts, "unchanged": 0}
    assert "Traceback" not in run.err and "unexpected" not in run.err


def test_nothing_else_is_written(run: _Run) -> None:
    """Oracle: the output folder holds the results, the ledger's folder, and nothing unfinished."""
    found = {str(path.relative_to(run.out)) for path in run.out.rglob("*") if not path.is_dir()}
    made = {row.name for row in TABLE if row.state == "done"}
    assert {name for name in found if not name.startswith(".colorize")} == made


def test_again_nothing_is_done(ran: tuple[_Run, _Run]) -> None:
    """Oracle: the first run's own count: the output folder inside the input is not read."""
    first, again = ran
    assert again.code == 3 and again.summary["done"] == 0
    assert again.summary["unchanged"] == first.summary["done"]
    assert again.summary["failed"] == first.summary["failed"] and again.summary["skipped"] == first.summary["skipped"]


def test_memory_is_bounded(run: _Run, tmp_path: Path, tiny_weights: Path, put_photo: Call) -> None:
    """Oracle: VmHWM of the whole folder against that of one small photo; addresses are limited besides."""
    put_photo(tmp_path / "in" / "a.png")
    alone = _colorize(tmp_path / "out", "auto", tmp_path / "in", "--weights", tiny_weights)
    assert alone.code == 0 and run.peak - alone.peak < _MEMORY, (run.peak, alone.peak)


def test_files_without_permission(tmp_path: Path, tiny_weights: Path, put_photo: Call) -> None:
    """Oracle: the system's permissions, which bind root once it has given up the rights to pass over them."""
    command: list[object] = [sys.executable, "-m", "colorcli", "auto", tmp_path / "in", "-o", tmp_path / "out"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root reads all files, and there is no setpriv here to take that right away")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    put_photo(tmp_path / "in" / "good.png")
    put_photo(tmp_path / "in" / "unreadable.png").chmod(0)
    put_photo(tmp_path / "in" / "locked" / "inside.png")
    (tmp_path / "in" / "locked").chmod(0)
    options = ["--json", "-d", "cpu", "--weights", tiny_weights]
    answer = subprocess.run([*map(str, [*command, *options])], capture_output=True, text=True, check=False)
    (tmp_path / "in" / "locked").chmod(0o755)
    entries = {entry["file"]: entry for entry in map(json.loads, answer.stdout.splitlines()) if "file" in entry}
    assert answer.returncode == 3 and entries["good.png"]["state"] == "done", answer.stderr
    assert "may not be read" in entries["unreadable.png"]["reason"]
    assert "the folder cannot be read (Permission denied)" in entries["locked"]["reason"]


@pytest.mark.parametrize("row", [row for row in TABLE if row.state == "failed"], ids=_named)
def test_as_a_reference(row: Awkward, folder: Path, tmp_path: Path, exemplar: Call, put_photo: Call) -> None:
    """Oracle: the contract: exit 2, the reference named, and nothing written."""
    photo = put_photo(tmp_path / "a.png")
    answer = exemplar(photo, ref=[folder / row.name], out=tmp_path / "out")
    assert answer.code == 2 and Path(row.name).name in answer.err and not (tmp_path / "out").exists(), answer.err
