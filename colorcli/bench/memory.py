"""Peak memory of one network call on a CPU: that of a fresh process that loads the weights and asks once.

The process is all of Python, torch, the weights and the call. A process that measured before would keep some of what
it was given; a child's `ru_maxrss` starts at its parent's on Linux, where it survives exec, so VmHWM is read there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from colorcli.errors import ColorizeError

_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)


def peak_memory(
    method: str,
    weights: Sequence[Path],
    precision: str,
    side: int,
    batch: int,
    choices: Mapping[str, str] | None = None,
) -> int:
    """Bytes that a process holds at most which colours one batch of side x side pixels.

    precision: "fp32", "bf16" or "fp16". choices: as of `load_method`. Errors: ColorizeError where the process ends
    otherwise, killed for memory say.
    """
    asked = json.dumps([method, [*map(str, weights)], precision, side, batch, dict(choices or {})])
    child = subprocess.run([sys.executable, "-m", __name__, asked], capture_output=True, text=True, check=False)
    if child.returncode:
        said = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        raise ColorizeError(said[0])
    return int(child.stdout.split()[-1])


def peak_of_this_process() -> int:
    """Bytes that this process has held at most, since its program began."""
    status = Path("/proc/self/status")
    if status.exists() and (found := _PEAK.search(status.read_text())):
        return 1024 * int(found[1])
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _main() -> None:
    from colorcli.bench.network import Asked
    from colorcli.devices import choose_device, choose_precision
    from colorcli.loader import load_method

    method, weights, precision, side, batch, choices = json.loads(sys.argv[1])
    device = choose_device("cpu")
    dtype = choose_precision(precision, device, half=True)
    loaded = load_method(method, weights=[*map(Path, weights)], device=device, dtype=dtype, choices=choices)
    Asked(loaded, side, batch).once()
    print(peak_of_this_process())


if __name__ == "__main__":
    _main()
