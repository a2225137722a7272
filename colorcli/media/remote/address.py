"""Where a remote folder is: a URL, of which nobody sees what is secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MASK = "***"


def is_url(text: str) -> bool:
    """Whether it names something by a URL, and not by a path of this machine."""
    return _URL.match(text) is not None


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A URL. As text it has no password, and no query, which may hold a signature."""

    url: str  # as a person gave it: for drivers alone

    @property
    def protocol(self) -> str:
        """In lower case: "sftp", "s3", ..."""
        return self.url.partition("://")[0].lower()

    @property
    def _parts(self) -> tuple[str, str, str, str]:
        """User, password, what follows them, query; each without the signs between."""
        rest = self.url.partition("://")[2]
        rest, _, query = rest.partition("?") if self.protocol in ("http", "https") else (rest, "", "")
        host = rest.partition("/")[0]
        if "@" not in host:
            port = host.rpartition(":")[2] if ":" in host else ""
            if not port or port.isdigit() or "]" in port or "@" not in rest:
                return "", "", rest, query
            host = rest  # a password with a slash, which is to be written as %2F: it is not shown for all that
        login, _, _ = host.rpartition("@")
        user, _, password = login.partition(":")
        return user, password, rest[len(login) + 1 :], query

    @property
    def user(self) -> str:
        """As it is, with nothing escaped; "" for none."""
        return unquote(self._parts[0])

    @property
    def password(self) -> str:
        """As it is, with nothing escaped; "" for none. For drivers alone."""
        return unquote(self._parts[1])

    @property
    def host(self) -> str:
        """With its port where there is one."""
        return self._parts[2].partition("/")[0]

    @property
    def path(self) -> str:
        """From the first slash after the host on; "" for none."""
        _, slash, path = self._parts[2].partition("/")
        return slash + path

    @property
    def identity(self) -> str:
        """One text for all spellings of a place that differ in password and last slash alone."""
        user, _, rest, _ = self._parts
        return f"{self.protocol}://{user}{'@' * bool(user)}{rest}".rstrip("/")

    @property
    def above(self) -> tuple[Address, str]:
        """The folder that it lies in, and its name there."""
        folder, _, name = self.url.rstrip("/").rpartition("/")
        return Address(folder), name

    def below(self, name: str) -> str:
        """The text of a file's URL. name: its path below this one."""
        return f"{str(self).rstrip('/')}/{name}"

    def masked(self, text: str) -> str:
        """A text of somebody else, a library's error say, without what is secret here."""
        _, password, _, query = self._parts
        for secret in {self.url, password, unquote(password), query}:
            if secret:
                text = text.replace(secret, str(self) if secret == self.url else _MASK)
        return text

    def __str__(self) -> str:
        user, password, rest, query = self._parts
        login = f"{user}{f':{_MASK}' * bool(password)}@" if user or password else ""
        return f"{self.url.partition('://')[0]}://{login}{rest}{f'?{_MASK}' * bool(query)}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"
