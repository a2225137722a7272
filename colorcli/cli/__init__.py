"""The command line: one thin file per command. Heavy imports happen inside the commands."""

from __future__ import annotations

import logging
import os
import sys

import typer

from colorcli.cli import auto, bench, compare, doctor, exemplar, methods, samples, stylize, train, weights

app = typer.Typer(
    name="colorize",
    help="Colour folders of legacy photographs, and see how well it went.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("auto")(auto.auto)
app.command("exemplar")(exemplar.exemplar)
app.command("stylize")(stylize.stylize)
app.command("train")(train.train)
app.command("compare")(compare.compare)
app.command("samples")(samples.samples)
app.command("methods")(methods.methods)
app.command("doctor")(doctor.doctor)
app.add_typer(bench.app, name="bench")
app.add_typer(weights.app, name="weights")


def _version(show: bool) -> None:
    if show:
        from colorcli import __version__

        typer.echo(f"colorize {__version__}")
        raise typer.Exit


@app.callback()
def _colorize(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    del version


def main() -> None:
    """The `colorize` command."""
    if sys.stderr is None:  # `2>&-`: the first file to be opened must not take its place
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    logging.getLogger("pyvips").setLevel(logging.ERROR)  # what matters of a file is a note or a failure, by its name
    app()
