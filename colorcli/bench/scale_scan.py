"""What a large scan costs: memory over a small photo's run, and time beside a plain libvips pipeline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli import __version__
from colorcli.bench.memory import peak_of_this_process
from colorcli.bench.scale_photos import KINDS, make_scan
from colorcli.bench.timing import Spread, spread
from colorcli.errors import ColorizeError
from colorcli.items import Colored, Failure, Job, Photo
from colorcli.loader import LoadedMethod
from colorcli.media.libvips import set_vips_threads
from colorcli.media.metadata.describe import Provenance
from colorcli.media.places import sha256_of
from colorcli.media.results import ResultOptions
from colorcli.stages.batch import make_batch
from colorcli.stages.decode import decode
from colorcli.stages.encode import encode, gamut
from colorcli.stages.infer import infer

MOST_RATIO = 1.3  # times the plain pipeline's time, the goal
MOST_MEMORY = 500_000_000  # bytes over a small photo's run, the goal
_SMALL = 0.06  # megapixels of the small photo
_SAVED: dict[str, dict[str, Any]] = {  # as the product does
    "jpeg": {"Q": 92, "subsample_mode": "off", "profile": "srgb"},
    "tiff": {"compression": "deflate", "predictor": "horizontal", "profile": "srgb"},
}
_LARGE_TIFF = 3_900_000_000  # bytes of pixels, from which on a TIFF has 64-bit offsets


@dataclass(frozen=True, slots=True)
class ScanCost:
    """What one scan was measured to cost. Times in seconds of the clock, on all cores."""

    kind: str
    color: bool  # the scan is sRGB, not gray
    width: int  # pixels
    height: int
    source_bytes: int
    result_bytes: int
    decode: Spread  # file to the network's input
    encode: Spread  # file and small maps to the result, flushed to disk
    hashes: Spread  # sha256 of both files, for the ledger
    ours: Spread  # all three
    ours_cpu: Spread  # the same in seconds of CPU, of all threads
    plain: Spread  # the plain pipeline, flushed to disk
    ratio: float  # of the medians of `ours` and `plain`
    peak: int  # bytes that a fresh process of the whole run holds at most
    peak_small: int  # the same over a small photo
    over: int  # the difference
    run_seconds: float  # of that run, the network and its loading included


def measure_scan(
    loaded: LoadedMethod,
    folder: Path,
    megapixels: float,
    kind: str,
    *,
    color: bool = False,
    rounds: int = 3,
    weights: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> ScanCost:
    """Make a scan in the folder and measure it.

    Memory: of the product's run in a fresh process, on a CPU. Times: of the product's stages and of `plain` in turn,
    `rounds` times, after a small photo has gone through both. weights: the file `loaded` came from; None: shipped.
    Errors: ColorizeError where the scan cannot be coloured.
    """
    scan, small = (folder / f"{name}{KINDS[kind]}" for name in ("scan", "small"))
    say(f"making {megapixels:g} megapixels")
    make_scan(scan, megapixels, kind, color=color)
    make_scan(small, _SMALL, kind, color=color)
    say("memory: a whole run of each in a process of its own")
    peak_small, _ = whole_run(small, folder / "whole", weights)
    peak, seconds = whole_run(scan, folder / "whole", weights)
    set_vips_threads(0)
    gamut()
    _round(loaded, small, folder, kind)
    ours, plainly = [], []
    for number in range(rounds):
        say(f"time: round {number + 1} of {rounds}")
        spent, simple = _round(loaded, scan, folder, kind)
        ours.append(spent)
        plainly.append(simple)
    stages = [spread(list(one)) for one in zip(*ours, strict=True)]
    cpu = stages.pop()
    total, plain_time = spread([sum(one[:-1]) for one in ours]), spread(plainly)
    header = pyvips.Image.new_from_file(str(scan))
    return ScanCost(
        kind=kind,
        color=color,
        width=header.width,
        height=header.height,
        source_bytes=scan.stat().st_size,
        result_bytes=(folder / "out" / scan.name).stat().st_size,
        decode=stages[0],
        encode=stages[1],
        hashes=stages[2],
        ours=total,
        ours_cpu=cpu,
        plain=plain_time,
        ratio=total.median / plain_time.median,
        peak=peak,
        peak_small=peak_small,
        over=peak - peak_small,
        run_seconds=seconds,
    )


def plain(source: Path, target: Path, chroma: NDArray[np.float32], kind: str) -> None:
    """The plain libvips pipeline: decode, to Lab, small ab maps enlarged and joined, to sRGB, encode, flush.

    chroma: (h, w, 2) CIE ab. It has no gamut, no guided edges and no metadata; decoder and encoder are the product's.
    """
    image = pyvips.Image.new_from_file(str(source), access="sequential", fail_on="truncated")
    small = pyvips.Image.new_from_array(np.ascontiguousarray(chroma))
    large = small.resize(image.width / small.width, vscale=image.height / small.height, kernel="linear")
    lightness = image.colourspace("lab").extract_band(0)
    lab = lightness.bandjoin(large.crop(0, 0, image.width, image.height)).copy(interpretation="lab")
    rgb, options = lab.colourspace("srgb"), _SAVED[kind]
    if kind == "tiff":
        rgb.tiffsave(str(target), bigtiff=3 * rgb.width * rgb.height > _LARGE_TIFF, **options)
    else:
        rgb.jpegsave(str(target), **options)
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def whole_run(source: Path, out: Path, weights: Path | None) -> tuple[int, float]:
    """Bytes that a fresh process holds at most which colours one photo on a CPU, and its run's seconds.

    Errors: ColorizeError where it fails.
    """
    asked = json.dumps([str(source), str(out), None if weights is None else str(weights)])
    child = subprocess.run([sys.executable, "-m", __name__, asked], capture_output=True, text=True, check=False)
    if child.returncode:
        said = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        raise ColorizeError(f"{source.name}: {said[0]}")
    peak, seconds = child.stdout.split()[-2:]
    return int(peak), float(seconds)


def _round(loaded: LoadedMethod, source: Path, folder: Path, kind: str) -> tuple[tuple[float, ...], float]:
    """Seconds of decoding, of encoding, of hashing, and the CPU's of these three; and of the plain pipeline."""
    job = Job(source, folder / "out" / source.name, source.name)
    options = ResultOptions(provenance=Provenance(f"colorize {__version__}", loaded.spec.name, loaded.sha256))
    begun, busy = time.perf_counter(), time.process_time()
    photo = decode(job, loaded.size, loaded.spec.multiple, 0)
    decoded, looked = time.perf_counter(), time.process_time()
    if isinstance(photo, Failure):
        raise ColorizeError(f"{photo.name}: {photo.reason}")
    colored = _coloured(loaded, photo)
    asked, coloured = time.perf_counter(), time.process_time()
    done = encode(colored, options)
    encoded = time.perf_counter()
    if isinstance(done, Failure):
        raise ColorizeError(f"{done.name}: {done.reason}")
    sha256_of(source)
    sha256_of(job.target)
    hashed, cpu = time.perf_counter(), looked - busy + time.process_time() - coloured
    chroma = colored.chroma.permute(1, 2, 0).numpy()  # (2, h, w) -> (h, w, 2)
    plain(source, folder / f"plain{KINDS[kind]}", chroma, kind)
    return (decoded - begun, encoded - asked, hashed - encoded, cpu), time.perf_counter() - hashed


def _coloured(loaded: LoadedMethod, photo: Photo) -> Colored:
    made = next(infer(make_batch([photo]), loaded.predict, loaded.predict, lambda _: None))
    if isinstance(made, Failure):
        raise ColorizeError(f"{made.name}: {made.reason}")
    return made


def _main() -> None:
    from colorcli.media.discover import discover
    from colorcli.run.request import Request
    from colorcli.run.session import open_run

    source, out, weights = json.loads(sys.argv[1])
    given = () if weights is None else (Path(weights),)
    request = Request("smsanet", weights=given, device="cpu", max_pixels=0, overwrite=True)
    jobs = discover([source], Path(out)).jobs
    begun = time.perf_counter()
    with open_run(jobs, Path(out), request, lambda _: None) as run:
        outcomes = list(run)
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            sys.exit(outcome.reason)
    print(peak_of_this_process(), time.perf_counter() - begun)


if __name__ == "__main__":
    _main()
