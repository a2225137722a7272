"""A film from file to file as a person colours it, in a fresh process: its times, and the most memory that it holds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from colorcli.bench.memory import peak_of_this_process
from colorcli.errors import ColorizeError
from colorcli.items import Failure, FilmOptions, Finished


@dataclass(frozen=True, slots=True)
class WholeRun:
    """What a run took."""

    start: float  # s until the first film is begun: libraries loaded, weights read
    seconds: float  # s from there to the film under its final name, looking through it included
    peak: int  # bytes, of all of the process
    result: str  # path of the film


def whole_run(
    film: Path,
    out: Path,
    method: str,
    weights: Sequence[Path],
    device: str,
    precision: str,
    size: int,
    *,
    temporal: bool,
) -> WholeRun:
    """Colour a film into the folder `out`. Errors: ColorizeError where it fails, with what the run said last."""
    asked = json.dumps([str(film), str(out), method, [*map(str, weights)], device, precision, size, temporal])
    child = subprocess.run([sys.executable, "-m", __name__, asked], capture_output=True, text=True, check=False)
    if child.returncode:
        said = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        raise ColorizeError(said[0])
    return WholeRun(**json.loads(child.stdout.splitlines()[-1]))


def _main() -> None:
    begun = time.perf_counter()
    from colorcli.media.discover import discover
    from colorcli.run.request import Request
    from colorcli.run.session import open_run

    film, out, method, weights, device, precision, size, temporal = json.loads(sys.argv[1])
    request = Request(
        method=method,
        weights=tuple(map(Path, weights)),
        device=device,
        precision=precision,
        size=size,
        verbosity=-1,
        films=FilmOptions(temporal=temporal),
    )
    found = discover([film], Path(out))
    with open_run(found.jobs, Path(out), request, lambda _: None) as run:
        opened = time.perf_counter()
        outcomes = [*found.failures, *run]
        ended = time.perf_counter()
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            sys.exit(f"{outcome.name}: {outcome.reason}")
    result = next(outcome.job.target for outcome in outcomes if isinstance(outcome, Finished))
    print(json.dumps(asdict(WholeRun(opened - begun, ended - opened, peak_of_this_process(), str(result)))))


if __name__ == "__main__":
    _main()
