"""The page of a run: what became of each photo and film, before and after."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from colorcli.errors import ColorizeError
from colorcli.media.places import whole_files
from colorcli.report.rows import Row, row_of
from colorcli.report.settings import settings_of
from colorcli.report.template import as_data, escaped, filled
from colorcli.report.thumbnails import thumbnails
from colorcli.run.local import Outcome
from colorcli.run.prepared import Making
from colorcli.run.request import Request

_NAMED = 100  # failures that are listed at the top; all are among the rows
_DIGITS = 12  # of a sha256 that a person is shown
_CHUNK = 1 << 20  # characters
_ROWS = "<!-- rows -->"  # where the template has them


class RunReport:
    """Collects the outcomes of a run; holds none of them in memory."""

    def __init__(self, place: Path, request: Request, results: int) -> None:
        """place: of the page; its folder is made. results: how many outcomes there may be. Errors: ColorizeError."""
        self._place, self._request = place, request
        self._making: Making | None = None
        self._counts: Counter[str] = Counter()
        self._failures: list[Row] = []
        self._started = time.monotonic()
        self._written = False
        with self._told():
            place.parent.mkdir(parents=True, exist_ok=True)
            # Rows wait in a file without a name, in the page's folder: what can be told of that folder is told now,
            # and a kill leaves nothing.
            self._rows: IO[str] = tempfile.TemporaryFile("w+", encoding="ascii", dir=place.parent)  # noqa: SIM115
            self._thumbnails = thumbnails(place, results)

    def made_with(self, making: Making) -> None:
        """Note what the run found its device and weights to be."""
        self._making = making

    def add(self, outcome: Outcome) -> None:
        """Note an outcome, with pictures of what was written. Errors: ColorizeError."""
        with self._told():
            truth = not self._request.stylizes
            self._put(row_of(outcome, self._place, self._thumbnails, knows_truth=truth))

    def _put(self, row: Row) -> None:
        if row["state"] == "failed" and len(self._failures) < _NAMED:
            self._failures.append(row)
        self._rows.write((",\n" if self._counts.total() else "") + as_data(row))
        self._counts[row["state"]] += 1

    def write(self) -> None:
        """Write the page; it appears whole. Errors: ColorizeError."""
        with self._told(), whole_files(self._place) as (part,):
            with part.open("w", encoding="utf-8", newline="\n") as page:
                before, after = self._frame().split(_ROWS)
                page.write(before)
                self._rows.seek(0)
                while chunk := self._rows.read(_CHUNK):
                    page.write(chunk)
                page.write(after)
            self._written = True  # from here on its pictures stay, come what may
        with self._told():
            self._thumbnails.keep()

    def close(self) -> None:
        """Let go of what waits; without a page its pictures go, too. Safe to call twice."""
        self._rows.close()
        if not self._written:
            self._thumbnails.drop()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ColorizeError(
                f"the report {self._place} cannot be written ({error.strerror or error}); results that are there are "
                "whole: make room or choose another --report, and run the same command again"
            ) from error

    # the page around the rows

    def _frame(self) -> str:
        seconds = time.monotonic() - self._started
        return filled(
            "run.html",
            images="data: file: 'self'",
            title=escaped(f"colorize {self._command}"),
            lede=self._lede(),
            facts=_listed(self._facts(seconds)),
            settings=_listed(settings_of(self._request)),
            failures=self._listed_failures(),
            rows=_ROWS,
        )

    @property
    def _command(self) -> str:
        if self._request.stylizes:
            return "stylize"
        return "auto" if self._request.strength is None else "exemplar"

    def _lede(self) -> str:
        words = {"done": "coloured", "unchanged": "done before", "failed": "failed"}
        told = [(state, self._counts[state], word) for state, word in words.items()]
        return "".join(
            f'<li class="count {state}"><b>{count:,}</b> {word}</li>'
            for state, count, word in told
            if count or state == "done"
        )

    def _facts(self, seconds: float) -> dict[str, str]:
        facts = {"made": f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"}
        making, done = self._making, self._counts["done"]
        if making is not None:
            facts["method"] = making.method
            facts["weights"] = ", ".join(f"sha256 {one[:_DIGITS]}" for one in making.weights.split(", "))
            facts["network"] = f"{making.size} px, {making.precision}"
            facts["device"] = making.device
        rate = f", loading included: {done / seconds:.2f} a second" if done else ""
        facts["time"] = f"{_duration(seconds)}{rate}"
        return facts

    def _listed_failures(self) -> str:
        if not self._failures:
            return ""
        items = "".join(
            f"<li><b>{escaped(row['name'])}</b>{_whose(row)} <span>{escaped(row['reason'])}</span></li>"
            for row in self._failures
        )
        more = self._counts["failed"] - len(self._failures)
        rest = f"<p>and {more:,} more: choose <i>failed</i> below.</p>" if more else ""
        return f'<section class="failures"><h2>Failed</h2><ul>{items}</ul>{rest}</section>'


def _whose(row: Row) -> str:
    return f" (reference {escaped(row['reference']['name'])})" if "reference" in row else ""


def _listed(pairs: dict[str, str]) -> str:
    return "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in pairs.items())


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
