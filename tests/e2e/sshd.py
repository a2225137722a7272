"""OpenSSH's server on a loopback port, run by whoever runs the tests, with keys made for them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.e2e.ports import free_ports

SSHD = shutil.which("sshd") or next((path for path in ("/usr/sbin/sshd",) if Path(path).exists()), None)
_KEYGEN = shutil.which("ssh-keygen")
HASTY = "from colorcli.media.remote import store; store.DELAYS = (0.2, 0.4)"  # a client that soon gives a server up
_PATIENCE = 30.0  # s until it listens
MISSING = None if SSHD and _KEYGEN else "no OpenSSH server: apt-get install openssh-server"


class Sshd:
    """A server that can be stopped, killed with all its connections, and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        """folder: for keys and configuration; `home` in it is to be the HOME of those who connect."""
        self.folder, self.port = folder, next(free_ports())
        self.home = folder / "home"
        ssh = self.home / ".ssh"
        ssh.mkdir(parents=True, mode=0o700)
        for name in ("host", "person"):
            subprocess.run([str(_KEYGEN), "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized").write_text((folder / "person.pub").read_text())
        kind, key, *_ = (folder / "host.pub").read_text().split()
        (ssh / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        (ssh / "config").write_text(f"Host 127.0.0.1\n  IdentityFile {folder / 'person'}\n")
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile {folder / 'pid'}\n"
            f"AuthorizedKeysFile {folder / 'authorized'}\nStrictModes no\nUsePAM no\n"
            # The server's own sftp: another would be begun by the person's shell, with all that is in their profile.
            f"PasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, folder: Path) -> str:
        """Of a folder of this machine."""
        return f"sftp://127.0.0.1:{self.port}{folder}"

    def start(self) -> None:
        """Returns when it listens."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # root's server insists on it
        log = (self.folder / "log").open("ab")
        command = [str(SSHD), "-D", "-e", "-f", str(self.folder / "config")]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        log.close()
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)
        raise AssertionError("the server does not listen")

    def kill(self) -> None:
        """At once, with every connection: as where its machine loses power."""
        if self._process is None:
            return
        os.kill(self._process.pid, signal.SIGSTOP)  # no further session
        for process in (*_descendants(self._process.pid), self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait(30)
        self._process = None


def _descendants(process: int) -> list[int]:
    """The ids of all processes that a process has begun, and of theirs."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    found, pending = [], [process]
    while pending:
        above = pending.pop()
        below = [child for child, parent in parents.items() if parent == above]
        found += below
        pending += below
    return found
