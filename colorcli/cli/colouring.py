"""What the commands that colour photos do alike: check options, run or foretell, tell each outcome, sum up."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from colorcli.cli.console import FAILED_FILES, Progress, printable, say
from colorcli.cli.film_lines import film_line, shot_lines
from colorcli.cli.options import EXTENSIONS
from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.items import FilmOptions
    from colorcli.media.discover import Discovery
    from colorcli.media.targets import FilmExtension, Versions
    from colorcli.report.run import RunReport
    from colorcli.run.local import Outcome
    from colorcli.run.preview import Planned
    from colorcli.run.request import Request

_NAMED = 3  # unused drawings of hints in one line


def check_ranges(
    *, format: str, quality: int | None, saturation: float, size: int, batch: int, jobs: int, max_pixels: int
) -> None:
    """UsageError for an option's value that is out of its range."""
    if format not in EXTENSIONS:
        raise UsageError(f"--format must be one of {', '.join(EXTENSIONS)}, not {format!r}")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"--quality must be from 1 to 100, not {quality}")
    if not 0 <= saturation <= 10:
        raise UsageError(f"--saturation must be from 0 to 10, not {saturation}")
    if min(size, batch, jobs) < 0 or 0 < size < 16 or size > 2048:
        raise UsageError("--size must be 0 or from 16 to 2048; --batch and --jobs must be 0 or more")
    if max_pixels < 0:
        raise UsageError(f"--max-pixels must be 0 or more, not {max_pixels}")


def find(
    inputs: Sequence[str],
    out: str | None,
    request: Request,
    *,
    recursive: bool,
    extension: str | None,
    film_extension: FilmExtension,
    compare: bool,
    versions: Versions | None = None,
    references: Collection[str] = (),
) -> tuple[Discovery, Path | None, Request]:
    """As `discover`; inputs and `out` may be URLs.

    Returns also the folder of the results, or the one that stands for it, and the request with what is remote.
    """
    from colorcli.media.discover import discover
    from colorcli.media.remote.address import is_url
    from colorcli.media.targets import one_version

    if any(map(is_url, (*inputs, out or ""))):
        from colorcli.run.far_discovery import discover_far

        found, place, remote = discover_far(
            inputs,
            out,
            request,
            recursive=recursive,
            extension=extension,
            compare=compare,
            versions=versions or one_version,
            references=references,
        )
        return found, place, replace(request, remote=remote)
    folder = None if out is None else Path(out)
    found = discover(
        inputs,
        folder,
        recursive=recursive,
        extension=extension,
        film_extension=film_extension,
        compare=compare,
        versions=versions or one_version,
        references=references,
        in_place=request.in_place,
    )
    return found, folder, request


def check_report(place: Path | None, *, overwrite: bool, dry_run: bool, shots: bool = False) -> None:
    """Refuse a `--report` that cannot be written, or has nothing to tell of, before anything is done."""
    if place is None:
        return
    if dry_run or shots:
        raise UsageError(f"--report shows what a run made; leave out {'--dry-run' if dry_run else '--shots'}")
    from colorcli.report.place import check_place

    check_place(place, overwrite=overwrite)


def check_in_place(out: str | None, *, in_place: bool, format: str, report: Path | None) -> None:
    """UsageError for what does not go with results in the photos' own places."""
    for option, given in (
        ("-o: results go there", out is not None),
        ("--format: a photo's place has its format", format != "same"),
        ("--report: it shows photos as they were", report is not None),
    ):
        if in_place and given:
            raise UsageError(f"--in-place does not go with {option}; leave out one of them")


def film_options(*, codec: str | None, crf: float | None, deinterlace: str, temporal: bool) -> FilmOptions:
    """How films are made. UsageError for an option's value that is out of its range."""
    from colorcli.items import FilmOptions

    if deinterlace not in ("auto", "off"):
        raise UsageError(f"--deinterlace must be auto or off, not {deinterlace!r}")
    if crf is not None and not 0 <= crf <= 63:
        raise UsageError(f"--crf must be from 0 to 63, not {crf:g}")
    if codec is not None:
        from colorcli.media.films.codecs import chosen_family

        family = chosen_family(codec)
        if crf is not None and not family.scale:
            raise UsageError(f"--codec {codec} has no quality to choose; leave out --crf")
    return FilmOptions(codec, crf, deinterlace == "auto", temporal)


def colour(
    found: Discovery,
    out: Path | None,
    request: Request,
    *,
    dry_run: bool,
    fail_fast: bool,
    as_json: bool,
    report: Path | None = None,
) -> NoReturn:
    """Colour what was found, or tell what a run would do, and end with the exit code that this gives.

    out: None for results beside their photos. report: of a page to be written, as `check_report` lets pass.
    """
    from colorcli.run.session import rehearse

    if report is not None and request.remote is not None:
        raise UsageError("--report is for folders of this machine; leave it out with remote ones")
    verbosity = request.verbosity
    if dry_run:
        todo = [] if fail_fast and found.failures else found.jobs
        with closing(rehearse(todo, out, request, say if verbosity >= 0 else lambda _: None)) as told:
            counts = _foretell(found, told, as_json, verbosity, fail_fast=fail_fast)
    else:
        progress = Progress(len(found.jobs) + len(found.failures), verbosity)
        try:
            counts = _run(found, out, request, progress, fail_fast=fail_fast, as_json=as_json, report=report)
        finally:
            progress.close()
    remote = None if request.remote is None else request.remote.out
    _close(counts, len(found.skipped), out if remote is None else str(remote), request, as_json)
    raise typer.Exit(FAILED_FILES if counts["failed"] else 0)


def _run(
    found: Discovery,
    out: Path | None,
    request: Request,
    progress: Progress,
    *,
    fail_fast: bool,
    as_json: bool,
    report: Path | None,
) -> dict[str, int]:
    """Colour what was found and tell each outcome; returns how many there were of each kind."""
    from colorcli.run.session import open_run

    counts = {"done": 0, "unchanged": 0, "failed": 0}
    with nullcontext() if report is None else _page(report, request, found) as page:

        def tell(outcome: Outcome) -> None:
            _tell(outcome, progress, counts, request.verbosity, as_json)
            if page is not None:
                page.add(outcome)

        _tell_skipped(found, progress.line, request.verbosity >= 1, as_json)
        for failure in found.failures:
            tell(failure)
        if found.jobs and not (fail_fast and found.failures):
            told = () if page is None else (page.made_with,)
            with open_run(found.jobs, out, request, progress.line, *told) as run:
                for outcome in run:
                    tell(outcome)
                    if fail_fast and counts["failed"]:
                        run.stop()
        if page is not None:
            page.write()
            progress.line(f"report: {report}")
    return counts


def _page(place: Path, request: Request, found: Discovery) -> AbstractContextManager[RunReport]:
    from colorcli.report.run import RunReport

    return closing(RunReport(place, request, len(found.jobs) + len(found.failures)))


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


def _tell(outcome: Outcome, progress: Progress, counts: dict[str, int], verbosity: int, as_json: bool) -> None:
    entry, line = _entry(outcome)
    counts[entry["state"]] += 1
    progress.advance(line, always=entry["state"] == "failed")
    for note in entry.get("notes", ()):
        progress.line(f"{entry['file']}: note: {note}")
    if verbosity >= 1:
        for line in shot_lines(outcome):
            progress.line(f"{entry['file']}: {line}")
    if as_json:
        typer.echo(json.dumps(entry))


def _foretell(
    found: Discovery, told: Iterator[Planned | Outcome], as_json: bool, verbosity: int, *, fail_fast: bool
) -> dict[str, int]:
    """Tell what a run would do: failures and what is skipped on stderr, the rest on stdout.

    fail_fast: up to the first photo that would fail.
    """
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
        if fail_fast and entry["state"] == "failed" and not found.failures:  # those are all told, and nothing is begun
            break
    return counts


def _entry(outcome: Planned | Outcome) -> tuple[dict[str, Any], str]:
    """One file as a JSON entry and as a line."""
    from colorcli.items import Failure, Finished
    from colorcli.run.preview import Planned

    if isinstance(outcome, Failure):
        entry, whose = {"file": outcome.name}, ""
        if outcome.reference is not None:
            entry["reference"], whose = outcome.reference.name, f" (reference {outcome.reference.name})"
        entry |= {"state": "failed", "stage": outcome.stage, "reason": outcome.reason}
        return entry, f"{outcome.name}{whose}: FAILED ({outcome.stage}): {outcome.reason}"
    entry = {"file": outcome.job.name, "result": outcome.job.place}
    if outcome.job.reference is not None:
        entry["reference"] = outcome.job.reference.name
    if isinstance(outcome, Finished):
        if outcome.film is not None:
            told = {"state": "done", "notes": outcome.notes, "film": asdict(outcome.film)}
            return entry | told, film_line(outcome.job, outcome.film)
        return entry | {"state": "done", "notes": outcome.notes}, f"{outcome.job.name} -> {outcome.job.place}"
    if isinstance(outcome, Planned):
        return entry | {"state": "planned"}, f"{outcome.job.name} -> {outcome.job.place}"
    notes = {"notes": outcome.notes} if outcome.notes else {}
    return entry | {"state": "unchanged"} | notes, f"{outcome.job.name}: done before"


def _close(counts: dict[str, int], skipped: int, out: Path | str | None, request: Request, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"summary": {**counts, "skipped": skipped}, "out": None if out is None else str(out)}))
    elif request.verbosity >= 0:
        place = out or ("the photos' own places" if request.in_place else "beside the photos")
        words = {"done": "coloured", "planned": "to colour", "unchanged": "done before", "failed": "failed"}
        parts = [f"{count} {words[state]}" for state, count in counts.items()]
        typer.echo(printable(f"{', '.join(parts)}, {skipped} skipped -> {place}"))
