"""`colorize stylize`: colour photos in the style of another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from colorcli.cli import options
from colorcli.cli.colouring import check_ranges, check_report, colour
from colorcli.cli.console import resumes
from colorcli.media.formats import MAX_PIXELS


@resumes()
def stylize(
    contents: Annotated[list[str], typer.Argument(help="Photos in colour, folders, globs.", metavar="CONTENT")],
    ref: Annotated[
        list[str],
        typer.Option(
            "--ref", help="The photo whose style they get; repeatable, one result each. No folder.", metavar="STYLE"
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results; the input's tree is mirrored.")],
    transform: Annotated[
        str | None, typer.Option("--transform", help="How statistics pass on. [default: adain]", metavar="adain|wct")
    ] = None,
    segments: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--segments",
            help="Maps of photo and style: regions of one colour take after each other.",
            metavar="CONTENT.png STYLE.png",
        ),
    ] = None,
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
    recursive: options.Recursive = True,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    compare: options.Compare = False,
    report: options.Report = None,
    provenance: options.ProvenanceNote = True,
    max_pixels: options.MaxPixels = MAX_PIXELS,
    fail_fast: options.FailFast = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """Bring colour photos into the style of another photo.

    Lightness changes, too; detail stays. All else is as in `exemplar`.
    """
    check_ranges(
        format=format,
        quality=quality,
        saturation=1.0,
        size=size,
        batch=batch,
        jobs=jobs,
        max_pixels=max_pixels,
    )
    check_report(report, overwrite=overwrite, dry_run=dry_run)

    from colorcli.media.discover import discover
    from colorcli.media.references import pair
    from colorcli.media.segments import resolved, with_segments
    from colorcli.methods.registry import stylizer
    from colorcli.run.request import Request, check, check_references

    request = Request(
        method=stylizer().name,
        weights=tuple(weights or ()),
        device=device,
        precision=precision,
        size=size,
        batch=batch,
        workers=jobs,
        quality=quality,
        compare=compare,
        provenance=provenance,
        segments=segments,
        transform=transform,
        max_pixels=max_pixels,
        overwrite=overwrite,
        verbosity=-1 if quiet else verbose,
        engine=engine,
        address=address,
        strength=1.0,
        stylizes=True,
    )
    check(request)
    pairing = pair(ref, None, recursive=recursive)
    check_references(pairing.references, max_pixels)
    found = discover(
        contents,
        out,
        recursive=recursive,
        extension=options.EXTENSIONS[format],
        compare=compare,
        versions=pairing.versions,
        references=pairing.paths | resolved(segments),
    )
    if segments is not None:
        found = with_segments(found, pairing, segments, max_pixels)
    colour(found, out, request, dry_run=dry_run, fail_fast=fail_fast, as_json=as_json, report=report)
