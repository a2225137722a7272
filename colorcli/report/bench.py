"""The page of a bench: its figures as tables, and as plots where matplotlib is there to draw them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from colorcli.errors import ColorizeError
from colorcli.media.places import whole_files
from colorcli.report.template import escaped, filled

Figures = Mapping[str, Any]

_DIGITS = 12  # of a sha256 that a person is shown
_TITLES = {
    "rows": "Quality",
    "alone": "The network alone",
    "streamed": "From file to file",
    "published": "As published, on other photographs: not to be compared with a row above",
    "published times": "Times as published, on other machines",
    "definitions": "What the figures are",
    "without a row": "Without a row",
    "methods": "Methods",
    "runs": "Training runs",
}
_FOOTERS = {
    "rows": "gray and flat tint are no methods: they are what the figures are without colour, and with one colour.",
    "alone": "Times are medians of the rounds.",
}
_WORDS = {
    "psnr": "PSNR dB",
    "psnr_median": "median dB",
    "psnr_pooled": "pooled dB",
    "ssim": "SSIM",
    "rate": "photos/s",
    "delta_e": "delta E 2000",
    "colourfulness_difference": "colourfulness off by",
}
_FACTS = {"side": "photos, px", "size": "network, px"}
_DECIMALS = {
    **dict.fromkeys(("psnr", "psnr_median", "psnr_pooled"), 3),
    "ssim": 4,
    **dict.fromkeys(("colourfulness", "colourfulness_difference", "delta_e", "rate"), 2),
}


def write_bench_page(place: Path, figures: Figures) -> None:
    """Write the page of the figures of a bench, as `record.shown` gives them. Errors: ColorizeError.

    Of the JSON object every plain value is told at the top, every object in it too (`versions`, `chosen`, `engine`),
    and every list of objects is a table (`rows`, `alone`, `streamed`, `published`, others by their key): a column for
    each plain value, objects' values by both names, no column for lists. A list of texts is told by name (`left_out`,
    `gray at source`). Nothing has to be there. Of a row of `rows` plots read, where they are there, `name`, `psnr`,
    `images` (a list of objects with the `psnr` of one photo each) and `rate` (photos/s); of `alone` and `streamed`
    `side`, `batch` and `rate` (photos/s, or an object with their `median`).
    """
    method, measured = str(figures.get("method", "")), str(figures.get("bench", ""))
    page = filled(
        "bench.html",
        title=escaped(f"colorize bench {measured}".strip() + (f": {method}" if method else "")),
        protocol=f'<p class="quiet">{escaped(figures["protocol"])}</p>' if figures.get("protocol") else "",
        facts="".join(f"<div><dt>{escaped(k)}</dt><dd>{escaped(v)}</dd></div>" for k, v in _facts(figures)),
        plots=_plots(figures),
        tables="".join(_sections(figures)),
        footer=" ".join(text for key, text in _FOOTERS.items() if figures.get(key)),
    )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole_files(place) as (part,):
            part.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ColorizeError(
            f"the report {place} cannot be written ({error.strerror or error}); choose another"
        ) from error


def _plots(figures: Figures) -> str:
    try:
        from colorcli.report.plots import plots
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        return (
            '<p class="lack">Plots are drawn by matplotlib, which is not installed: '
            "<code>pip install colorize[report]</code>, and measure again.</p>"
        )
    drawn = [
        f"<figure><figcaption>{escaped(plot.title)}<span>{escaped(plot.told)}</span></figcaption>{plot.svg}</figure>"
        for plot in plots(figures)
    ]
    return f'<div class="plots">{"".join(drawn)}</div>' if drawn else ""


def _facts(figures: Figures) -> Iterator[tuple[str, str]]:
    yield "made", f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"
    for key, value in figures.items():
        if key in ("bench", "method", "protocol") or value in (None, "", {}):
            continue
        if key == "weights":
            yield "weights", ", ".join(f"sha256 {one[:_DIGITS]}" for one in str(value).split(", "))
        elif isinstance(value, Mapping):
            yield _word(key), ", ".join(f"{_word(name)} {_told(name, one)}" for name, one in value.items())
        elif not isinstance(value, list):
            yield _FACTS.get(key) or _word(key), _told(key, value)


def _sections(figures: Figures) -> Iterator[str]:
    lists = [(key, value) for key, value in figures.items() if isinstance(value, list) and value]
    for key, value in sorted(lists, key=lambda pair: isinstance(pair[1][0], str)):  # tables first
        title = escaped(_TITLES.get(key, key))
        if all(isinstance(one, Mapping) for one in value):
            around = f'<div class="table" tabindex="0" role="region" aria-label="{title}">{_table(value)}</div>'
            yield f"<section><h2>{title}</h2>{around}</section>"
        elif all(isinstance(one, str) for one in value):
            names = escaped("; ".join(value))
            count = "" if key == "definitions" else f": {len(value)}"
            yield f'<section><h2>{title}{count}</h2><p class="quiet names">{names}</p></section>'


def _table(rows: Sequence[Figures]) -> str:
    flat = [dict(_flat(row)) for row in rows]
    columns = list(dict.fromkeys(column for row in flat for column in row))
    words = {column for row in flat for column, value in row.items() if isinstance(value, str)}
    kinds = {column: ' class="words"' if column in words else "" for column in columns}
    head = "".join(f'<th scope="col"{kinds[column]}>{escaped(_column(column))}</th>' for column in columns)
    body = "".join("<tr>" + "".join(_cell(column[-1], row.get(column)) for column in columns) + "</tr>" for row in flat)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(key: str, value: Any) -> str:
    kind = ' class="words"' if isinstance(value, str) else ""
    return f"<td{kind}>{escaped(_told(key, value))}</td>"


def _flat(row: Figures, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The plain values of a row by the names on the way to them."""
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, str(key)))
        elif not isinstance(value, list):
            yield (*path, str(key)), value


def _column(path: tuple[str, ...]) -> str:
    return "" if path == ("name",) else " ".join(map(_word, path))


def _word(key: str) -> str:
    return _WORDS.get(key, key.replace("_", " "))


def _told(key: str, value: Any) -> str:
    if value is None:
        return "\N{EN DASH}"
    if key == "peak" and isinstance(value, int):  # bytes
        return f"{value / 1e6:,.0f} MB"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{_DECIMALS[key]}f}" if key in _DECIMALS else f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
