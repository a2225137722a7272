"""Plots of a bench as SVG that takes the page's own text colour. Needs matplotlib, the `report` extra."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

_INK = "#010203"  # stands for the page's text colour
_SERIES = ("#3d85c6", "#cc7529", "#5f9e46", "#b5679f", "#8f7fd0", "#3f9691")  # 3:1 and more on white and on near black
_FLOORS = ("gray", "flat tint")  # rows that are no methods
_TRUTH = "the truth"
_WAYS = {"alone": "network alone", "streamed": "file to file"}
_STYLE: Any = {
    "svg.fonttype": "none",  # the page's own letters
    "svg.hashsalt": "colorize",  # the same figures give the same picture
    "text.parse_math": False,  # names are no formulas
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot and what it shows."""

    title: str
    told: str
    svg: str  # an element


def plots(figures: Mapping[str, Any]) -> Iterator[Plot]:
    """The plots that the figures are enough for; the keys are those of `write_bench_page`."""
    rows = [row for row in _objects(figures.get("rows")) if _number(row.get("psnr")) is not None]
    methods = [row for row in rows if row.get("name") not in (*_FLOORS, _TRUTH)]
    timed = [row for row in methods if _rate(row) is not None]
    if timed:
        floors = [row for row in rows if row.get("name") in _FLOORS]
        told = "mean PSNR of the photos; to the right is faster"
        yield _drawn("Quality against speed", told, _against, timed, floors)
    spread = [row for row in rows if row.get("name") != _TRUTH and len(_decibels(row)) > 1]
    if spread:
        told = "PSNR of each photo; line: median, box: half of the photos, whiskers: 90 % of them"
        yield _drawn("How photos differ", told, _spread, spread)
    speeds = _speeds_of(figures)
    if speeds:
        yield _drawn("Photos a second", "by the side of the picture, at the best batch", _speeds, speeds)


def _speeds_of(figures: Mapping[str, Any]) -> dict[str, dict[float, float]]:
    """By what is to be drawn as a line, photos/s by side: the network alone and the stream, of each method."""
    rows = [(title, row) for key, title in _WAYS.items() for row in _objects(figures.get(key))]
    methods = {str(row.get("method", "")) for _, row in rows}
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for title, row in rows:
        name = str(row.get("method", ""))
        lines.setdefault(title if len(methods) < 2 else f"{name}, {title}", []).append(row)
    found = {title: _best(line) for title, line in lines.items()}
    return {title: rates for title, rates in found.items() if rates}


def _drawn(title: str, told: str, draw: Any, *given: Any) -> Plot:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.4, 3.6), layout="constrained")
        draw(figure.add_subplot(), *given)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return Plot(title, told, svg.replace("<svg", f'<svg role="img" aria-label="{title}: {told}"', 1))


def _against(axes: Axes, timed: Sequence[Mapping[str, Any]], floors: Sequence[Mapping[str, Any]]) -> None:
    for number, (row, color) in enumerate(_colored(timed)):
        place = (_rate(row) or 0.0, row["psnr"])
        axes.scatter(*place, s=46, color=color)
        beside = (7, -13 if number % 2 else 4)  # names of points side by side stay apart
        axes.annotate(str(row.get("name", "")), place, xytext=beside, textcoords="offset points")
    for row in floors:
        axes.axhline(row["psnr"], color=_INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.6)
        axes.annotate(
            str(row["name"]), (0.995, row["psnr"]), xycoords=("axes fraction", "data"), ha="right", va="bottom"
        )
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis)
    axes.margins(x=0.25, y=0.15)
    axes.set_xlabel("photos/s")
    axes.set_ylabel("PSNR, dB")


def _spread(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    found = axes.boxplot(
        [_decibels(row) for row in rows],
        orientation="horizontal",
        tick_labels=[str(row.get("name", "")) for row in rows],
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        widths=0.55,
        medianprops={"color": _INK, "linewidth": 2},
        whiskerprops={"color": _INK},
        capprops={"color": _INK},
    )
    for box, (_, color) in zip(found["boxes"], _colored(rows), strict=True):
        box.set(facecolor=color, edgecolor=_INK)
    axes.invert_yaxis()
    axes.set_xlabel("PSNR, dB")


def _speeds(axes: Axes, speeds: Mapping[str, Mapping[float, float]]) -> None:
    for (title, rates), color in zip(speeds.items(), cycle(_SERIES), strict=False):
        axes.plot(list(rates), list(rates.values()), marker="o", color=color, label=title)
    sides = sorted({side for rates in speeds.values() for side in rates})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sides, [f"{side:g}" for side in sides])
    axes.minorticks_off()
    axes.set_yscale("log")
    _plain_numbers(axes.yaxis)
    axes.set_xlabel("side, pixels")
    axes.set_ylabel("photos/s")
    axes.legend(frameon=False, fontsize="small")


def _plain_numbers(axis: Axis) -> None:
    """A logarithmic axis with 1, 2, 5, 10, 20 in place of powers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _colored(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each row with a colour; floors have the text's."""
    methods = 0
    for row in rows:
        floor = row.get("name") in _FLOORS
        yield row, "#8b8f95" if floor else _SERIES[methods % len(_SERIES)]
        methods += not floor


def _best(rows: Any) -> dict[float, float]:
    """By side, the most photos/s of any batch."""
    found: dict[float, float] = {}
    for row in _objects(rows):
        side, rate = _number(row.get("side")), _rate(row)
        if side is not None and rate is not None:
            found[side] = max(rate, found.get(side, 0.0))
    return dict(sorted(found.items()))


def _rate(row: Mapping[str, Any]) -> float | None:
    rate = row.get("rate")
    return _number(rate.get("median") if isinstance(rate, Mapping) else rate)


def _decibels(row: Mapping[str, Any]) -> list[float]:
    found = (_number(image.get("psnr")) for image in _objects(row.get("images")))
    return [decibels for decibels in found if decibels is not None]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
