"""fsspec's filesystem for an address."""

from __future__ import annotations

from typing import Any

from colorcli.errors import UsageError
from colorcli.media.remote.address import Address

_SSH = ("sftp", "ssh")
_S3 = ("s3", "s3a")
# Trying again is the store's affair: s3fs and botocore, each with tries of their own, would take minutes over an error.
_S3_OPTIONS = {
    "config_kwargs": {"retries": {"total_max_attempts": 1}, "connect_timeout": 20, "read_timeout": 60}  # s
}
# Stores in which a file is there when all of it has come; no other has to be renamed into place.
_WHOLE = frozenset({*_S3, "gs", "gcs", "az", "abfs", "abfss", "oss"})


def open_driver(address: Address) -> tuple[Any, str]:
    """A filesystem of its own, connected where it has a connection, and the path of the address in it.

    Errors: UsageError for a protocol that is not known or whose driver is not installed; whatever the driver raises.
    """
    try:
        if address.protocol in _SSH:
            from colorcli.media.remote.sftp import SftpFiles

            path = address.path[3:] or "." if address.path.startswith("/~") else address.path or "/"
            return SftpFiles(address), path.rstrip("/") or "/"
        from fsspec.core import url_to_fs

        own = _S3_OPTIONS if address.protocol in _S3 else {}
        driver, path = url_to_fs(address.url, skip_instance_cache=True, use_listings_cache=False, **own)
        if address.protocol in _S3:
            driver.retries = 1
    except ImportError as error:
        raise UsageError(
            f"{address.protocol}:// needs a driver that is not installed ({address.masked(str(error))}): "
            "pip install 'colorize[remote]' has those of sftp and s3"
        ) from None
    except ValueError as error:
        raise UsageError(f"{address} cannot be used: {address.masked(str(error))}") from None
    return driver, str(path)


def close_driver(driver: Any) -> None:
    """End its connection, if it has one of its own."""
    if hasattr(driver, "client") and hasattr(driver, "close"):
        driver.close()


def puts_whole(address: Address) -> bool:
    """Whether a file that is put there is seen when all of it has come, and not before."""
    return address.protocol in _WHOLE


def renames(driver: Any, address: Address) -> bool:
    """Whether a file can take another's place there at once."""
    from fsspec import AbstractFileSystem

    return address.protocol == "memory" or type(driver).mv is not AbstractFileSystem.mv
