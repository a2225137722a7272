"""Progress: a line per file off a terminal, a bar on one; file names cannot write to the terminal. Interruptions."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from colorcli.cli.console import Progress, printable


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_printable_escapes_what_a_terminal_obeys() -> None:
    """Oracle: Python's own escapes, of line ends too: what is said is one line; letters of any script stay."""
    assert printable("été 日本") == "été 日本"
    assert printable("a\nb\u2028c") == "a\\nb\\u2028c"
    assert printable("a\x1b[31m\r\x07\udce9\x7f") == "a\\x1b[31m\\r\\x07\\udce9\\x7f"


@pytest.mark.parametrize(
    ("verbosity", "expected"), [(0, ["[1/2] a -> b", "note", "[2/2] c FAILED"]), (-1, ["[2/2] c FAILED"])]
)
def test_lines_off_a_terminal(verbosity: int, expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Oracle: one line per file on stderr; quiet leaves the failures."""
    progress = Progress(2, verbosity)
    progress.advance("a -> b")
    progress.line("note")
    progress.advance("c FAILED", always=True)
    progress.close()
    captured = capsys.readouterr()
    assert captured.err.splitlines() == expected and captured.out == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: product.md: count and rate on stderr; failures above the bar, plain files not; names escaped."""
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    progress = Progress(3, 0)
    progress.advance("good.jpg -> out/good.jpg")
    progress.advance("bad\x1b]0;owned\x07.jpg: FAILED [bold]", always=True)
    progress.close()
    shown = terminal.getvalue()
    assert "2/3" in shown and "photos/s" in shown
    assert "FAILED [bold]" in shown and "good.jpg" not in shown
    assert "\x1b]0;owned" not in shown and "\\x1b]0;owned" in shown


def test_without_stderr(photos: Path, tmp_path: Path, tiny_weights: Path) -> None:
    """Oracle: exit 0, a whole result for each photo, and the summary alone on stdout."""
    arguments = ["auto", photos, "-o", tmp_path / "out", "--weights", tiny_weights, "-d", "cpu"]
    shell = shlex.join(map(str, [sys.executable, "-m", "colorcli", *arguments])) + " 2>&-"
    done = subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {path.name for path in photos.iterdir()}
    (line,) = done.stdout.splitlines()
    assert line.startswith("4 coloured")


_AGAIN = "the same command goes on where it stopped"


@pytest.mark.parametrize(
    ("arguments", "within", "said"),
    [
        (("auto", "photos", "-o", "out"), "colorcli.run.request.check", f"interrupted; {_AGAIN}"),
        (("exemplar", "photos", "--ref", "a.jpg"), "colorcli.run.request.check", f"interrupted; {_AGAIN}"),
        (("train", "smsanet"), "colorcli.train.config.parse_assignments", f"interrupted; with --resume {_AGAIN}"),
        (("bench",), "colorcli.bench.contestants.load_method", "interrupted"),
        (("samples", "samples"), "colorcli.media.samples.write_samples", "interrupted"),
        (("weights", "import", "siggraph17", "a.pth"), "colorcli.loader.import_published", "interrupted"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_an_interrupted_command_says_whether_it_goes_on(
    arguments: tuple[str, ...],
    within: str,
    said: str,
    colorize: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Oracle: README: `auto` and `exemplar` go on, `train` with --resume; the others start anew. Exit 130."""
    monkeypatch.setattr(within, Mock(side_effect=KeyboardInterrupt))
    answer = colorize(*arguments)
    assert answer.code == 130 and answer.err == f"colorize: {said}\n" and answer.out == ""
