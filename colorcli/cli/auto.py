"""`colorize auto`: photos, films and folders of them into colour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from colorcli.cli import options
from colorcli.cli.colouring import check_in_place, check_ranges, check_report, colour, film_options, find
from colorcli.cli.console import resumes
from colorcli.cli.shots import list_shots
from colorcli.errors import UsageError
from colorcli.media.formats import MAX_PIXELS


@resumes()
def auto(
    inputs: Annotated[list[str], typer.Argument(help="Photos, films, folders, globs; or a URL.", metavar="INPUT")],
    out: Annotated[
        str | None,
        typer.Option(
            "-o", "--out", help="Folder for the results, or its URL; the input's tree is mirrored.", metavar="PATH"
        ),
    ] = None,
    method: options.Method = "smsanet",
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: options.Size = 0,
    batch: options.Batch = 0,
    jobs: options.Jobs = 0,
    engine: options.Engine = "local",
    address: options.Address = None,
    format: options.Format = "same",
    quality: options.Quality = None,
    saturation: options.Saturation = 1.0,
    recursive: options.Recursive = True,
    in_place: options.InPlace = False,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    compare: options.Compare = False,
    report: options.Report = None,
    hint: Annotated[
        list[str] | None,
        typer.Option(
            "--hint",
            help="The colour of a pixel (-m siggraph17); repeatable. PHOTO.hints.png may hold more.",
            metavar="x,y,#rrggbb",
        ),
    ] = None,
    save_attention: Annotated[
        Path | None,
        typer.Option("--save-attention", help="Folder for maps of where the network looked (-m agin).", metavar="DIR"),
    ] = None,
    codec: options.Codec = None,
    crf: options.Crf = None,
    deinterlace: options.Deinterlace = "auto",
    temporal: options.Temporal = True,
    shots: options.Shots = False,
    provenance: options.ProvenanceNote = True,
    max_pixels: options.MaxPixels = MAX_PIXELS,
    fail_fast: options.FailFast = False,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """Colour photos and films without a reference.

    Size, lightness, metadata and format stay the photo's own, sound and frame times the film's. A run that was stopped
    goes on where it was.
    """
    from colorcli.media.hints import parse_dot

    check_ranges(
        format=format,
        quality=quality,
        saturation=saturation,
        size=size,
        batch=batch,
        jobs=jobs,
        max_pixels=max_pixels,
    )
    if out is None and not in_place:
        raise UsageError("say where the results go: -o OUT, or --in-place")
    check_in_place(out, in_place=in_place, format=format, report=report)
    check_report(report, overwrite=overwrite, dry_run=dry_run, shots=shots)
    dots = tuple(map(parse_dot, hint or ()))

    from colorcli.media.films.kinds import film_extensions
    from colorcli.run.request import Request, check

    films = film_options(codec=codec, crf=crf, deinterlace=deinterlace, temporal=temporal)
    request = Request(
        method=method,
        weights=tuple(weights or ()),
        device=device,
        precision=precision,
        size=size,
        batch=batch,
        workers=jobs,
        quality=quality,
        saturation=saturation,
        compare=compare,
        provenance=provenance,
        hints=dots,
        attention=save_attention,
        max_pixels=max_pixels,
        in_place=in_place,
        overwrite=overwrite,
        seed=seed,
        verbosity=-1 if quiet else verbose,
        engine=engine,
        address=address,
        films=films,
    )
    check(request)  # whatever the files are like: there may be nothing to do
    found, place, request = find(
        inputs,
        out,
        request,
        recursive=recursive,
        extension=options.EXTENSIONS[format],
        film_extension=film_extensions(films),
        compare=compare,
    )
    if shots:
        list_shots(found, as_json)
    colour(found, place, request, dry_run=dry_run, fail_fast=fail_fast, as_json=as_json, report=report)
