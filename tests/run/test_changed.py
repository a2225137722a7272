"""Files that change or vanish while a run has them in hand: a named failure, never a result of two contents."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from colorcli.items import Failure, Finished, Job
from colorcli.loader import LoadedMethod
from colorcli.media.originals import CHANGED, open_regular
from colorcli.media.places import part_path, sha256_of, whole_files
from colorcli.media.results import ResultOptions
from colorcli.methods.registry import METHODS
from colorcli.run.engine import Engine
from colorcli.run.ledger import Ledger
from colorcli.run.local import LocalRun, Outcome

from ..films import pan, write_film

Put = Callable[..., Path]
_CPU = torch.device("cpu")


def _run(photo: Path, out: Path, between: Callable[[], object]) -> Outcome:
    """Colour one photo; `between` is called when it was decoded and not yet written."""

    def predict(lightness: Tensor) -> Tensor:
        between()
        return torch.full((len(lightness), 2, *lightness.shape[2:]), 30.0)

    method = LoadedMethod(METHODS["smsanet"], predict, _CPU, torch.float32, "0" * 64, 32, {})
    ledger = Ledger(out, "settings")
    try:
        run = LocalRun(
            [Job(photo, out / photo.name, photo.name)],
            method,
            lambda: method,
            ledger,
            ResultOptions(),
            Engine(1, 1, 1, 1),
            size=32,
            max_pixels=0,
            overwrite=False,
            say=lambda _: None,
        )
        (outcome,) = run
        return outcome
    finally:
        ledger.close()


def _put(path: Path, shade: int) -> Path:
    Image.new("L", (64, 48), shade).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.bmp"])
def test_another_content_between_decoding_and_encoding(name: str, tmp_path: Path) -> None:
    """Oracle: the contract: no result, nothing unfinished; the next run colours what is there then."""
    photo, out = _put(tmp_path / name, 60), tmp_path / "out"
    outcome = _run(photo, out, lambda: _put(photo, 200))
    assert isinstance(outcome, Failure) and outcome.reason == CHANGED and outcome.stage == "encode"
    assert [path.name for path in out.iterdir()] == [".colorize"]
    assert isinstance(_run(photo, out, lambda: None), Finished)
    with Image.open(out / name) as picture:
        assert abs(picture.convert("L").resize((1, 1)).getpixel((0, 0)) - 200) < 25  # it has colour now


def test_another_file_in_its_place(tmp_path: Path) -> None:
    """Oracle: as above, where the content has the same length and its time is set back."""
    photo, other = _put(tmp_path / "a.bmp", 60), _put(tmp_path / "b.bmp", 200)
    before = photo.stat()

    def replaced() -> None:
        other.replace(photo)
        os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))

    outcome = _run(photo, tmp_path / "out", replaced)
    assert photo.stat().st_size == before.st_size and photo.stat().st_mtime_ns == before.st_mtime_ns
    assert isinstance(outcome, Failure) and outcome.reason == CHANGED


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.bmp"])
def test_what_shrinks_is_no_damage(name: str, tmp_path: Path) -> None:
    """Oracle: the contract: it was whole when it was found, so it was changed."""
    photo = _put(tmp_path / name, 60)
    outcome = _run(photo, tmp_path / "out", lambda: os.truncate(photo, 40))
    assert isinstance(outcome, Failure) and outcome.reason == CHANGED


def test_a_photo_that_vanishes_between_decoding_and_encoding(tmp_path: Path) -> None:
    """Oracle: the contract: a failure by name, and no result."""
    photo, out = _put(tmp_path / "a.png", 60), tmp_path / "out"
    outcome = _run(photo, out, photo.unlink)
    assert isinstance(outcome, Failure) and outcome.name == "a.png" and outcome.stage == "encode"
    assert not (out / "a.png").exists()


def test_another_content_between_the_ledger_and_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the ledger's digest is that of the first content: a result of the second must not be noted under it."""
    photo, out = _put(tmp_path / "a.png", 60), tmp_path / "out"
    from colorcli.run import local

    judged = local.judge

    def judge_and_change(*given: object) -> object:
        found = judged(*given)  # type: ignore[arg-type]
        _put(photo, 200)
        return found

    monkeypatch.setattr(local, "judge", judge_and_change)
    outcome = _run(photo, out, lambda: None)
    assert isinstance(outcome, Failure) and outcome.reason == CHANGED and outcome.stage == "decode"


def test_a_film_that_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photograph: Callable[..., Any], auto: Callable[..., Any]
) -> None:
    """Oracle: the contract: no film, a failure by name; the next run, of what is there then, makes it."""
    from colorcli.run import film

    source = write_film(tmp_path / "a.mp4", pan(photograph, "coffee", 6))
    scanned = film.scan

    def scan_and_change(*given: Any, **named: Any) -> Any:
        found = scanned(*given, **named)
        os.utime(source)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(film, "scan", scan_and_change)
        answer = auto(source, out=tmp_path / "out")
    assert answer.code == 3 and CHANGED in answer.err and not (tmp_path / "out" / "a.mp4").exists()
    assert auto(source, out=tmp_path / "out").code == 0 and (tmp_path / "out" / "a.mp4").exists()


_SHRINKS = """
import os, sys
from pathlib import Path
from colorcli.media.sources import open_source
source = open_source(Path(sys.argv[1]))
os.truncate(sys.argv[1], 5000)
source.image.avg()
"""


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_a_file_that_shrinks_while_it_is_read_kills_nothing(name: str, tmp_path: Path) -> None:
    """Oracle: the exit code of a process of its own: a mapped file would end it by SIGBUS."""
    Image.effect_noise((1200, 1200), 90).save(tmp_path / name)
    answer = subprocess.run([sys.executable, "-c", _SHRINKS, tmp_path / name], capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Oracle: both answer although nobody ever writes into the pipe; a file is opened as ever."""
    os.mkfifo(tmp_path / "a.png")
    for opening in (open_regular, sha256_of):
        answers: list[OSError] = []

        def ask(opening: Callable[[Path], object] = opening, answers: list[OSError] = answers) -> None:
            try:
                opening(tmp_path / "a.png")
            except OSError as error:
                answers.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(30)
        assert len(answers) == 1
    (tmp_path / "b.png").write_bytes(b"content")
    with open_regular(tmp_path / "b.png") as file:
        assert file.read() == b"content"


def test_a_link_in_the_place_of_a_part_leads_nowhere(tmp_path: Path) -> None:
    """Oracle: the file outside the output folder keeps its bytes."""
    (tmp_path / "out").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    target = tmp_path / "out" / "a.png"
    part_path(target).symlink_to(tmp_path / "mine.txt")
    with whole_files(target) as (part,):
        part.write_bytes(b"result")
    assert (tmp_path / "mine.txt").read_text() == "mine" and target.read_bytes() == b"result"
    assert not target.is_symlink()


def test_results_do_not_leave_the_output_folder(tmp_path: Path, put_photo: Put) -> None:
    """Oracle: the promise: a folder of OUT that links elsewhere gets no result; the failure names it."""
    from colorcli.media.discover import discover

    put_photo(tmp_path / "in" / "sub" / "a.png")
    put_photo(tmp_path / "in" / "b.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    found = discover([str(tmp_path / "in")], tmp_path / "out")
    assert [job.name for job in found.jobs] == ["b.png"]
    (failure,) = found.failures
    assert failure.name == "sub/a.png" and "outside the output folder" in failure.reason


def test_a_linked_output_folder_is_one(tmp_path: Path, put_photo: Put) -> None:
    """Oracle: OUT itself may be a link, and so may what lies above it."""
    from colorcli.media.discover import discover

    put_photo(tmp_path / "in" / "sub" / "a.png")
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert [job.name for job in discover([str(tmp_path / "in")], tmp_path / "out" / "x").jobs] == ["sub/a.png"]
