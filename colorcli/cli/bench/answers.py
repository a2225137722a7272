"""How tables answer: what measured, and JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import typer

from colorcli.cli.console import printable

if TYPE_CHECKING:
    from colorcli.bench.setting import Setting


def print_setting(setting: Setting) -> None:
    """The line of a table's head that says what measured."""
    typer.echo(printable(setting.line()))


def tell(answer: dict[str, Any]) -> None:
    """One JSON object on stdout; what is not finite is null."""
    typer.echo(json.dumps(_finite(answer), allow_nan=False))


def _finite(value: Any) -> Any:
    """JSON knows neither the truth's infinite PSNR nor its median: null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
