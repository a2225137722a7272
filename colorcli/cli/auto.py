"""`colorize auto`: photos and folders of photos into colour."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colorcli.cli import options
from colorcli.cli.console import FAILED_FILES, Progress, printable, reports_errors, say
from colorcli.media.formats import MAX_PIXELS

if TYPE_CHECKING:
    from colorcli.media.discover import Discovery
    from colorcli.run.local import Outcome
    from colorcli.run.preview import Planned

_EXTENSIONS = {"same": None, "png": ".png", "jpg": ".jpg", "webp": ".webp", "tiff": ".tiff"}
_NAMED = 3  # unused drawings of hints in one line


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done; write nothing.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Also write before/after pictures.")] = False,
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
    provenance: Annotated[
        bool, typer.Option("--provenance/--no-provenance", help="Say in the result that its colour is synthetic.")
    ] = True,
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", help="Refuse larger photos by their header. 0: no limit.")
    ] = MAX_PIXELS,
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
    from colorcli.media.hints import parse_dot

    if format not in _EXTENSIONS:
        raise UsageError(f"--format must be one of {', '.join(_EXTENSIONS)}, not {format!r}")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"--quality must be from 1 to 100, not {quality}")
    if not 0 <= saturation <= 10:
        raise UsageError(f"--saturation must be from 0 to 10, not {saturation}")
    if min(size, batch, jobs) < 0 or 0 < size < 16 or size > 2048:
        raise UsageError("--size must be 0 or from 16 to 2048; --batch and --jobs must be 0 or more")
    if max_pixels < 0:
        raise UsageError(f"--max-pixels must be 0 or more, not {max_pixels}")
    dots = tuple(map(parse_dot, hint or ()))
    verbosity = -1 if quiet else verbose

    from colorcli.run.session import Request, check, open_run, rehearse

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
        hints=dots,
        attention=save_attention,
        max_pixels=max_pixels,
        overwrite=overwrite,
        seed=seed,
        verbosity=verbosity,
    )
    check(request)  # whatever the files are like: there may be nothing to do
    found = discover(inputs, out, recursive=recursive, extension=_EXTENSIONS[format], compare=compare)
    todo = [] if fail_fast and found.failures else found.jobs
    if dry_run:
        told = rehearse(todo, out, request, say if verbosity >= 0 else lambda _: None) if todo else iter(())
        counts = _foretell(found, told, as_json, verbosity)
    else:
        progress = Progress(len(found.jobs) + len(found.failures), verbosity)
        counts = {"done": 0, "unchanged": 0, "failed": 0}
        try:
            _tell_skipped(found, progress.line, verbosity >= 1, as_json)
            for failure in found.failures:
                _tell(failure, progress, counts, as_json)
            if todo:
                with open_run(todo, out, request, progress.line) as run:
                    for outcome in run:
                        _tell(outcome, progress, counts, as_json)
                        if fail_fast and counts["failed"]:
                            run.stop()
        finally:
            progress.close()
    _close(counts, len(found.skipped), out, as_json, quiet)
    raise typer.Exit(FAILED_FILES if counts["failed"] else 0)


def _tell_skipped(found: Discovery, tell: Callable[[str], None], each: bool, as_json: bool) -> None:
    from colorcli.media.discover import UNUSED_HINTS

    unused = [skipped.name for skipped in found.skipped if skipped.reason == UNUSED_HINTS]
    if unused and not each:
        more = f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else ""
        tell(f"{len(unused)} .hints.png file(s) have no photo of their name: {', '.join(unused[:_NAMED])}{more}")
    for skipped in found.skipped:
        if each:
            tell(f"{skipped.name}: skipped, {skipped.reason}")
        if as_json:
            typer.echo(json.dumps({"file": skipped.name, "state": "skipped", "reason": skipped.reason}))


def _tell(outcome: Outcome, progress: Progress, counts: dict[str, int], as_json: bool) -> None:
    entry, line = _entry(outcome)
    counts[entry["state"]] += 1
    progress.advance(line, always=entry["state"] == "failed")
    for note in entry.get("notes", ()):
        progress.line(f"{entry['file']}: note: {note}")
    if as_json:
        typer.echo(json.dumps(entry))


def _foretell(found: Discovery, told: Iterator[Planned | Outcome], as_json: bool, verbosity: int) -> dict[str, int]:
    """Tell what a run would do: failures and what is skipped on stderr, the rest on stdout."""
    counts = {"planned": 0, "unchanged": 0, "failed": 0}
    _tell_skipped(found, say if verbosity >= 0 else lambda _: None, verbosity >= 0, as_json)
    for outcome in chain(found.failures, told):
        entry, line = _entry(outcome)
        counts[entry["state"]] += 1
        if entry["state"] == "failed":
            say(line)
        if as_json:
            typer.echo(json.dumps(entry))
        elif entry["state"] != "failed" and verbosity >= 0:
            typer.echo(printable(line))
    return counts


def _entry(outcome: Planned | Outcome) -> tuple[dict[str, Any], str]:
    """One file as a JSON entry and as a line."""
    from colorcli.items import Failure, Finished
    from colorcli.run.preview import Planned

    if isinstance(outcome, Failure):
        entry = {"file": outcome.name, "state": "failed", "stage": outcome.stage, "reason": outcome.reason}
        return entry, f"{outcome.name}: FAILED ({outcome.stage}): {outcome.reason}"
    entry = {"file": outcome.job.name, "result": str(outcome.job.target)}
    if isinstance(outcome, Finished):
        return entry | {"state": "done", "notes": outcome.notes}, f"{outcome.job.name} -> {outcome.job.target}"
    if isinstance(outcome, Planned):
        return entry | {"state": "planned"}, f"{outcome.job.name} -> {outcome.job.target}"
    return entry | {"state": "unchanged"}, f"{outcome.job.name}: done before"


def _close(counts: dict[str, int], skipped: int, out: Path, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"summary": {**counts, "skipped": skipped}, "out": str(out)}))
    elif not quiet:
        words = {"done": "coloured", "planned": "to colour", "unchanged": "done before", "failed": "failed"}
        parts = [f"{count} {words[state]}" for state, count in counts.items()]
        typer.echo(printable(f"{', '.join(parts)}, {skipped} skipped -> {out}"))
