"""`colorize bench`: figures that anyone can reproduce. One thin file per table."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from colorcli.cli.bench import ablation, film, quality, quick, speed, study


class _Tables(TyperGroup):
    """`bench` alone, or with options that `bench quick` has, is that; with others, as --data, it is `bench quality`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            known = {
                name for option in self.commands["quick"].params for name in (*option.opts, *option.secondary_opts)
            }
            given = {arg.partition("=")[0] for arg in args if arg.startswith("-")}
            args = ["quick" if given <= known else "quality", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Tables,
    help="Measure the quality or the speed of methods. Alone it is `bench quick`, with --data `bench quality`.",
    rich_markup_mode=None,
)
app.command("quick")(quick.quick)
app.command("quality")(quality.quality)
app.command("speed")(speed.speed)
app.command("film")(film.film)
app.command("ablation")(ablation.ablation)
app.command("study")(study.study)
