"""The quick setting: every method whose weights are there, in a few minutes on two cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial

from colorcli.bench.network import NetworkSpeed, measured
from colorcli.bench.quality import Quality
from colorcli.bench.record import QUALITY, QUICK, SPEED, Values, published_times, quality_record
from colorcli.bench.setting import setting_of
from colorcli.bench.timing import repeated
from colorcli.loader import LoadedMethod

SIDES = (256, 512)  # pixels
ROUNDS = 3
LONGEST = 3.0  # seconds in all; then fewer rounds are enough


def quick_speeds(
    methods: Mapping[str, LoadedMethod], say: Callable[[str], None] = lambda _: None
) -> dict[str, list[NetworkSpeed]]:
    """The network alone, batch 1, few rounds: a line for each side, by method. Memory is not looked at."""
    rounds = partial(repeated, least=ROUNDS, enough=0.0, longest=LONGEST)
    found: dict[str, list[NetworkSpeed]] = {}
    for name, method in methods.items():
        say(f"{name}: network alone, {' and '.join(map(str, SIDES))} px")
        found[name] = [measured(method, side, 1, rounds) for side in SIDES]
    return found


def quick_record(
    quality: Quality,
    speeds: Mapping[str, list[NetworkSpeed]],
    methods: Mapping[str, LoadedMethod],
    missing: Mapping[str, str],
) -> Values:
    """Both tables, each as its own record has them."""
    tables = [
        {
            **asdict(setting_of(methods[name])),
            "size": methods[name].size,
            "alone": [asdict(row) for row in rows],
            "streamed": [],
        }
        for name, rows in speeds.items()
    ]
    of_speed = {"bench": SPEED, "tables": tables, "published": published_times(speeds, SIDES)}
    return {"bench": QUICK, QUALITY: quality_record(quality, methods, missing, 0), SPEED: of_speed}
