"""Addresses: what is seen of them, and which errors pass."""

from __future__ import annotations

import pytest

from colorcli.media.remote.address import Address, is_url
from colorcli.media.remote.faults import is_passing, is_refusal
from colorcli.media.remote.places import state_folder


@pytest.mark.parametrize(
    ("url", "shown", "user", "password", "host", "path"),
    [
        ("sftp://h/a/b", "sftp://h/a/b", "", "", "h", "/a/b"),
        ("sftp://me@h:22/a", "sftp://me@h:22/a", "me", "", "h:22", "/a"),
        ("sftp://me:pa%40ss@h/a", "sftp://me:***@h/a", "me", "pa@ss", "h", "/a"),
        ("sftp://me:p@ss@h/a", "sftp://me:***@h/a", "me", "p@ss", "h", "/a"),
        ("sftp://me:pa/ss@h/a", "sftp://me:***@h/a", "me", "pa/ss", "h", "/a"),
        ("sftp://h:22/a@b", "sftp://h:22/a@b", "", "", "h:22", "/a@b"),
        ("s3://bucket/a@b/c", "s3://bucket/a@b/c", "", "", "bucket", "/a@b/c"),
        ("s3://bucket/a?b", "s3://bucket/a?b", "", "", "bucket", "/a?b"),
        ("https://h/a?sig=secret", "https://h/a?***", "", "", "h", "/a"),
    ],
)
def test_what_is_seen_of_a_url(url: str, shown: str, user: str, password: str, host: str, path: str) -> None:
    """Oracle: RFC 3986's parts, by hand; a password with a sign that it should escape is not shown either."""
    address = Address(url)
    assert (str(address), address.user, address.password) == (shown, user, password)
    assert (address.host, address.path) == (host, path)
    assert url == shown or (url not in repr(address) and url not in f"{address}")
    if password:
        assert password not in address.masked(f"no login with {url} and {password}")
        assert password not in address.identity


def test_urls_and_paths() -> None:
    """Oracle: paths of this machine, by hand, are none."""
    assert all(map(is_url, ("sftp://h/a", "S3://b", "memory://x", "file:///x")))
    assert not any(map(is_url, ("a/b", "/a//b", "C:\\a", "a:b", "./a://b")))


def test_one_folder_of_this_machine_for_all_spellings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: a password or a last slash changes nothing of where results go; another path does."""
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    first = state_folder(Address("sftp://me:one@h/a"))
    assert first == state_folder(Address("sftp://me:two@h/a/")) == state_folder(Address("sftp://me@h/a"))
    assert first != state_folder(Address("sftp://me@h/b")) and str(first).startswith("/state/colorize/")


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def _named(name: str, text: str, *bases: type[Exception]) -> Exception:
    return type(name, bases or (Exception,), {})(text)


def _answered(status: int) -> Exception:
    error = _named("ClientError", "of S3")
    error.response = {"ResponseMetadata": {"HTTPStatusCode": status}}  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), True),
        (TimeoutError("timed out"), True),
        (EOFError(), True),
        (OSError("Socket is closed"), True),
        (OSError(28, "No space left on device"), False),
        (OSError("Failure"), False),
        (FileNotFoundError(2, "No such file"), False),
        (PermissionError(13, "Permission denied"), False),
        (_named("SSHException", "Error reading SSH protocol banner"), True),
        (_named("AuthenticationException", "Authentication failed."), False),
        (_named("AuthenticationException", "Authentication failed: transport shut down or saw EOF"), True),
        (_answered(503), True),
        (_answered(429), True),
        (_answered(403), False),
        (_caused(OSError(5, "Input/output error"), _answered(500)), True),
        (_caused(OSError(5, "Input/output error"), _answered(400)), False),
        (ValueError("a defect"), False),
    ],
    ids=repr,
)
def test_what_passes_by_itself(error: Exception, passes: bool) -> None:
    """Oracle: what a connection, a server's trouble and a refusal mean, by hand."""
    assert is_passing(error) is passes
    assert is_refusal(error) is (type(error).__name__ == "AuthenticationException" and not passes)
