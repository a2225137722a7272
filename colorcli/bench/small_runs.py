"""Small trainings for `bench ablation`: some recipes of a method, the same minutes each, on the same data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colorcli.errors import UsageError
from colorcli.train.export import EXPORTED
from colorcli.train.log import LOG
from colorcli.train.session import TrainRequest, run_training


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained, and where the runs lie."""

    method: str
    recipes: tuple[str, ...]  # of training/METHOD/, or files
    data: tuple[str, ...]  # folders and shards; empty: the demonstration's photographs
    minutes: float  # of each
    out: Path  # of the runs' folders
    init: Path | None = None  # weights that each starts from
    device: str = "auto"

    def __post_init__(self) -> None:
        if len({Path(name).stem for name in self.recipes}) < max(len(self.recipes), 2):
            raise UsageError("--recipes needs two or more of different names, with commas between")
        if not self.minutes > 0:
            raise UsageError(f"--minutes must be more than 0, not {self.minutes:g}")


def train_each(plan: Plan, say: Callable[[str], None]) -> list[Path]:
    """Train every recipe, one after the other; the runs' folders. One that is finished is taken as it is, one that was
    interrupted goes on. Errors: those of training."""
    folders = []
    for name in plan.recipes:
        folder = plan.out / Path(name).stem
        folders.append(folder)
        if (folder / EXPORTED).is_file():
            say(f"{folder}: finished before")
            continue
        say(f"{folder}: {plan.minutes:g} minutes of training")
        settings: dict[str, Any] = {"variant": "compact", "minutes": plan.minutes}
        resume = (folder / LOG).is_file()
        request = TrainRequest(plan.method, plan.data, folder, name, plan.init, resume, plan.device, settings)
        run_training(request, _unheard)
    return folders


def _unheard(entry: dict[str, Any]) -> None:
    """The runs' logs keep what they report."""
    del entry
