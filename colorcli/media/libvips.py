"""libvips as all modules need it: no memory of earlier files, and errors whose words may hold names in any encoding."""

from __future__ import annotations

import os
from typing import Any

import pyvips

VipsError = pyvips.Error

# libvips keeps its last operations, whole decoded files among them, by name: a file replaced would be read stale.
pyvips.cache_set_max(0)


def set_vips_threads(count: int) -> None:
    """Threads that libvips uses for one photo; 0 is its own choice (all cores)."""
    pyvips.vips_lib.vips_concurrency_set(count)


def _text(found: Any) -> str:
    """A C string; bytes that are no UTF-8 as Python has them in the names of files."""
    return "NULL" if found == pyvips.ffi.NULL else os.fsdecode(pyvips.ffi.string(found))


# pyvips takes libvips' messages for UTF-8, which names in old encodings are not; and it asks for them, one text for all
# threads, even where it looks up a method: what another file's name holds would fail whatever is at hand.
pyvips.error._to_string = _text
