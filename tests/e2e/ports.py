"""Ports of loopback for servers that tests take away and bring back."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

_PORTS = range(10_000, 22_000)


def free_ports(beside: int = 0) -> Iterator[int]:
    """Ports that nobody listens at, nor `beside` above them, one after another in random order.

    Those and, with `beside` up to 10,000, their neighbours are below 32768, from where on systems give them to clients,
    which could take one while its server is away.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        try:
            for one in {port, port + beside}:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", one))
        except OSError:
            continue
        yield port
