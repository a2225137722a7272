"""Whether cost and memory hold at any size: large scans, many photos, a long ledger.

`python -m colorcli.bench.scale scan|many|ledger|list` prints a table; `--json FILE` keeps all figures, `draw`
makes a plot of some.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyvips
import torch

from colorcli import __version__
from colorcli.bench.scale_ledger import NOTES, LookUp, measure_ledger
from colorcli.bench.scale_many import ListCost, ManyCost, Sample, draw, measure_list, run_many
from colorcli.bench.scale_photos import KINDS, make_small_photos
from colorcli.bench.scale_scan import MOST_MEMORY, MOST_RATIO, ScanCost, measure_scan
from colorcli.bench.timing import Spread
from colorcli.devices import choose_precision, cores_here, describe
from colorcli.errors import ColorizeError
from colorcli.loader import load_method
from colorcli.media.places import whole_files

_METHOD = "smsanet"


def machine() -> dict[str, Any]:
    """What measured."""
    libvips = ".".join(str(pyvips.version(place)) for place in range(3))
    versions = {"colorize": __version__, "libvips": libvips, "torch": torch.__version__}
    cpu = describe(torch.device("cpu"))
    return {"cpu": cpu, "cores": cores_here(), "versions": {**versions, "python": platform.python_version()}}


def _scan(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    device = torch.device("cpu")
    files = () if given.weights is None else (given.weights,)
    loaded = load_method(_METHOD, weights=files, device=device, dtype=choose_precision("auto", device, half=True))
    cost = measure_scan(
        loaded,
        folder,
        given.megapixels,
        given.kind,
        color=given.color,
        rounds=given.rounds,
        weights=given.weights,
        say=_say,
    )
    print("\n".join(_scan_lines(cost)))
    return {"scan": asdict(cost), "goals": {"ratio": MOST_RATIO, "over": MOST_MEMORY}}


def _many(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    options = ["-d", "cpu", "--engine", given.engine, "--size", str(given.size)]
    options += [] if given.weights is None else ["--weights", str(given.weights)]
    _say(f"making {given.count} photos")
    make_small_photos(folder / "photos", given.count)
    costs: list[ManyCost] = []
    for state in ("done", "unchanged"):
        _say(f"a run of {given.engine} over all: {state}")
        costs.append(run_many(folder / "photos", folder / "out", options, state, given.count, given.seconds))
        print(_many_line(costs[-1]), flush=True)
        if costs[-1].photos < given.count:  # it was stopped: there is nothing to find all done
            break
    if given.plot:
        draw(costs[:1], given.plot)
    return {"many": [asdict(cost) for cost in costs]}


def _ledger(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    rows = measure_ledger(folder, given.notes, min(1_000, *given.notes), _say)
    print("\n".join(map(_ledger_line, rows)))
    return {"ledger": [asdict(row) for row in rows]}


def _list(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    cost = measure_list(folder / "photos", given.count, _say)
    print(_list_line(cost))
    return {"list": asdict(cost)}


def _draw(given: argparse.Namespace, _: Path) -> dict[str, Any]:
    told = [json.loads(path.read_text())["many"][0] for path in given.records]
    draw([ManyCost(**{**one, "samples": tuple(Sample(**each) for each in one["samples"])}) for one in told], given.plot)
    return {}


def _scan_lines(cost: ScanCost) -> list[str]:
    color = "sRGB" if cost.color else "gray"
    size = f"{cost.width} x {cost.height} = {cost.width * cost.height / 1e6:.0f} megapixels"
    return [
        f"{cost.kind}, {color}, {size}, {cost.source_bytes / 1e6:.0f} MB; result {cost.result_bytes / 1e6:.0f} MB",
        f"decode for the network {_told(cost.decode)}, recombine and encode {_told(cost.encode)}, "
        f"sha256 of both {_told(cost.hashes)}",
        f"without the network {_told(cost.ours)}, {cost.ours_cpu.median:.2f} s of CPU; "
        f"plain libvips pipeline {_told(cost.plain)}; ratio {cost.ratio:.2f} (goal {MOST_RATIO})",
        f"whole run in a fresh process: {cost.run_seconds:.1f} s, peak {cost.peak / 1e6:.0f} MB, "
        f"a small photo's {cost.peak_small / 1e6:.0f} MB, {cost.over / 1e6:+.0f} MB (goal {MOST_MEMORY / 1e6:.0f})",
    ]


def _many_line(cost: ManyCost) -> str:
    return (
        f"{cost.engine}, {cost.photos} photos {cost.state}: {cost.seconds:.0f} s, {cost.rate:.1f} photos/s; "
        f"CPU {1000 * cost.cpu:.2f} ms/photo (first tenth {1000 * cost.cpu_first:.2f}, "
        f"last {1000 * cost.cpu_last:.2f}); memory {cost.slope:+.0f} bytes/photo, most {cost.peak / 1e6:.0f} MB"
    )


def _ledger_line(row: LookUp) -> str:
    look, note = (f"{1e6 * one.median:.0f} ({1e6 * one.low:.0f}..{1e6 * one.high:.0f})" for one in (row.look, row.note))
    return f"{row.notes} notes, {row.file_bytes / 1e6:.1f} MB: look-up {look} us, begin and finish {note} us"


def _list_line(cost: ListCost) -> str:
    each = 1e6 * cost.seconds / cost.photos
    return f"{cost.photos} files listed: {cost.seconds:.1f} s, {each:.0f} us and {cost.bytes_each:.0f} bytes each"


def _told(time: Spread) -> str:
    return f"{time.median:.2f} s ({time.low:.2f}..{time.high:.2f}, {time.rounds} rounds)"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name: str, work: Callable[..., dict[str, Any]], told: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=told, description=told)
        one.set_defaults(work=work)
        one.add_argument("--json", type=Path, metavar="FILE", help="keeps all figures")
        one.add_argument("--folder", type=Path, help="where files are made meanwhile; the system's own by default")
        return one

    scan = command("scan", _scan, "memory and time of one large scan, beside a plain libvips pipeline")
    scan.add_argument("--megapixels", type=float, default=100)
    scan.add_argument("--kind", choices=tuple(KINDS), default="jpeg")
    scan.add_argument("--color", action="store_true", help="a scan in sRGB, not in gray")
    scan.add_argument("--rounds", type=int, default=3)
    many = command("many", _many, "memory and CPU time over a run of many photos, and over a second run")
    many.add_argument("--count", type=int, default=10_000)
    many.add_argument("--engine", choices=("local", "ray"), default="local")
    many.add_argument("--size", type=int, default=0, help="side of the network's input, pixels; 0: as it was trained")
    many.add_argument("--seconds", type=float, default=math.inf, help="after which a run is stopped, and summed up")
    many.add_argument("--plot", type=Path, help="an .svg of the memory; needs matplotlib")
    for one in (scan, many):
        one.add_argument("--weights", type=Path, help=f"of {_METHOD}; the shipped ones by default")
    ledger = command("ledger", _ledger, "look-ups in a ledger as it grows")
    ledger.add_argument("--notes", type=int, nargs="+", default=NOTES, help="rows, ascending")
    listing = command("list", _list, "time and memory of listing a folder")
    listing.add_argument("--count", type=int, default=100_000)
    drawing = command("draw", _draw, "memory of the first runs of some records of `many` as one plot")
    drawing.add_argument("records", type=Path, nargs="+", metavar="RECORD")
    drawing.add_argument("--plot", type=Path, required=True)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The table on standard output; the exit code."""
    given = _parser().parse_args(arguments)
    told = {name: value for name, value in vars(given).items() if name not in ("work", "json", "folder", "plot")}
    try:
        with tempfile.TemporaryDirectory(prefix="colorize-scale-", dir=given.folder) as place:
            record = {"asked": told, **machine(), **given.work(given, Path(place))}
    except ColorizeError as error:
        _say(f"scale: {error}")
        return error.exit_code
    if given.json:
        with whole_files(given.json) as (part,):
            part.write_text(json.dumps(record, indent=1, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
