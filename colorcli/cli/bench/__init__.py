"""`colorize bench`: figures that anyone can reproduce. One thin file per table."""

from __future__ import annotations

import click
import typer
from typer.core import TyperGroup

from colorcli.cli.bench import quality, speed


class _Tables(TyperGroup):
    """Options without the name of a table are those of `quality`, and so is nothing at all."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [_FIRST, *args]
        return super().parse_args(ctx, args)


_FIRST = "quality"

app = typer.Typer(
    cls=_Tables,
    help="Measure the quality or the speed of methods. `bench OPTIONS` is `bench quality OPTIONS`.",
    rich_markup_mode=None,
)
app.command("quality")(quality.quality)
app.command("speed")(speed.speed)
