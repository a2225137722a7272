"""kill -9 at random moments, again and again: what is finished then is what an unbroken run makes, byte for byte.

`pytest tests/e2e/test_killed_often.py --kills 50 -s` kills each run 50 times and tells the moments.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorcli.media.places import BESIDE_LEDGER, FILMS, LEDGER

from ..films import Recipe, pan, write_film

Call = Callable[..., "object"]
Said = Callable[[Path], tuple[object, ...]]
Files = dict[str, bytes]
Judge = Callable[[Path], int]
_FEWEST, _EACH = 12, 4  # photos
_SHOTS = 5  # of the film, for every ten kills, and at least
_LONGEST = 600.0  # s, that a run may take on a machine under load
_OPTIONS = ("-d", "cpu", "--batch", "1")
_UNFINISHED = (".part", ".held.v")
_SERVER = """
import json, os, sys
import torch, colorcli.run.session, colorcli.run.film, colorcli.run.films, colorcli.run.mixed
from colorcli.cli import main
for line in sys.stdin:
    words, log = json.loads(line)
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        sys.argv = ["colorize", *words]
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]


class Runs:
    """Runs of the command line, one after another, each in a process of its own that can be killed.

    They are forked from one that has loaded the libraries, which takes seconds in which nothing is touched.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def start(self, *words: object) -> int:
        """The process' id."""
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps([[*map(str, words)], str(self._log)]).encode() + b"\n")
        return int(self._line(_LONGEST) or 0)

    def code(self, timeout: float = _LONGEST) -> int | None:
        """How the run ended; None where it has not within these seconds."""
        line = self._line(timeout)
        return None if line is None else int(line)

    def finish(self, *words: object) -> float:
        """Let a run end well; its seconds."""
        begun = time.monotonic()
        self.start(*words)
        assert self.code() == 0, self._log.read_text()
        return time.monotonic() - begun

    def _line(self, timeout: float) -> str | None:
        assert self._server.stdout is not None
        told, _, _ = select.select([self._server.stdout], [], [], timeout)
        return self._server.stdout.readline().decode() if told else None

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(_LONGEST)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with closing(Runs(tmp_path_factory.mktemp("runs") / "log.txt")) as runs:
        yield runs


@pytest.fixture(scope="module")
def kills(pytestconfig: pytest.Config) -> int:
    count: int = pytestconfig.getoption("--kills")
    return count


@pytest.fixture
def chance(pytestconfig: pytest.Config) -> random.Random:
    seed = pytestconfig.getoption("--kills-seed")
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    print(f"--kills-seed {seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory, photograph: Call, kills: int) -> Path:
    """Small photographs of five formats, gray and in colour, 8 and 16 bits, in three folders."""
    folder = tmp_path_factory.mktemp("scans")
    for number in range(max(_FEWEST, _EACH * kills)):
        name = ("astronaut", "chelsea", "coffee", "rocket")[number % 4]
        pixels = photograph(name, 60 + 7 * (number % 23), 50 + 11 * (number % 13))
        path = folder / f"{number % 3}" / f"{number:03}{('.jpg', '.png', '.tif', '.webp', '.bmp')[number % 5]}"
        path.parent.mkdir(exist_ok=True)
        gray = pixels.mean(axis=2)
        deep = path.suffix in (".png", ".tif") and number % 2
        picture = gray.astype(np.uint16) << 8 if deep else pixels if number % 7 == 0 else gray.astype(np.uint8)
        Image.fromarray(picture).save(path)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, photograph: Call, kills: int) -> Path:
    """Shots of twelve frames, each of another photograph than the one before."""
    frames = []
    for number in range(max(_SHOTS, _SHOTS * kills // 10)):
        name = ("astronaut", "coffee", "rocket", "chelsea")[number % 4]
        frames += pan(photograph, name, 12, 160, 120, 2 + number % 3)
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    return write_film(path, frames, Recipe(sound=[("aac", "eng")]))


@pytest.fixture(scope="module")
def unbroken(
    tmp_path_factory: pytest.TempPathFactory, scans: Path, runs: Runs, files_in: Call, tiny_weights: Path
) -> tuple[Files, float]:
    """What an unbroken run makes of the photos, and its duration."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    duration = runs.finish("auto", scans, "-o", out, "--weights", tiny_weights, *_OPTIONS)
    return files_in(out), duration


def _shares(chance: random.Random, kills: int) -> Iterator[float]:
    """Of a run's duration: one at random in each of as many equal parts of it, in any order."""
    parts = list(range(kills))
    chance.shuffle(parts)
    return ((part + chance.random()) / kills for part in parts)


def _kill_often(
    runs: Runs, said: Said, fresh: Callable[[], Path], shares: Iterator[float], duration: float, judge: Judge
) -> Path:
    """Kill a run after each of these shares of its duration. One that ended before is followed by one over all again.

    said: the command over a folder. duration: s, of an unbroken run; that of the quickest is taken, for the machine's
    load changes. judge: looks at what a kill left; how many results. Returns the folder of the last run, killed or
    ended.
    """
    folder, whole = fresh(), True
    told, ended = [], 0
    for share in shares:
        moment = share * duration
        begun = time.monotonic()
        process = runs.start(*said(folder))
        code = runs.code(moment)
        if code is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process, signal.SIGKILL)
            assert runs.code() in (-signal.SIGKILL, 0)
            told.append((moment, judge(folder)))
            whole = False
        else:
            assert code == 0
            judge(folder)
            duration = min(duration, time.monotonic() - begun) if whole else duration
            folder, whole, ended = fresh(), True, ended + 1
    print(f"{len(told)} kills; {ended} runs ended before theirs. Seconds after the start, and results then:")
    print(", ".join(f"{moment:.2f}: {results}" for moment, results in sorted(told)))
    return folder


def _all_noted(ledger: Path) -> int:
    """How many results a ledger has; it is sound, and all of them are done."""
    with closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        states = [state for (state,) in connection.execute("SELECT state FROM results")]
    assert set(states) <= {"done"}
    return len(states)


def _left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(_UNFINISHED)]


@pytest.mark.parametrize("in_place", [False, True], ids=["an output folder", "in place"])
def test_photos(
    in_place: bool,
    scans: Path,
    unbroken: tuple[Files, float],
    kills: int,
    chance: random.Random,
    tmp_path: Path,
    runs: Runs,
    colorize: Call,
    files_in: Call,
    tiny_weights: Path,
) -> None:
    """Oracle: the unbroken run's bytes: of every file that bears a final name after a kill, in place else the photo's;
    of all when the run is finished. Then: no part, a sound ledger in which all is done, a further run that does
    nothing."""
    made, duration = unbroken
    sources = files_in(scans)
    numbers = iter(range(kills + 1))

    def fresh() -> Path:
        folder = tmp_path / f"{next(numbers)}"
        return shutil.copytree(scans, folder) if in_place else folder

    def said(folder: Path) -> tuple[object, ...]:
        place = (folder, "--in-place") if in_place else (scans, "-o", folder)
        return ("auto", *place, "--weights", tiny_weights, *_OPTIONS)

    def judge(folder: Path) -> int:
        found = {name: content for name, content in files_in(folder).items() if not name.endswith(_UNFINISHED)}
        results = [name for name, content in found.items() if content == made[name]]
        others = found.keys() - set(results)
        assert all(in_place and found[name] == sources[name] for name in others)
        return len(results)

    folder = _kill_often(runs, said, fresh, _shares(chance, kills), duration, judge)
    runs.finish(*said(folder))
    assert files_in(folder) == made and not _left(folder)
    ledgers = list(folder.rglob(str(BESIDE_LEDGER if in_place else LEDGER)))
    assert sum(map(_all_noted, ledgers)) == len(made)
    assert f"0 coloured, {len(made)} done before, 0 failed" in colorize(*said(folder)).out
    assert files_in(folder) == made


def test_a_film(
    film: Path,
    kills: int,
    chance: random.Random,
    tmp_path: Path,
    runs: Runs,
    colorize: Call,
    files_in: Call,
    tiny_weights: Path,
) -> None:
    """Oracle: as above, of a film: it is there whole or not at all; nothing of its shots stays."""

    def said(out: Path) -> tuple[object, ...]:
        return ("auto", film, "-o", out, "--weights", tiny_weights, *_OPTIONS)

    duration = runs.finish(*said(tmp_path / "unbroken"))
    made = files_in(tmp_path / "unbroken")
    assert list(made) == [film.name]
    numbers = iter(range(kills + 1))

    def judge(out: Path) -> int:
        """How many of the film's shots are finished."""
        if (out / film.name).exists():
            assert (out / film.name).read_bytes() == made[film.name]
        return sum(path.suffix == ".json" for path in out.rglob("shot-*"))

    out = _kill_often(runs, said, lambda: tmp_path / f"{next(numbers)}", _shares(chance, kills), duration, judge)
    runs.finish(*said(out))
    assert files_in(out) == made and not _left(out)
    assert not (out / LEDGER.parent / FILMS).exists()
    assert _all_noted(out / LEDGER) == 1
    assert "0 coloured, 1 done before, 0 failed" in colorize(*said(out)).out
