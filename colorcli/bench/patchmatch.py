"""Speed of PatchMatch: its engines side by side, both ways. `python -m colorcli.bench.patchmatch` prints the table."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.bench.timing import Spread, repeated, spread
from colorcli.devices import PRECISIONS, choose_device, describe, use_threads
from colorcli.media.samples import PHOTOGRAPHS, photograph
from colorcli.methods.multimodal.patchmatch.engines import ENGINES, has_triton, match

SIDES = (64, 128, 256)  # of the map of features, pixels
CHANNELS = 64
BATCH = 96  # of the thesis' figure: features (96, 64, 64, 64)


@dataclass(frozen=True, slots=True)
class EngineSpeed:
    """One line of the table."""

    engine: str
    batch: int
    side: int
    seconds: Spread  # of the batch
    similarity: float  # mean of both ways, so that speed is not bought with worse matches unseen


def engines_here(device: torch.device) -> tuple[str, ...]:
    """Those that run on the device."""
    return tuple(name for name in ENGINES if name != "triton" or has_triton(device))


def features(name: str, side: int, batch: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What 64 fixed random 7x7 filters with stride 2 and a ReLU, a network's first layer, see of a photograph in gray.

    Each picture of the batch is the photograph, shifted once more. Returns (batch, 64, side, side).
    """
    rgb = torch.from_numpy(photograph(name).copy()).permute(2, 0, 1)[None].float() / 255  # (h, w, 3) -> (1, 3, h, w)
    gray = F.interpolate(rgb.mean(1, keepdim=True), (2 * side, 2 * side), mode="bilinear", antialias=True)
    filters = torch.randn(CHANNELS, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    filters = filters - filters.mean((2, 3), keepdim=True)
    seen = F.conv2d(F.pad(gray, (3, 3, 3, 3), mode="replicate"), filters, stride=2).relu()
    shifted = [seen.roll((number, 3 * number), (2, 3)) for number in range(batch)]
    return torch.cat(shifted).to(device, dtype)


def measure(engine: str, batch: int, side: int, dtype: torch.dtype, device: torch.device, *, least: int) -> EngineSpeed:
    """An engine's time on two photographs' features; the first call is not counted. least: rounds."""
    target, reference = (features(name, side, batch, dtype, device) for name in PHOTOGRAPHS[:2])
    found = match(target, reference, engine=engine)

    def once() -> float:
        begun = time.perf_counter()
        match(target, reference, engine=engine)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begun

    similarity = float((found.forward.similarity.mean() + found.backward.similarity.mean()) / 2)
    return EngineSpeed(engine, batch, side, spread(repeated(once, least=least)), similarity)


def table(
    shapes: Sequence[tuple[int, int]], engines: Sequence[str], dtype: torch.dtype, device: torch.device, least: int
) -> Iterator[EngineSpeed]:
    """Every engine on every shape (batch, side), as it is measured."""
    for batch, side in shapes:
        for engine in engines:
            yield measure(engine, batch, side, dtype, device, least=least)


def draw(rows: Sequence[EngineSpeed], path: Path) -> None:
    """The curve of one picture's seconds over the side, an engine a line. ImportError without matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    for engine in dict.fromkeys(row.engine for row in rows):
        own = [row for row in rows if row.engine == engine and row.batch == 1]
        axes.plot([row.side for row in own], [row.seconds.median for row in own], marker="o", label=engine)
    axes.set(xscale="log", yscale="log", xlabel="side of the features, pixels", ylabel="seconds, both ways")
    axes.set_xticks(SIDES, [str(side) for side in SIDES])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """The table on standard output, and the curve where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="bf16", choices=tuple(PRECISIONS))
    parser.add_argument("--threads", type=int, default=0, help="cores that torch uses; 0: as it finds them")
    parser.add_argument("--sides", type=int, nargs="*", default=SIDES, help="of the curve, at batch 1")
    parser.add_argument("--batch", type=int, default=BATCH, help="of the thesis' figure, at 64 px; 0: without it")
    parser.add_argument("--rounds", type=int, default=3, help="at least")
    parser.add_argument("--plot", type=Path, help="an .svg or .png of the curve")
    given = parser.parse_args(arguments)
    if given.threads:
        use_threads(given.threads)
    device = choose_device(given.device)
    print(f"PatchMatch both ways, {CHANNELS} channels, {given.precision}, on {describe(device)}")
    shapes = [(1, side) for side in given.sides] + ([(given.batch, SIDES[0])] if given.batch else [])
    rows = []
    for row in table(shapes, engines_here(device), PRECISIONS[given.precision], device, given.rounds):
        rows.append(row)
        spent = f"{row.seconds.median:9.4f} s ({row.seconds.low:.4f}..{row.seconds.high:.4f}, {row.seconds.rounds})"
        print(f"{row.batch:3} x {row.side:3} px  {row.engine:7}{spent}  similarity {row.similarity:.4f}", flush=True)
    if given.plot:
        draw(rows, given.plot)


if __name__ == "__main__":
    main()
