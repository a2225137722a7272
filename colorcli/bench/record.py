"""What the tables say as plain values, for JSON and CSV. A baseline is such a record, read again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from colorcli.bench import figures, published
from colorcli.bench.network import NetworkSpeed
from colorcli.bench.quality import SIDE, Quality, protocol
from colorcli.bench.setting import setting_of
from colorcli.bench.speed import SpeedTable
from colorcli.loader import LoadedMethod

Values = dict[str, Any]
QUALITY, SPEED, QUICK = "quality", "speed", "quick"  # the tables, under the key "bench"


def quality_record(
    quality: Quality, methods: Mapping[str, LoadedMethod], missing: Mapping[str, str], size: int
) -> Values:
    """The table of photos, with every photo's figures in its row. What is said of a method alone stands above, too."""
    said = {
        name: {**asdict(setting_of(method)), "protocol": protocol(method.spec), "size": size or method.size}
        for name, method in methods.items()
    }
    return {
        "bench": QUALITY,
        **(next(iter(said.values())) if len(said) == 1 else {}),
        "methods": said,
        "without weights": dict(missing),
        "failed": quality.failed,
        "side": SIDE,
        "definitions": [figures.DEFINITIONS, figures.INTERVAL, figures.NOT_MEASURED],
        "photos": [one.photo for one in quality.rows[0].images],
        "gray at source": quality.gray,
        "rows": [asdict(row) for row in quality.rows],
        "published": [
            asdict(one) for one in published.qualities_of({m.spec.name for m in methods.values()} | missing.keys())
        ],
    }


def quality_lines(quality: Quality) -> list[Values]:
    """A line for each row, without the photos."""
    lines = []
    for row in quality.rows:
        values = asdict(row)
        del values["images"]
        low, high = values.pop("psnr_interval") or (None, None)
        lines.append({**values, "psnr_low": low, "psnr_high": high})
    return lines


def speed_record(tables: Sequence[SpeedTable], missing: Mapping[str, str]) -> Values:
    """A table for each method; what one alone says stands above, too."""
    said = []
    for table in tables:
        values = asdict(table)
        said.append({**values.pop("setting"), **values})
    sides = {row.side for table in tables for row in table.alone}
    return {
        "bench": SPEED,
        **(said[0] if len(said) == 1 else {}),
        "tables": said,
        "without weights": dict(missing),
        "published": published_times([table.setting.method for table in tables], sides),
    }


def published_times(methods: Collection[str], sides: Collection[int]) -> list[Values]:
    """The papers' own times of these methods at these sides, pixels."""
    return [asdict(one) for one in published.times_of(methods, sides)]


def speed_lines(tables: Sequence[SpeedTable]) -> list[Values]:
    """A line for each row of the network alone and of the stream."""
    lines: list[Values] = []
    for table in tables:
        lines += [alone_line(table.setting.method, row) for row in table.alone]
        for stream in table.streamed:
            rate = stream.rate
            lines.append(
                {
                    "method": table.setting.method,
                    "what": "end to end",
                    "side": stream.side,
                    "rounds": rate.rounds,
                    "photos_per_second": rate.median,
                    "photos_per_second_low": rate.low,
                    "photos_per_second_high": rate.high,
                    "photos_per_second_ideal": stream.ideal,
                    "efficiency": stream.efficiency,
                    **{f"{cost.stage}_seconds": cost.seconds for cost in stream.stages},
                }
            )
    return lines


def alone_line(method: str, row: NetworkSpeed) -> Values:
    """A line of the network alone."""
    return {
        "method": method,
        "what": "network alone",
        "side": row.side,
        "batch": row.batch,
        "rounds": row.seconds.rounds,
        "seconds": row.seconds.median,
        "seconds_low": row.seconds.low,
        "seconds_high": row.seconds.high,
        "photos_per_second": row.rate,
        "peak_bytes": row.peak,
    }
