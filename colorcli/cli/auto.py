"""`colorize auto`: photos and folders of photos into colour."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colorcli.cli import options
from colorcli.cli.console import FAILED_FILES, Progress, printable, reports_errors, say

if TYPE_CHECKING:
    from colorcli.media.discover import Discovery
    from colorcli.run.local import Outcome

_EXTENSIONS = {"same": None, "png": ".png", "jpg": ".jpg", "webp": ".webp", "tiff": ".tiff"}


@reports_errors
def auto(
    inputs: Annotated[list[str], typer.Argument(help="Photos, folders, globs.", metavar="INPUT")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the results; the input's tree is mirrored.")],
    method: options.Method = "smsanet",
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    size: options.Size = 0,
    batch: Annotated[int, typer.Option("--batch", help="Photos in one network call. 0: automatic.")] = 0,
    jobs: Annotated[int, typer.Option("-j", "--jobs", help="Threads that read, and that write. 0: cores.")] = 0,
    format: Annotated[str, typer.Option("--format", help="same, png, jpg, webp or tiff.")] = "same",
    quality: Annotated[int | None, typer.Option("--quality", help="1..100, for JPEG, WebP and AVIF.")] = None,
    saturation: Annotated[float, typer.Option("--saturation", help="Factor on the colour; 0 is gray.")] = 1.0,
    recursive: Annotated[bool, typer.Option("--recursive/--no-recursive", help="Go into subfolders.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files not made by this tool.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be done; write nothing.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Also write before/after pictures.")] = False,
    provenance: Annotated[
        bool, typer.Option("--provenance/--no-provenance", help="Say in the result that its colour is synthetic.")
    ] = True,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failure.")] = False,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> None:
    """Colour photos without a reference.

    Size, lightness, metadata and format stay the photo's own. A run that was stopped goes on where it was.
    """
    from colorcli.errors import UsageError
    from colorcli.media.discover import discover

    if format not in _EXTENSIONS:
        raise UsageError(f"--format must be one of {', '.join(_EXTENSIONS)}, not {format!r}")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"--quality must be from 1 to 100, not {quality}")
    if not 0 <= saturation <= 10:
        raise UsageError(f"--saturation must be from 0 to 10, not {saturation}")
    if min(size, batch, jobs) < 0 or 0 < size < 16 or size > 2048:
        raise UsageError("--size must be 0 or from 16 to 2048; --batch and --jobs must be 0 or more")
    found = discover(inputs, out, recursive=recursive, extension=_EXTENSIONS[format], compare=compare)
    verbosity = -1 if quiet else verbose
    if dry_run:
        _list(found, as_json)
        raise typer.Exit(FAILED_FILES if found.failures else 0)

    from colorcli.run.session import Request, open_run

    request = Request(
        method=method,
        weights=weights,
        device=device,
        precision=precision,
        size=size,
        batch=batch,
        workers=jobs,
        quality=quality,
        saturation=saturation,
        compare=compare,
        provenance=provenance,
        overwrite=overwrite,
        seed=seed,
        verbosity=verbosity,
    )
    progress = Progress(len(found.jobs) + len(found.failures), verbosity)
    counts = {"done": 0, "unchanged": 0, "failed": 0}
    try:
        for name in found.skipped if verbosity >= 1 else []:
            progress.line(f"{name}: skipped, not a photo")
        for failure in found.failures:
            _tell(failure, progress, counts, as_json)
        if found.jobs and not (fail_fast and found.failures):
            with open_run(found.jobs, out, request, progress.line) as run:
                for outcome in run:
                    _tell(outcome, progress, counts, as_json)
                    if fail_fast and counts["failed"]:
                        break
    finally:
        progress.close()
    _close(counts, len(found.skipped), out, as_json, quiet)
    raise typer.Exit(FAILED_FILES if counts["failed"] else 0)


def _tell(outcome: Outcome, progress: Progress, counts: dict[str, int], as_json: bool) -> None:
    from colorcli.items import Failure, Finished

    entry: dict[str, Any]
    if isinstance(outcome, Failure):
        counts["failed"] += 1
        entry = {"file": outcome.name, "state": "failed", "stage": outcome.stage, "reason": outcome.reason}
        progress.advance(f"{outcome.name}: FAILED ({outcome.stage}): {outcome.reason}", always=True)
    elif isinstance(outcome, Finished):
        counts["done"] += 1
        entry = {"file": outcome.job.name, "state": "done", "result": str(outcome.job.target), "notes": outcome.notes}
        progress.advance(f"{outcome.job.name} -> {outcome.job.target}")
        for note in outcome.notes:
            progress.line(f"{outcome.job.name}: note: {note}")
    else:
        counts["unchanged"] += 1
        entry = {"file": outcome.job.name, "state": "unchanged", "result": str(outcome.job.target)}
        progress.advance(f"{outcome.job.name}: done before")
    if as_json:
        typer.echo(json.dumps(entry))


def _list(found: Discovery, as_json: bool) -> None:
    for job in found.jobs:
        typer.echo(
            json.dumps({"file": str(job.source), "result": str(job.target)})
            if as_json
            else printable(f"{job.source} -> {job.target}")
        )
    for failure in found.failures:
        say(f"{failure.name}: FAILED ({failure.stage}): {failure.reason}")
    for name in found.skipped:
        say(f"{name}: skipped, not a photo")


def _close(counts: dict[str, int], skipped: int, out: Path, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"summary": {**counts, "skipped": skipped}, "out": str(out)}))
    elif not quiet:
        parts = [f"{counts['done']} coloured", f"{counts['unchanged']} done before", f"{counts['failed']} failed"]
        typer.echo(printable(f"{', '.join(parts)}, {skipped} skipped -> {out}"))
