"""A run's log as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorcli.media.places import whole_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIGURES = {"psnr at gain": "PSNR over gray, dB (held out)", "top1": "top-1 (held out)", "f": "F-measure (held out)"}
_WINDOW = 9  # entries that the loss is averaged over


def draw(entries: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Losses and validation figures over the images seen, as an SVG without dates. Needs matplotlib (ImportError)."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    steps = [entry for entry in entries if entry["event"] == "train"]
    place = {"step", "images", "minutes", "event", "progress", "size", "rate", "images/s"}
    names = [name for name in (steps[0] if steps else {}) if name not in place]
    figure, points = held_out(entries)
    sheet = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = sheet.subplots(1, 2)
    for name in names:
        seen = [(entry["images"], entry[name]) for entry in steps if name in entry]
        images, losses = zip(*seen, strict=True)
        smooth = [_mean(losses[max(0, i - _WINDOW + 1) : i + 1]) for i in range(len(losses))]
        left.plot(images, smooth, label=name)
    left.set(xlabel="images seen", ylabel="loss", title="training")
    if names:
        left.legend()
    if points:
        right.plot(*zip(*points, strict=True), marker="o")
    right.set(xlabel="images seen", ylabel=_FIGURES.get(figure, ""), title="validation")
    for axes in (left, right):
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 150k
    write_plot(sheet, path)


def write_plot(sheet: Figure, path: Path) -> None:
    """Write a picture as an SVG; the same one gives the same file."""
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = "colorize"
    with whole_files(path) as (part,):
        sheet.savefig(part, format="svg", metadata={"Date": None})


def held_out(entries: Sequence[Mapping[str, Any]]) -> tuple[str, list[tuple[int, float]]]:
    """The figure that a run was validated by, "" for none, and its values over the images seen.

    PSNR is given over gray's: a run's last validation may be on more photos than those before it.
    """
    validations = [entry for entry in entries if entry["event"] in ("validation", "final")]
    figure = next((name for name in _FIGURES if any(name in entry for entry in validations)), "")
    measured = [entry for entry in validations if entry.get(figure) is not None]
    return figure, [(entry["images"], entry[figure] - (entry.get("gray") or 0.0)) for entry in measured]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
