"""Codecs that lift threads to real-time priority, which as root they may: SVT-AV1 does, the caller's own thread too.

Such a thread stands before all others of the machine, and what waits for one of them on the same core waits for ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")  # of Linux


@contextmanager
def unhurried() -> Iterator[None]:
    """After it all threads of this process have ordinary priority, unless the process had another before."""
    ordinary = _THREADS.is_dir() and os.sched_getscheduler(0) == os.SCHED_OTHER
    try:
        yield
    finally:
        if ordinary:
            for thread in _THREADS.iterdir():
                with suppress(OSError):  # it has ended
                    if os.sched_getscheduler(int(thread.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                        os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
