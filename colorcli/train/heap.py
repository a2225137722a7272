"""Memory that a step frees and the next one asks for again."""

from __future__ import annotations

import ctypes

# The C library's own limits are 32 MiB for both, below the tensors of a usual batch.
_OPTIONS = {-3: 2**30, -1: 2**31 - 1}  # malloc.h: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD; bytes


def keep_freed_memory() -> bool:
    """Have glibc's malloc keep large freed blocks for the rest of the process. Whether it does now.

    Otherwise every large tensor of a step is a new mapping, whose pages the system hands out one by one: on two cores
    a step of 48 crops of 64 px took a third longer. The process then holds its peak until it ends. Other C libraries
    are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not Linux, or not glibc
        return False
    return all(mallopt(option, limit) == 1 for option, limit in _OPTIONS.items())
