"""Which errors of remote folders pass by themselves, and what they all are in a person's words."""

from __future__ import annotations

import errno
import socket

_FINAL = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)
_CODES = frozenset(
    {errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTDOWN}
    | {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.ENOTCONN, errno.EAGAIN}
)
# By name, as drivers are not loaded unless they are needed: paramiko, then botocore and aiohttp.
_REFUSED = frozenset({"AuthenticationException", "BadHostKeyException", "IncompatiblePeer", "NoCredentialsError"})
_PASSING = frozenset(
    {"SSHException", "NoValidConnectionsError", "SFTPError"}
    | {"EndpointConnectionError", "ConnectionClosedError", "HTTPClientError", "ClientConnectionError"}
    | {"ServerDisconnectedError", "ClientPayloadError", "IncompleteReadError", "ResponseStreamingError"}
)
_BUSY = frozenset({408, 429})  # of HTTP: too slow, too many; 500 and beyond are the server's own trouble
_CLOSED = ("socket is closed", "connection dropped", "size mismatch")  # paramiko's, which have no number
_CUT_OFF = ("transport shut down", "saw eof", "timeout")  # what paramiko calls a failed login as well


def is_passing(error: BaseException) -> bool:
    """Whether the same may do in a while: the way there failed or the server did, and not what was asked of it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, _FINAL) or is_refusal(error):
        return False
    if isinstance(error, ConnectionError | TimeoutError | EOFError) or names & (_PASSING | _REFUSED):
        return True
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    if isinstance(error, OSError) and (error.errno in _CODES or str(error).lower().startswith(_CLOSED)):
        return True
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return status >= 500 or status in _BUSY
    under = error.__cause__ or error.__context__  # s3fs makes an OSError of whatever came
    return under is not None and is_passing(under)


def is_refusal(error: BaseException) -> bool:
    """Whether the server knows this person, or the person this server, no better at the next try."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _REFUSED) and not any(words in str(error).lower() for words in _CUT_OFF)


def reason_of(error: BaseException) -> str:
    """The error in words: on one line, and never empty."""
    words = getattr(error, "strerror", None) or " ".join(str(error).split())
    return words or type(error).__name__
