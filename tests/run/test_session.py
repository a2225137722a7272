"""open_run: requests that cannot be carried out are refused before anything is written."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from colorcli.errors import ColorizeError, UsageError, WeightsError
from colorcli.items import Dot, Job
from colorcli.run.ledger import Ledger
from colorcli.run.request import Request
from colorcli.run.session import open_run


@pytest.fixture
def request_(tiny_weights: Path) -> Request:
    return Request("smsanet", (tiny_weights,), "cpu", max_pixels=0)


def test_photos_are_coloured_without_pyav() -> None:
    """Oracle: sys.modules of a fresh interpreter. PyAV takes a fifth of a second to load."""
    code = "import sys; import colorcli.run.session, colorcli.media.films.kinds; print('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "nonsense"}, UsageError, "smsanet"),
        (
            {"method": "color2embed"},
            UsageError,
            "`colorize exemplar TARGET --ref REF` takes one; or choose -m smsanet, sigg",
        ),
        (
            {"strength": 1.0},
            UsageError,
            "smsanet takes no reference photo: `colorize auto` .*; or choose -m color2embed",
        ),
        ({"device": "toaster"}, UsageError, "cuda:N"),
        ({"device": "cuda:99"}, UsageError, "CUDA devices were found"),
        ({"precision": "fp8"}, UsageError, "fp16"),
        ({"method": "siggraph17"}, WeightsError, "weights of smsanet"),
        ({"hints": (Dot(1, 2, (3, 4, 5)),)}, UsageError, "smsanet takes no hints; choose -m siggraph17"),
        ({"attention": Path("maps")}, UsageError, "smsanet has no attention map; choose -m agin"),
        ({"weights": Path("nowhere.safetensors")}, WeightsError, "nowhere.safetensors"),
    ],
)
def test_refusals_write_nothing(
    request_: Request, tmp_path: Path, change: dict[str, object], error: type[ColorizeError], message: str
) -> None:
    """Oracle: the error's class, which carries the exit code; a message that names what there is; no output folder."""
    job = Job(tmp_path / "a.png", tmp_path / "out" / "a.png", "a.png")
    with (
        pytest.raises(error, match=message),
        open_run([job], tmp_path / "out", replace(request_, **change), lambda _: None),  # type: ignore[arg-type]
    ):
        pass
    assert not (tmp_path / "out").exists()


def test_it_says_what_runs_where(request_: Request, tmp_path: Path) -> None:
    """Oracle: the device is named (product.md), with the size that the weights were trained at."""
    said: list[str] = []
    job = Job(tmp_path / "a.png", tmp_path / "out" / "a.png", "a.png")
    with open_run([job], tmp_path / "out", replace(request_, precision="fp32"), said.append):
        pass
    assert said == [said[0]] and said[0].startswith("SMSANet at 64 px on cpu") and said[0].endswith("float32")


def test_the_folder_is_let_go_of(request_: Request, tmp_path: Path) -> None:
    """Oracle: the folder's ledger is refused inside, and another run possible after."""
    job = Job(tmp_path / "a.png", tmp_path / "out" / "a.png", "a.png")
    with (
        open_run([job], tmp_path / "out", request_, lambda _: None),
        pytest.raises(ColorizeError, match="another run"),
    ):
        Ledger(tmp_path / "out", "settings")
    with open_run([job], tmp_path / "out", request_, lambda _: None):
        pass


def test_a_plain_request_keeps_the_list_of_jobs(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the very list that was given: a million photos are not listed twice. With hints that nobody takes, or a
    folder for maps, it is another."""
    given: list[object] = []
    monkeypatch.setattr("colorcli.run.session.local_run", lambda jobs, *_, **__: given.append(jobs) or _Closed())
    plain = [Job(tmp_path / "a.png", tmp_path / "out" / "a.png", "a.png")]
    hinted = [replace(plain[0], sidecar=tmp_path / "a.hints.png")]
    said: list[str] = []
    for jobs in (plain, hinted):
        with open_run(jobs, tmp_path / "out", request_, said.append):
            pass
    assert given[0] is plain and given[1] == plain
    assert sum("1 .hints.png file(s) left out" in line for line in said) == 1


class _Closed:
    """A run that does nothing."""

    def close(self) -> None:
        return
