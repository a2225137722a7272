"""A real OpenSSH server on loopback: folders there, the server killed in mid-run, the client killed in mid-run."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PHOTOGRAPHS, Answer
from tests.e2e.sshd import HASTY, MISSING, Sshd

_COUNT = 12
_PATIENCE = 400.0  # s until something happens, on a machine under load
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
]
Call = Callable[..., "Answer"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """It listens; HOME is one of somebody who may log in."""
    pytest.importorskip("paramiko", reason="the extra `remote` is not installed")
    sshd = Sshd(tmp_path / "sshd")
    monkeypatch.setenv("HOME", str(sshd.home))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sshd.start()
    yield sshd
    sshd.kill()


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory, put_photo: Callable[..., Path]) -> Path:
    """12 PNGs of about 1.4 megapixels: some tenths of a second each to encode, so that a kill lands mid-run."""
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


@pytest.fixture
def begin(start_colorize: Start, server: Sshd, scans: Path, tiny_weights: Path) -> Iterator[Start]:
    """begin(OUT, ...): a run from the server to the server, in a process of its own."""
    begun: list[subprocess.Popen[str]] = []

    def call(out: Path, *more: object, before: str = "") -> subprocess.Popen[str]:
        how = ("--weights", tiny_weights, "-d", "cpu", "--batch", "1", *more)
        begun.append(start_colorize("auto", server.url(scans), "-o", server.url(out), *how, before=before))
        return begun[-1]

    yield call
    for process in begun:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _wait_for_first(process: subprocess.Popen[str], out: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not any(out.glob("*/[0-9]*.png")):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.002)


def _parts(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if "part" in path.name]


def test_a_run_from_and_to_the_server(
    server: Sshd, scans: Path, unbroken: dict[str, bytes], tmp_path: Path, auto: Call, files_in: Callable[..., object]
) -> None:
    """Oracle: the local run's bytes; done before at the next run; a login name in the URL changes nothing of that."""
    out = tmp_path / "out"
    first = auto(server.url(scans), "--batch", "1", out=server.url(out))
    assert first.code == 0 and f"{_COUNT} coloured" in first.out, first
    assert files_in(out) == unbroken and _parts(out) == []
    again = auto(server.url(scans), "--batch", "1", out=server.url(out))
    assert again.code == 0 and f"{_COUNT} done before" in again.out
    assert f"{_COUNT} done before" in auto(scans, "--batch", "1", out=out).out  # the local engine knows them, too


def test_the_server_is_killed_and_comes_back(
    server: Sshd, begin: Start, unbroken: dict[str, bytes], tmp_path: Path, files_in: Callable[..., object]
) -> None:
    """Oracle: exit 0 and the unbroken run's bytes: half a minute without a server is waited for."""
    out = tmp_path / "out"
    process = begin(out)
    _wait_for_first(process, out)
    server.kill()
    left = len(list(out.glob("*/[0-9]*.png")))
    assert left < _COUNT
    time.sleep(3)  # s without a server: some tries are in vain
    assert len(list(out.glob("*/[0-9]*.png"))) == left
    server.start()
    said, told = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0 and f"{_COUNT} coloured" in said, (said, told)
    assert files_in(out) == unbroken and _parts(out) == []


def test_the_server_is_killed_for_good(
    server: Sshd,
    begin: Start,
    unbroken: dict[str, bytes],
    scans: Path,
    tmp_path: Path,
    auto: Call,
    files_in: Callable[..., object],
) -> None:
    """Oracle: exit 1 with one clear line, no traceback; whole files alone; the next run finishes to the same bytes."""
    out = tmp_path / "out"
    process = begin(out, before=HASTY)
    _wait_for_first(process, out)
    server.kill()
    said, told = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 1, (said, told)
    assert "does not answer" in told.splitlines()[-1] and "goes on where it stopped" in told and "Traceback" not in told
    there = {str(path.relative_to(out)): path.read_bytes() for path in out.glob("*/[0-9]*.png")}
    assert 1 <= len(there) < _COUNT and there.items() <= unbroken.items()
    server.start()
    again = auto(server.url(scans), "--batch", "1", out=server.url(out))
    assert again.code == 0 and "0 failed" in again.out, again
    assert files_in(out) == unbroken and _parts(out) == []


def test_the_client_is_killed(
    server: Sshd,
    begin: Start,
    unbroken: dict[str, bytes],
    scans: Path,
    tmp_path: Path,
    auto: Call,
    files_in: Callable[..., object],
) -> None:
    """Oracle: whole files alone after the kill; the next run finishes to the unbroken run's bytes, knows what was done,
    and leaves no part at the server and nothing of photos here."""
    out = tmp_path / "out"
    process = begin(out)
    _wait_for_first(process, out)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    there = {str(path.relative_to(out)): path.read_bytes() for path in out.glob("*/[0-9]*.png")}
    assert 1 <= len(there) < _COUNT and there.items() <= unbroken.items()
    again = auto(server.url(scans), "--batch", "1", out=server.url(out))
    assert again.code == 0 and "0 failed" in again.out, again
    done_before = int(again.out.split(" done before")[0].split()[-1])
    assert len(there) - 4 <= done_before <= len(there) + 4  # each of four hands may have been about to note one
    assert files_in(out) == unbroken and _parts(out) == []
    assert not list((tmp_path / "state").rglob("*.png"))


def test_an_interrupt_ends_the_run_soon(
    server: Sshd, begin: Start, unbroken: dict[str, bytes], scans: Path, tmp_path: Path, auto: Call
) -> None:
    """Oracle: exit 130, one line, no part at the server; what was delivered is done before."""
    del server
    out = tmp_path / "out"
    process = begin(out)
    _wait_for_first(process, out)
    process.send_signal(signal.SIGINT)
    said, told = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 130 and said == "" and "Traceback" not in told, told
    assert told.splitlines()[-1].startswith("colorize: interrupted") and _parts(out) == []
    there = len(list(out.glob("*/[0-9]*.png")))
    assert 1 <= there < len(unbroken)
    assert f"{there} done before" in auto(scans, "--batch", "1", out=out).out


def test_a_password_is_seen_nowhere(
    server: Sshd,
    scans: Path,
    tmp_path: Path,
    auto: Call,
    caplog: pytest.LogCaptureFixture,
    colorize: Call,
) -> None:
    """Oracle: a search for it, as it is and as it is escaped, in all that is said, logged and written: of a run that
    works (the key lets it in, whatever the password), of a login that is refused, and of a host that is not there."""
    for name in ("fsspec", "fsspec.sftp", "paramiko", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    secrets = ("hunter%2Ftwo", "hunter/two")
    person = server.folder.owner()
    out = tmp_path / "out"

    def url(folder: Path, login: str = person) -> str:
        return server.url(folder).replace("sftp://", f"sftp://{login}:{secrets[0]}@")

    (tmp_path / "few" / "in").mkdir(parents=True)
    (tmp_path / "few" / "in" / "a.png").write_bytes((scans / "0" / "00.png").read_bytes())
    (tmp_path / "few" / "in" / "torn.png").write_bytes(b"no picture")
    answers = [
        auto(url(tmp_path / "few"), "-vv", "--json", "--compare", out=url(out)),
        auto(url(tmp_path / "few"), "-vv", out=url(out)),
        auto(url(tmp_path / "few"), "--dry-run", out=url(out)),
        auto(url(tmp_path / "few", "nobody-of-that-name"), "-vv", out=url(out)),
        auto(url(tmp_path / "nowhere"), "-vv", out=url(out)),
        auto(f"sftp://{person}:{secrets[0]}@127.0.0.1:1/x", "-vv", out=url(out)),
        auto(f"sftp://{person}:hunter/two@127.0.0.1:1/x", "-vv", out=url(out)),
        colorize("stylize", url(tmp_path / "few"), "--ref", scans / "0" / "00.png", "-o", out),
        auto(url(tmp_path / "few"), "--report", url(tmp_path / "r.html"), out=url(out)),
    ]
    assert [answer.code for answer in answers] == [3, 3, 0, 2, 2, 1, 1, 2, 2], answers
    assert all("***@127.0.0.1" in answer.out + answer.err for answer in answers[:7])
    written = [path for folder in (out, tmp_path / "state") for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite3" for path in written) and any(path.suffix == ".png" for path in written)
    for secret in secrets:
        assert not [answer for answer in answers if secret in answer.out + answer.err]
        assert secret not in caplog.text
        assert not [path for path in written if secret.encode() in path.read_bytes()]


def test_an_unknown_server_is_told_nothing(server: Sshd, scans: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: OpenSSH's own rule: exit 2 where its key is not among the known hosts, or is another one."""
    known = server.home / ".ssh" / "known_hosts"
    host, kind, _ = known.read_text().split()
    known.write_text("")
    answer = auto(server.url(scans), out=server.url(tmp_path / "out"))
    assert answer.code == 2 and "known_hosts" in answer.err
    other = (server.folder / "person.pub").read_text().split()[1]
    known.write_text(f"{host} {kind} {other}\n")
    answer = auto(server.url(scans), out=server.url(tmp_path / "out"))
    assert answer.code == 2 and "does not let us in" in answer.err, answer
    assert not (tmp_path / "out").exists()


def test_a_server_that_says_nothing_is_given_up(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: a TimeoutError, which is tried again, where the server lets us in and its sftp never answers; the other
    patience of these tests would be up first."""
    from colorcli.media.remote.address import Address
    from colorcli.media.remote.sftp import SftpFiles

    config = server.folder / "config"
    config.write_text(config.read_text().replace("internal-sftp", "/bin/sleep 100"))
    server.kill()
    server.start()
    monkeypatch.setattr("colorcli.media.remote.sftp._PATIENCE", 3.0)
    with pytest.raises(TimeoutError):
        SftpFiles(Address(server.url(tmp_path)))


@pytest.mark.ray
def test_on_a_cluster(
    server: Sshd,
    begin: Start,
    unbroken: dict[str, bytes],
    scans: Path,
    tmp_path: Path,
    auto: Call,
    files_in: Callable[..., object],
) -> None:
    """Oracle: the local run's bytes of photos that workers fetch and deliver themselves, after a run that ended with
    the server, and the local engine's "done before"."""
    pytest.importorskip("ray", reason="the cluster extra is not installed")
    out = tmp_path / "out"
    process = begin(out, "--engine", "ray", "-j", "2")
    _wait_for_first(process, out)
    server.kill()
    said, told = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 1 and "does not answer" in told.splitlines()[-1], (said, told)
    server.start()
    process = begin(out, "--engine", "ray", "-j", "2")
    said, told = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0 and "0 failed" in said, (said, told)
    assert files_in(out) == unbroken and _parts(out) == []
    assert f"{_COUNT} done before" in auto(server.url(scans), "--batch", "1", out=server.url(out)).out
    assert not list((tmp_path / "state").rglob("*.png"))
