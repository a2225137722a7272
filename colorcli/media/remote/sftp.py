"""Files over SSH, as OpenSSH's own programs would reach them: ~/.ssh/config, keys, agent, known hosts.

Needs paramiko: importing this module without it is an ImportError.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from colorcli.errors import UsageError
from colorcli.media.remote.address import Address

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what matters of an error is told by who tries again

_PATIENCE = 20.0  # s for a connection, a banner, a login, and for an answer on an open one


class _KnownAlone(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    """A server whose key nobody has seen may be anyone's: it is not told a password."""

    def missing_host_key(self, _: Any, hostname: str, key: Any) -> None:
        raise UsageError(
            f"the key of {hostname} ({key.get_name()}) is not in ~/.ssh/known_hosts: run `ssh` to it once, which shows "
            "the key and asks"
        )


class SftpFiles(SFTPFileSystem):  # type: ignore[misc]
    """One connection to a server whose key is known. Not safe for several threads at once."""

    cachable = False

    def __init__(self, address: Address) -> None:
        self._address = address
        super().__init__(address.host.rpartition(":")[0] if ":" in address.host else address.host)

    def _connect(self) -> None:
        """Errors: paramiko's and the system's; UsageError where the server's key is not known."""
        named, _, port = self._address.host.partition(":")
        config = _config_of(named)
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        for file in config.get("userknownhostsfile", "").split():
            if os.path.exists(os.path.expanduser(file)):  # noqa: PTH110, PTH111 - as it is in the configuration
                self.client.load_system_host_keys(os.path.expanduser(file))  # noqa: PTH111
        self.client.set_missing_host_key_policy(_KnownAlone())
        try:
            self._log_in(named, port, config)
        except BaseException:
            self.client.close()  # with its thread
            raise

    def _log_in(self, named: str, port: str, config: Any) -> None:
        self.client.connect(
            config.get("hostname", named),
            port=int(port or config.get("port", 22)),
            username=self._address.user or config.get("user"),
            password=self._address.password or None,
            key_filename=config.get("identityfile"),
            timeout=_PATIENCE,
            banner_timeout=_PATIENCE,
            auth_timeout=_PATIENCE,
            channel_timeout=_PATIENCE,
        )
        channel = self.client.get_transport().open_session(timeout=_PATIENCE)
        channel.settimeout(_PATIENCE)  # before the first word: a server may let us in and then say nothing
        channel.invoke_subsystem("sftp")
        self.ftp = paramiko.SFTPClient(channel)

    def put_file(self, lpath: str, rpath: str, callback: Any = None, **_: Any) -> None:
        """Without a look at every folder on the way, as fsspec's own has it."""
        del callback
        self.ftp.put(lpath, rpath)

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        """Without a look at what it is."""
        self.ftp.get(rpath, lpath)

    def close(self) -> None:
        """End the connection."""
        self.client.close()


def _config_of(host: str) -> Any:
    """What the person's ssh configuration says of a host."""
    file = Path("~/.ssh/config").expanduser()
    if not file.is_file():
        return {}
    return paramiko.SSHConfig.from_path(str(file)).lookup(host)
