"""Talking to a person: errors with their exit codes, progress on stderr, results on stdout."""

from __future__ import annotations

import functools
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import typer

from colorcli.errors import ColorizeError, UsageError

FAILED_FILES = 3  # exit code: some files failed
INTERRUPTED = 130

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")  # as a Path has it, with one slash; no drive of Windows

C = TypeVar("C", bound=Callable[..., Any])


def printable(text: str) -> str:
    """The text on one line: the control characters and undecodable bytes of file names escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def say(text: str) -> None:
    """A line on stderr."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def reports_errors(command: C) -> C:
    """Turn our errors into one line on stderr and their exit code; the traceback only with -vv."""
    return _reporting(command, "interrupted")


def resumes(how: str = "the same command goes on where it stopped") -> Callable[[C], C]:
    """`reports_errors` for a command that goes on after an interruption. how: what a person does for that."""
    return lambda command: _reporting(command, f"interrupted; {how}")


def _reporting(command: C, interrupted: str) -> C:
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            _refuse_urls(kwargs)
            return command(*args, **kwargs)
        except ColorizeError as error:
            if kwargs.get("verbose", 0) >= 2:
                traceback.print_exc()
            say(f"colorize: {error}")
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            say(f"colorize: {interrupted}")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # `colorize methods | head` is through; a command with an --out was cut off
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1 if "out" in kwargs else 0) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:  # a defect of ours, or a machine in trouble: still one line
            if kwargs.get("verbose", 0) >= 2:
                traceback.print_exc()
            say(f"colorize: unexpected {type(error).__name__}: {error}")
            raise typer.Exit(1) from None

    return wrapped  # type: ignore[return-value]


def _refuse_urls(given: dict[str, Any]) -> None:
    """UsageError for a URL where only a path of this machine is taken; it may hold a password, and is not shown."""
    for name, value in given.items():
        for path in value if isinstance(value, list | tuple) else (value,):
            if isinstance(path, Path) and _URL.match(str(path)):
                raise UsageError(f"{name.replace('_', '-')} takes a path of this machine, not a URL")


class Progress:
    """How far a run is: a bar with rate and time left on a terminal, a line per file elsewhere.

    verbosity: -1 says nothing but failures; 1 names unchanged files too.
    """

    def __init__(self, total: int, verbosity: int) -> None:
        self._total = total
        self._verbosity = verbosity
        self._count = 0
        self._started = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        if sys.stderr.isatty() and verbosity >= 0:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("[progress.description]{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("colouring", total=total, rate="")
            self._bar.start()

    def line(self, text: str, *, always: bool = False) -> None:
        """Say something about a file, above the bar where there is one."""
        if self._verbosity < 0 and not always:
            return
        if self._bar is None:
            say(text)
        else:
            from rich.text import Text

            self._bar.console.print(Text(printable(text)))

    def advance(self, text: str, *, always: bool = False) -> None:
        """One more file is through. Its line is shown off a terminal, and everywhere if it matters."""
        self._count += 1
        rate = self._count / max(time.monotonic() - self._started, 1e-6)
        if self._bar is not None:
            self._bar.update(self._task, advance=1, rate=f"{rate:.1f} photos/s")
            if always or self._verbosity >= 1:
                self.line(text, always=always)
        else:
            self.line(f"[{self._count}/{self._total}] {text}", always=always)

    def close(self) -> None:
        """Leave the terminal in order."""
        if self._bar is not None:
            self._bar.stop()
