"""Progress: a line per file off a terminal, a bar on one; file names cannot write to the terminal."""

from __future__ import annotations

import io
import sys

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
