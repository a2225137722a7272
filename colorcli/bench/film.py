"""A film measured: what its stages cost, how well a run uses the machine, and of one in colour its truth."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorcli.bench.film_run import WholeRun, whole_run
from colorcli.bench.film_stages import stage_costs
from colorcli.bench.film_truth import TruthRow, compare_films, is_in_colour, write_tinted
from colorcli.bench.setting import Setting, setting_of
from colorcli.bench.stages import StageCost, ideal_seconds
from colorcli.devices import cores_here
from colorcli.errors import UsageError
from colorcli.loader import LoadedMethod
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.reading import header_of
from colorcli.media.films.scan import Scan, scan
from colorcli.run.engine import Engine

_MANY = 10_000  # frames, for the plan of the engine: as in a run
OWN, STEADY, TINT = "frame by frame", "steadied", "one colour"
_TINT = (6.0, 12.0)  # CIE ab of the film that cannot flicker: about the mean chroma of photographs


@dataclass(frozen=True, slots=True)
class FilmTable:
    """What was measured, and on what."""

    setting: Setting
    film: str  # its name
    codec: str
    width: int
    height: int
    frames: int
    shots: int
    size: int  # side of the network's input, pixels
    engine: Engine
    cores: int
    stages: list[StageCost]
    ideal: float  # s that the film takes if every core works all the time (beside a GPU: see `ideal_seconds`)
    run: WholeRun
    efficiency: float  # ideal over real time, the start left out
    truth: list[TruthRow] | None  # None: the film is gray
    excess_ratio: float | None  # steadied over frame by frame
    psnr_change: float | None  # dB, steadied minus frame by frame


def measure_film(
    loaded: LoadedMethod,
    weights: Sequence[Path],
    file: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    size: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> FilmTable:
    """Measure one film. One in colour is grayed first, and its colour is the truth.

    weights, device, precision: as `loaded` was made. size: of the network's input; 0: as it was trained. say: told what
    is being measured. Errors: UsageError for a method that needs references, and an animation; else as of a run.
    """
    if loaded.spec.needs_reference or loaded.spec.sees_color:
        raise UsageError(f"bench film measures methods of `colorize auto`, not {loaded.spec.name}")
    setting, side = setting_of(loaded), size or loaded.size
    engine = Engine.plan(loaded.device, _MANY)
    cores = cores_here()
    header = header_of(file)
    if header.animation:
        raise UsageError("bench film measures films, not animations")
    say("looking for shots")
    looked = scan(header)
    with tempfile.TemporaryDirectory(prefix="colorize-bench-") as place:
        folder = Path(place)
        in_colour = is_in_colour(header)
        if in_colour:
            say("graying the film")
        source = write_tinted(header, looked, folder / "gray") if in_colour else file

        def run(name: str, temporal: bool) -> WholeRun:
            say(f"a whole run, {name}")
            asked = (loaded.spec.name, weights, device, precision, side)
            return whole_run(source, folder / name.replace(" ", "-"), *asked, temporal=temporal)

        whole = run(STEADY, temporal=True)
        truth = None
        if in_colour:
            films = {OWN: Path(run(OWN, temporal=False).result), STEADY: Path(whole.result)}
            truth = _compared(header, looked, films, folder, say)
        say("each stage alone")
        stages = stage_costs(header_of(source), loaded, side, engine)
    ideal = len(looked) * ideal_seconds(stages, cores, on_cpu=loaded.device.type == "cpu")
    ratio, change = _steadier(truth or [])
    return FilmTable(
        setting=setting,
        film=file.name,
        codec=header.codec,
        width=header.width,
        height=header.height,
        frames=len(looked),
        shots=len(looked.shots),
        size=side,
        engine=engine,
        cores=cores,
        stages=stages,
        ideal=ideal,
        run=whole,
        efficiency=ideal / whole.seconds,
        truth=truth,
        excess_ratio=ratio,
        psnr_change=change,
    )


def _steadier(truth: Sequence[TruthRow]) -> tuple[float | None, float | None]:
    """Ratio of the excess and difference of the PSNR, steadied to frame by frame."""
    rows = {row.name: row for row in truth}
    own, steady = rows.get(OWN), rows.get(STEADY)
    if own is None or steady is None or own.psnr is None or steady.psnr is None:
        return None, None
    return steady.excess / own.excess if own.excess else None, steady.psnr - own.psnr


def _compared(
    header: FilmHeader, looked: Scan, films: dict[str, Path], folder: Path, say: Callable[[str], None]
) -> list[TruthRow]:
    say("a film of one colour, which cannot flicker: what encoding does")
    films = {**films, TINT: write_tinted(header, looked, folder / "tint", _TINT)}
    say("comparing with the truth")
    return compare_films(header.path, looked, films)
