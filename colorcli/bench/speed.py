"""Speed of a method, the papers' table: the network alone, and from file to file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from colorcli.bench.memory import peak_memory
from colorcli.bench.network import NetworkSpeed, speeds
from colorcli.bench.setting import Setting, setting_of
from colorcli.bench.stream import StreamSpeed, stream_speed
from colorcli.devices import use_threads
from colorcli.loader import LoadedMethod
from colorcli.run.engine import Engine
from colorcli.run.request import Request

SIDES = (256, 512, 1024)  # pixels
_PHOTOS = {"cpu": 16}  # in a round of the stream
_PHOTOS_ELSEWHERE = 256
_COUNTED = {
    "cpu": "all that a fresh process holds which loads the weights and asks once",
    "cuda": "what torch allocates on the GPU, with the weights",
}


@dataclass(frozen=True, slots=True)
class SpeedTable:
    """What was measured, on what, and what was not."""

    setting: Setting
    threads: int  # that the network alone has, on a CPU
    peak: str  # what peak memory counts
    size: int  # side of the network's input in the stream, pixels
    photos: int  # in a round of the stream
    engine: Engine
    left_out: list[str]
    alone: list[NetworkSpeed]
    streamed: list[StreamSpeed]


def measure_speed(
    loaded: LoadedMethod,
    weights: Sequence[Path],
    sides: Sequence[int] = SIDES,
    photos: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> SpeedTable:
    """Measure squares of these sides (pixels, multiples of the method's), alone and as JPEGs of that size.

    weights: the files that `loaded` came from, none for the shipped ones. photos: in a round of the stream; 0 for 16 on
    a CPU and 256 elsewhere. say: told what is being measured. Errors: those of `speeds` and `stream_speed`.
    """
    setting, threads = setting_of(loaded), torch.get_num_threads()  # the engine sets its own threads afterwards
    device, precision = loaded.device, setting.precision
    photos = photos or _PHOTOS.get(device.type, _PHOTOS_ELSEWHERE)
    left_out: list[str] = []

    def peak(side: int, batch: int) -> int:
        return peak_memory(name, weights, precision, side, batch, loaded.chosen)

    name = loaded.spec.name
    alone = []
    for side in sides:
        say(f"{name}: network alone, {side} px")
        alone += speeds(loaded, side, peak, left_out.append)
    streamed = []
    for side in sides:
        say(f"{name}: end to end, {photos} photos of {side} px")
        streamed.append(stream_speed(loaded, _request(loaded, weights, precision), side, photos))
    use_threads(threads)  # for the next method's network alone
    return SpeedTable(
        setting=setting,
        threads=threads,
        peak=_COUNTED.get(device.type, "unknown on this device"),
        size=loaded.size,
        photos=photos,
        engine=Engine.plan(device, photos),
        left_out=left_out,
        alone=alone,
        streamed=streamed,
    )


def _request(loaded: LoadedMethod, weights: Sequence[Path], precision: str) -> Request:
    """What a person asks for who leaves all further options as they are, without a bound on the photos' size."""
    return Request(
        method=loaded.spec.name,
        weights=tuple(weights),
        device=str(loaded.device),
        precision=precision,
        max_pixels=0,
        verbosity=-1,
        strength=1.0 if loaded.spec.needs_reference else None,
        transform=loaded.chosen.get("transform"),
    )
