"""A training run as a person watches it: a bar with the latest figures on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from colorcli.cli.console import printable, say

_PLACE = ("event", "step", "images", "minutes", "progress")
_PACE = ("size", "rate", "images/s")
_HEADLINES = {"psnr at gain": "{:.2f} dB", "top1": "{:.1%} right", "f": "F {:.3f}"}  # of a validation


class TrainingView:
    """Shows the entries of a run's log."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._latest = ""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("[progress.description]{task.description}"),
                BarColumn(bar_width=24),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[figures]}"),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("training", total=1.0, figures="")
            self._bar.start()

    def show(self, entry: dict[str, Any]) -> None:
        """One entry of the log: the bar moves with `train`; validations and notes stay as lines above it."""
        if self._bar is None:
            say(line(entry))
            return
        if entry["event"] in ("validation", "final"):
            self._latest = next((text.format(entry[key]) for key, text in _HEADLINES.items() if key in entry), "")
        if entry["event"] == "final":
            self._bar.update(self._task, completed=1.0)
        if entry["event"] == "train":
            losses = {k: v for k, v in entry.items() if k not in _PLACE and k not in _PACE}
            shown = {"loss": entry["loss"]} if "loss" in entry else losses
            loss = "".join(f"{name} {value:.4f}, " for name, value in shown.items())
            figures = f"{entry['size']} px, {loss}{entry['images/s']:.1f} images/s  {self._latest}"
            self._bar.update(self._task, completed=entry["progress"], figures=figures)
        else:
            from rich.text import Text

            self._bar.console.print(Text(printable(line(entry))))

    def close(self) -> None:
        """Leave the terminal in order."""
        if self._bar is not None:
            self._bar.stop()


def line(entry: dict[str, Any]) -> str:
    """An entry as one line."""
    if entry["event"] == "note":
        return str(entry["text"])
    figures = []
    for key, value in entry.items():
        if key in ("rate", "images/s"):
            figures.append(f"{key} {value:.3g}")
        elif key not in _PLACE:
            figures.append(f"{key} {value:.4f}" if isinstance(value, float) else f"{key} {value}")
    place = f"step {entry['step']:>6}  {entry['images']:>8} images  {entry['minutes']:>7.1f} min"
    return f"{place}  {entry['event']}: {', '.join(figures)}"
