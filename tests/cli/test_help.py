"""--help: there for every command, quick, without torch; usage errors; no traceback unless -vv."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.testing import CliRunner

from colorcli import __version__
from colorcli.cli import app, console
from colorcli.errors import PhotoError

_HEAVY = (
    "torch",
    "torchvision",
    "numpy",
    "pyvips",
    "skimage",
    "PIL",
    "imageio",
    "cv2",
    "ray",
    "fsspec",
    "paramiko",
    "s3fs",
)
_ALLOWED = 0.3  # seconds over bare Python (issue 3)


def _commands(group: object, *path: str) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command and group of the tree, with the words that name it."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from _commands(command, *path, name)


_TREE = dict(_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", _TREE, ids=lambda path: " ".join(path) or "colorize")
def test_help_of_every_command(path: tuple[str, ...], colorize: Callable[..., object]) -> None:
    """Oracle: exit 0, the command's own usage line and its description on stdout, nothing on stderr."""
    for option in ("--help", "-h"):
        answer = colorize(*path, option)
        assert answer.code == 0 and answer.err == ""
        assert answer.out.startswith("Usage: ") and " ".join(path) in answer.out.splitlines()[0]
        words = (getattr(_TREE[path], "help", "") or "").split()
        assert words and " ".join(answer.out.split()).find(" ".join(words[:4])) > 0


def test_every_command_and_option_has_a_line_of_help() -> None:
    """Oracle: the tree of commands: a description each, and a help text for each option and argument."""
    assert {
        ("auto",),
        ("exemplar",),
        ("stylize",),
        ("train",),
        ("samples",),
        ("methods",),
        ("doctor",),
        ("weights", "verify"),
    } <= _TREE.keys()
    for path, command in _TREE.items():
        described = getattr(command, "help", None) or ""
        assert described.strip().splitlines()[:1], f"{path} has no description"
        for parameter in getattr(command, "params", []):
            assert getattr(parameter, "help", None), f"{' '.join(path)}: {parameter.name} has no help"


def test_the_list_of_commands_has_a_line_each(colorize: Callable[..., object]) -> None:
    """Oracle: the registered commands; each is followed by text in `colorize --help`."""
    lines = colorize("--help").out.split("Commands:")[1].splitlines()
    listed = {line.split()[0]: line.split()[1:] for line in lines if line.strip() and not line.startswith("     ")}
    assert listed.keys() == {path[0] for path in _TREE if len(path) == 1}
    assert all(len(words) >= 3 for words in listed.values())


# The commands of one group share their modules: one of each is enough.
@pytest.mark.parametrize(
    "path",
    [path for path in _TREE if len(path) < 2 or path[1] in ("quality", "verify")],
    ids=lambda path: " ".join(path) or "colorize",
)
def test_help_loads_nothing_heavy(path: tuple[str, ...]) -> None:
    """Oracle: sys.modules of a fresh process at its exit."""
    script = (
        "import atexit, json, sys\n"
        f"atexit.register(lambda: print('LOADED', json.dumps(sorted(set(sys.modules) & set({_HEAVY!r})))))\n"
        "from colorcli.cli import main\n"
        f"sys.argv = ['colorize', *{list(path)!r}, '--help']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Usage: " in done.stdout
    assert json.loads(done.stdout.split("LOADED ")[1]) == []


def test_help_is_quick() -> None:
    """Oracle: the clock: best of five against the best of five of `python -c pass`; the best is free of other load."""

    def best(*arguments: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - start)
        return min(times)

    assert best("-m", "colorcli", "--help") - best("-c", "pass") < _ALLOWED


def test_version(colorize: Callable[..., object]) -> None:
    """Oracle: the package's own version."""
    answer = colorize("--version")
    assert (answer.code, answer.out) == (0, f"colorize {__version__}\n")


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["auto"],
        ["auto", "photos"],
        ["auto", "photos", "-o", "out", "--nonsense"],
        ["auto", "photos", "-o", "out", "--batch", "many"],
        ["auto", "photos", "-o", "out", "--batch", "-1"],
        ["auto", "photos", "-o", "out", "--jobs", "-1"],
        ["auto", "photos", "-o", "out", "--size", "8"],
        ["auto", "photos", "-o", "out", "--size", "100000"],
        ["auto", "photos", "-o", "out", "--format", "bmp"],
        ["auto", "photos", "-o", "out", "--quality", "0"],
        ["auto", "photos", "-o", "out", "--quality", "101"],
        ["auto", "photos", "-o", "out", "--saturation", "-1"],
        ["auto", "photos", "-o", "out", "--saturation", "nan"],
        ["auto", "photos", "-o", "out", "--seed", "-1"],
        ["auto", "photos", "-o", "out", "--seed", "99999999999999999999"],
        ["auto", "photos", "-o", "out", "--weights", "."],
        ["weights", "nonsense"],
        ["weights", "export", "nowhere", "-o", "out"],
    ],
    ids=" ".join,
)
def test_usage_errors_exit_2(
    arguments: list[str],
    colorize: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: object,
) -> None:
    """Oracle: exit 2, a reason on stderr, nothing on stdout, nothing written."""
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]
    answer = colorize(*arguments)
    assert answer.code == 2
    assert answer.out == "" and len(answer.err.strip()) > 10 and "Traceback" not in answer.err
    assert os.listdir() == ["photos"]  # noqa: PTH208


def test_no_command_shows_the_help(colorize: Callable[..., object]) -> None:
    """Oracle: click's convention for a bare group: the usage, exit 2."""
    answer = colorize()
    assert answer.code == 2 and "Usage: " in answer.out + answer.err and "auto" in answer.out + answer.err


# what becomes of errors, on a command made for it


def _broken(error: BaseException) -> typer.Typer:
    made = typer.Typer(pretty_exceptions_enable=False)

    @made.command()
    @console.reports_errors
    def command(verbose: int = typer.Option(0, "-v", count=True)) -> None:
        del verbose  # reports_errors reads it
        raise error

    return made


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (PhotoError("it is torn"), 3, "colorize: it is torn"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("a defect"), 1, "unexpected ZeroDivisionError: a defect"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
    ],
)
def test_errors_are_one_line(error: BaseException, code: int, text: str) -> None:
    """Oracle: the exit codes of product.md; a traceback never without -vv."""
    result = CliRunner().invoke(_broken(error), [])
    assert result.exit_code == code
    assert text in result.stderr and len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize("error", [PhotoError("it is torn"), ZeroDivisionError("a defect")])
def test_vv_shows_the_traceback(error: Exception) -> None:
    """Oracle: product.md; -v alone does not."""
    assert "Traceback" in CliRunner().invoke(_broken(error), ["-vv"]).stderr
    assert "Traceback" not in CliRunner().invoke(_broken(error), ["-v"]).stderr


def test_a_closed_pipe_is_no_error() -> None:
    """Oracle: `colorize methods --json | head -c 1`, whose reader has gone: no traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "colorcli", "weights", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    process.wait(30)
    assert b"Traceback" not in told
