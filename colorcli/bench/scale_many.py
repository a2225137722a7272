"""What many photos cost: a run's resident memory and CPU time as it goes on, and what a list of them holds."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from colorcli.errors import ColorizeError
from colorcli.media.discover import discover
from colorcli.train.curve import write_plot

_RESIDENT = re.compile(r"^VmRSS:\s*(\d+) kB$", re.MULTILINE)
_SAMPLES = 200  # of a run
_SETTLED = 0.1  # of the photos, after which memory is fitted: buffers and tables are made by the first


@dataclass(frozen=True, slots=True)
class Sample:
    """How far a run is, and what its process has taken so far."""

    photos: int  # outcomes told
    seconds: float  # since the process began
    cpu: float  # seconds, of all threads
    resident: int  # bytes


@dataclass(frozen=True, slots=True)
class ManyCost:
    """What one run over many photos cost. With Ray, the process is the driver."""

    engine: str
    state: str  # of all outcomes: "done", or "unchanged" where all were done before
    photos: int
    seconds: float  # of the process
    rate: float  # photos per second between the first outcome and the last
    slope: float  # bytes of resident memory a photo, least squares after the first tenth
    peak: int  # bytes, the largest sample
    cpu: float  # seconds of CPU a photo, over all samples
    cpu_first: float  # in the first tenth of the photos
    cpu_last: float  # in the last tenth
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class ListCost:
    """What it costs to list a folder before the first photo is begun."""

    photos: int
    seconds: float
    bytes_each: float  # of resident memory


def run_many(
    photos: Path, out: Path, options: Sequence[str], state: str, count: int, longest: float = math.inf
) -> ManyCost:
    """Run `colorize auto` over a folder of `count` photos in a process of its own, and look at it as it goes on.

    options: further ones of the command. state: what every outcome has to be. longest: seconds, after which the run is
    stopped; figures are then of the photos that were done. Errors: ColorizeError where an outcome is another.
    """
    command = [sys.executable, "-m", "colorcli", "auto", str(photos), "-o", str(out), "--json", "-q", *options]
    samples: list[Sample] = []
    every, told, stopped = max(1, count // _SAMPLES), 0, False
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                entry = json.loads(line)
                if "file" not in entry:
                    continue
                if entry["state"] != state:
                    raise ColorizeError(f"{entry['file']} is {entry['state']}, not {state}: {entry.get('reason', '')}")
                told += 1
                if told == 1 or told % every == 0:
                    samples.append(_sample(process.pid, told, time.perf_counter() - begun))
                if time.perf_counter() - begun > longest and told > _SAMPLES:
                    stopped = True
                    process.terminate()
                    break
        except BaseException:
            process.terminate()
            raise
    if not stopped and (process.returncode or told != count):
        raise ColorizeError(f"the run ended with code {process.returncode} after {told} of {count} photos")
    return _summed(samples, "ray" if "ray" in options else "local", state, time.perf_counter() - begun)


def _sample(process: int, photos: int, seconds: float) -> Sample:
    """Of a process that lives: Linux' own account of it."""
    place = Path("/proc", str(process))
    found = _RESIDENT.search((place / "status").read_text())
    if found is None:
        raise ColorizeError(f"the run ended while its photo {photos} was told")
    fields = (place / "stat").read_text().rpartition(")")[2].split()  # from the third field on: proc(5)
    ticks = int(fields[11]) + int(fields[12])  # utime, stime
    return Sample(photos, seconds, ticks / os.sysconf("SC_CLK_TCK"), 1024 * int(found[1]))


def _summed(samples: Sequence[Sample], engine: str, state: str, seconds: float) -> ManyCost:
    first, last = samples[0], samples[-1]
    count = last.photos
    settled = [sample for sample in samples if sample.photos >= _SETTLED * count]
    places, cpu = [sample.photos for sample in samples], [sample.cpu for sample in samples]

    def cpu_between(start: float, end: float) -> float:
        low, high = np.interp((start, end), places, cpu)
        return float(high - low) / (end - start)

    return ManyCost(
        engine=engine,
        state=state,
        photos=count,
        seconds=seconds,
        rate=(count - first.photos) / (last.seconds - first.seconds),
        slope=slope([sample.photos for sample in settled], [sample.resident for sample in settled]),
        peak=max(sample.resident for sample in samples),
        cpu=cpu_between(first.photos, count),
        cpu_first=cpu_between(first.photos, first.photos + 0.1 * count),
        cpu_last=cpu_between(0.9 * count, count),
        samples=tuple(samples),
    )


def slope(places: Sequence[float], values: Sequence[float]) -> float:
    """Of the line through two or more points, by least squares."""
    return float(np.polyfit(places, values, 1)[0])


def measure_list(folder: Path, count: int, say: Callable[[str], None] = lambda _: None) -> ListCost:
    """List so many files; this process should have done little before, so that its memory is not already taken."""
    say(f"listing {count} files")
    names = [folder / f"{index // 1000:05}" / f"{index:08}.jpg" for index in range(count)]
    for name in names:
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(b"x")
    before = _sample(os.getpid(), 0, 0.0).resident
    begun = time.perf_counter()
    found = discover([str(folder)], folder.parent / "out")
    seconds = time.perf_counter() - begun
    held = _sample(os.getpid(), 0, 0.0).resident - before
    return ListCost(len(found.jobs), seconds, held / max(1, len(found.jobs)))


def draw(costs: Sequence[ManyCost], path: Path) -> None:
    """Resident memory over the photos done, a run a line, as an SVG without dates. Needs matplotlib (ImportError)."""
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(7, 3.2), layout="constrained")
    axes = sheet.subplots()
    for cost in costs:
        label = f"{cost.engine}: {cost.slope:+.0f} bytes a photo after the first tenth"
        axes.plot([one.photos for one in cost.samples], [one.resident / 1e6 for one in cost.samples], label=label)
    axes.set(xlabel="photos done", ylabel="resident memory, MB", title="memory of a run")
    axes.set_ylim(0, 1.15 * max(one.resident for cost in costs for one in cost.samples) / 1e6)  # a flat line is seen
    axes.legend(loc="lower right")
    write_plot(sheet, path)
