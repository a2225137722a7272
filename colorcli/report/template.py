"""HTML of ours, filled: styles and scripts lie beside it in the package and go into the page itself."""

from __future__ import annotations

import base64
import html
import json
import math
from importlib.resources import files
from string import Template
from typing import Any

from colorcli import __version__

GENERATOR = '<meta name="generator" content="colorize'  # how a page is known to be ours
_HEAD = 2_000  # characters that it stands in


def asset(name: str) -> str:
    """A file of the package's `assets`."""
    return (files("colorcli.report") / "assets" / name).read_text(encoding="utf-8")


def escaped(text: object) -> str:
    """A text between tags or in quotes: markup and all that is not ASCII as references.

    Names may hold bytes that are no UTF-8 (surrogates, in Python), see `spelled`.
    """
    return html.escape(spelled(str(text)), quote=True).encode("ascii", "xmlcharrefreplace").decode()


def spelled(text: str) -> str:
    """Bytes of names that are no UTF-8 spelled out: no page can hold them."""
    return text.encode("utf-8", "backslashreplace").decode()


def picture_data(file: bytes) -> str:
    """The address of a WebP that the page itself holds."""
    return f"data:image/webp;base64,{base64.b64encode(file).decode()}"


def finite(value: Any) -> Any:
    """The values, for JSON; a number that is none is null."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_data(value: Any) -> str:
    """JSON in ASCII for a `script` of data: no text in it can end the script. Numbers must be finite."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def filled(name: str, *, title: str, images: str = "data:", **values: str) -> str:
    """The template `name` with these values, which are HTML, after the head of all pages; its script where it has one.

    images: from where the page may load pictures, as its Content-Security-Policy says it.
    """
    stem, template = name.removesuffix(".html"), asset(name)
    script = asset(f"{stem}.js") if "$script" in template else ""
    head = Template(asset("head.html")).substitute(
        version=escaped(__version__),
        title=title,
        images=images,
        scripts=" script-src 'unsafe-inline';" if script else "",
        style=asset("page.css") + asset(f"{stem}.css"),
    )
    return Template(template).substitute(values, head=head, title=title, version=escaped(__version__), script=script)


def is_ours(text: str) -> bool:
    """Whether a page was written by this tool, by its beginning."""
    return GENERATOR in text[:_HEAD]
