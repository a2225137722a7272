"""A real S3 server on loopback (SeaweedFS): folders there, the server killed in mid-run, then the client."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PHOTOGRAPHS, Answer
from tests.e2e.sshd import HASTY
from tests.e2e.weed import MISSING, Weed

_COUNT = 20
_PATIENCE = 400.0  # s until something happens, on a machine under load
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
]
Call = Callable[..., "Answer"]
Begin = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory, put_photo: Callable[..., Path]) -> Path:
    """20 PNGs of about 1.4 megapixels: some tenths of a second each to encode, so that a kill lands mid-run."""
    folder = tmp_path_factory.mktemp("scans")
    for number in range(_COUNT):
        put_photo(folder / f"{number % 2}" / f"{number:02}.png", PHOTOGRAPHS[number % 4], 1400 + number, 1000)
    return folder


@pytest.fixture(scope="module")
def unbroken(
    tmp_path_factory: pytest.TempPathFactory, scans: Path, auto: Call, files_in: Callable[[Path], dict[str, bytes]]
) -> dict[str, bytes]:
    """A local run's results."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    assert auto(scans, "--batch", "1", out=out).code == 0
    return files_in(out)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, scans: Path) -> Iterator[Weed]:
    """It listens, is known to the environment, and has the photos in photos/in."""
    pytest.importorskip("s3fs", reason="the extra `remote` is not installed")
    weed = Weed(tmp_path_factory.mktemp("s3") / "weed")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
            ("AWS_ENDPOINT_URL", weed.endpoint),
        ):
            patch.setenv(name, value)
        weed.start()
        weed.files().put(f"{scans}/", "photos/in/", recursive=True)
        yield weed
        weed.kill()


@pytest.fixture
def out(server: Weed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of an output folder there; what runs keep lies in the test's folder."""
    if not server.runs:  # a test before this one ended too early
        server.start()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return f"photos/{tmp_path.name}"


@pytest.fixture
def begin(start_colorize: Callable[..., subprocess.Popen[str]], out: str, tiny_weights: Path) -> Iterator[Begin]:
    """begin(): a run from the server to the server, in a process of its own."""
    begun: list[subprocess.Popen[str]] = []

    def call(before: str = "") -> subprocess.Popen[str]:
        how = ("--weights", tiny_weights, "-d", "cpu", "--batch", "1")
        begun.append(start_colorize("auto", "s3://photos/in", "-o", f"s3://{out}", *how, before=before))
        return begun[-1]

    yield call
    for process in begun:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _results(server: Weed, out: str) -> dict[str, bytes]:
    files = server.files()
    below = {path.removeprefix(f"{out}/"): path for path in files.find(out)}
    return {name: files.cat_file(path) for name, path in below.items() if not name.startswith(".colorize")}


def _wait_for_first(process: subprocess.Popen[str]) -> None:
    """Until it says that a result is delivered."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[1/"):
            return
    raise AssertionError(process.communicate())


def test_a_run_from_and_to_the_server(
    server: Weed, out: str, scans: Path, unbroken: dict[str, bytes], auto: Call, tmp_path: Path
) -> None:
    """Oracle: the local run's bytes; done before at the next run, also of another machine and of local photos."""
    first = auto("s3://photos/in", "--batch", "1", out=f"s3://{out}")
    assert first.code == 0 and f"{_COUNT} coloured" in first.out, first
    assert _results(server, out) == unbroken
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    again = auto("s3://photos/in", "--batch", "1", out=f"s3://{out}")
    assert again.code == 0 and f"{_COUNT} done before" in again.out
    assert f"{_COUNT} done before" in auto(scans, "--batch", "1", out=f"s3://{out}").out
    assert "secret-of-the-tests" not in first.out + first.err + again.out + again.err


def test_the_server_is_killed_and_comes_back(server: Weed, out: str, begin: Begin, unbroken: dict[str, bytes]) -> None:
    """Oracle: exit 0 and the unbroken run's bytes."""
    process = begin()
    _wait_for_first(process)
    server.kill()
    time.sleep(2)  # s without a server: some tries are in vain
    server.start()
    said, told = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0 and f"{_COUNT} coloured" in said, (said, told)
    assert _results(server, out) == unbroken


def test_the_server_is_killed_for_good(
    server: Weed, out: str, begin: Begin, unbroken: dict[str, bytes], auto: Call
) -> None:
    """Oracle: exit 1 with one clear line; whole files alone; the next run finishes to the same bytes."""
    process = begin(HASTY)
    _wait_for_first(process)
    server.kill()
    said, told = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 1, (said, told)
    assert "does not answer" in told.splitlines()[-1] and "goes on where it stopped" in told and "Traceback" not in told
    server.start()
    there = _results(server, out)
    assert len(there) < _COUNT and there.items() <= unbroken.items()
    again = auto("s3://photos/in", "--batch", "1", out=f"s3://{out}")
    assert again.code == 0 and "0 failed" in again.out, again
    assert _results(server, out) == unbroken


def test_the_client_is_killed(server: Weed, out: str, begin: Begin, unbroken: dict[str, bytes], auto: Call) -> None:
    """Oracle: whole files alone after the kill; the next run finishes to the unbroken run's bytes."""
    process = begin()
    _wait_for_first(process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    there = _results(server, out)
    assert 1 <= len(there) < _COUNT and there.items() <= unbroken.items()
    again = auto("s3://photos/in", "--batch", "1", out=f"s3://{out}")
    assert again.code == 0 and "0 failed" in again.out, again
    assert _results(server, out) == unbroken
