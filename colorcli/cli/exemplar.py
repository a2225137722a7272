"""`colorize exemplar`: photos in the colours of a reference photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from colorcli.cli import options
from colorcli.cli.colouring import check_in_place, check_ranges, check_report, colour, film_options, find
from colorcli.cli.console import resumes, say
from colorcli.cli.shots import list_shots
from colorcli.errors import UsageError
from colorcli.media.formats import MAX_PIXELS


@resumes()
def exemplar(
    targets: Annotated[list[str], typer.Argument(help="Photos, films, folders, globs; or a URL.", metavar="TARGET")],
    ref: Annotated[
        list[str],
        typer.Option(
            "--ref",
            help="A photo in colour; repeatable, one result each. A pattern in quotes. A folder: see --pair-by.",
            metavar="REF",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for the results, or its URL. [default: TARGET.colorized.jpg beside TARGET]",
            metavar="PATH",
        ),
    ] = None,
    pair_by: Annotated[
        str | None,
        typer.Option(
            "--pair-by",
            help="Each photo's one reference: of its name, or the best, whose content is nearest.",
            metavar="name|best",
        ),
    ] = None,
    strength: Annotated[
        float, typer.Option("--strength", help="0..1: of the reference's colour; the rest is `auto`'s.")
    ] = 1.0,
    transform: options.Transform = None,
    segments: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--segments",
            help="Maps of both: regions of one colour take after each other (-m stylization).",
            metavar="TARGET.png REF.png",
        ),
    ] = None,
    samples: Annotated[
        int,
        typer.Option("--samples", help="Results of each photo and reference, of seeds from --seed on.", min=1, max=99),
    ] = 1,
    hint: Annotated[
        list[str] | None,
        typer.Option(
            "--hint",
            help="The colour of a pixel (-m stylization); repeatable. PHOTO.hints.png may hold more.",
            metavar="x,y,#rrggbb",
        ),
    ] = None,
    save_stages: Annotated[
        Path | None,
        typer.Option("--save-stages", help="Folder for pictures of the steps (-m stylization).", metavar="DIR"),
    ] = None,
    method: options.Method = "color2embed",
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
    save_matches: Annotated[
        Path | None,
        typer.Option(
            "--save-matches", help="Folder for pictures of what came from where (-m multimodal).", metavar="DIR"
        ),
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
    """Colour photos and films in the colours of a reference photo.

    All else is as in `auto`. A changed reference colours its photos anew.
    """
    check_ranges(
        format=format,
        quality=quality,
        saturation=saturation,
        size=size,
        batch=batch,
        jobs=jobs,
        max_pixels=max_pixels,
    )
    check_in_place(out, in_place=in_place, format=format, report=report)
    check_report(report, overwrite=overwrite, dry_run=dry_run, shots=shots)
    if not 0 <= strength <= 1:
        raise UsageError(f"--strength must be from 0 to 1, not {strength}")
    for option, folder in (("--save-matches", save_matches), ("--save-stages", save_stages)):
        if folder is not None and out is None:
            raise UsageError(f"{option} DIR mirrors the output folder; name one with -o")

    from colorcli.media.discover import REFERENCE
    from colorcli.media.films.kinds import film_extensions
    from colorcli.media.formats import are_films
    from colorcli.media.hints import parse_dot
    from colorcli.media.references import pair
    from colorcli.media.segments import resolved, with_segments
    from colorcli.media.targets import sampled
    from colorcli.run.request import Request, check, check_references

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
        hints=tuple(map(parse_dot, hint or ())),
        matches=save_matches,
        stages=save_stages,
        samples=samples,
        segments=segments,
        transform=transform,
        max_pixels=max_pixels,
        in_place=in_place,
        overwrite=overwrite,
        seed=seed,
        verbosity=-1 if quiet else verbose,
        engine=engine,
        address=address,
        films=films,
        strength=strength,
    )
    check(request)
    if pair_by is None and are_films(targets) and any(Path(text).is_dir() for text in ref):
        pair_by = "best"  # a folder of stills is for the shots, whose names nobody knows
    pairing = pair(ref, pair_by, recursive=recursive)
    if in_place and pairing.by is None and len(pairing.references) > 1:
        raise UsageError("--in-place has room for one result of a photo; name one --ref, or say --pair-by name or best")
    if pairing.by is None:  # all of them are needed; of a folder's those that are not are nobody's failure
        check_references(pairing.references, max_pixels)
    for left_out in () if quiet else pairing.left_out:
        say(f"left out: reference {left_out}")
    found, place, request = find(
        targets,
        out,
        request,
        recursive=recursive,
        extension=options.EXTENSIONS[format],
        film_extension=film_extensions(films),
        compare=compare,
        versions=sampled(pairing.versions, samples),
        references=pairing.paths | resolved(segments),
    )
    if not found.jobs and not found.failures and any(skipped.reason == REFERENCE for skipped in found.skipped):
        raise UsageError("no photo to colour is left: what was found are the references themselves")
    if segments is not None:
        found = with_segments(found, pairing, segments, max_pixels)
    request = replace(request, choices=pairing.choices)
    if shots:
        list_shots(found, as_json)
    colour(found, place, request, dry_run=dry_run, fail_fast=fail_fast, as_json=as_json, report=report)
