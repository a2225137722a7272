"""Freed memory is kept for the next step."""

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import sys
import numpy
from colorcli.train.heap import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if sys.argv[1] == "kept":
    assert keep_freed_memory()
before = resident()
for _ in range(2):  # the first of its size is a mapping in any case
    block = numpy.ones(200 << 20, numpy.uint8)
    del block
print((resident() - before) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone is told")
@pytest.mark.parametrize(("mode", "kept"), [("kept", True), ("usual", False)])
def test_large_blocks(mode: str, kept: bool) -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, mode], capture_output=True, text=True, check=True)
    assert (int(done.stdout) >= 190) == kept
