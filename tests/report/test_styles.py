"""The pages' colours."""

from __future__ import annotations

import re
from itertools import product

import pytest

from colorcli.report.template import asset

_READABLE = 4.5  # WCAG 2.2, 1.4.3, level AA, text of any size
_VISIBLE = 3.0  # 1.4.11: marks of controls and of plots


def _schemes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", asset("page.css"), re.DOTALL)
    read = [dict(re.findall(r"--(\S+): (#\w{6});", block)) for block in (light, dark)]
    return dict(zip(("light", "dark"), read, strict=True))


def _luminance(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("scheme", "ink", "ground"),
    [
        *product(("light", "dark"), ("ink", "quiet", "accent", "good", "bad"), ("ground", "card")),
        *product(("light", "dark"), ("ink", "bad"), ("bad-ground",)),
        *product(("light", "dark"), ("ink",), ("well",)),
    ],
)
def test_text_can_be_read(scheme: str, ink: str, ground: str) -> None:
    """Oracle: WCAG's contrast ratio of every colour of text on every ground that it stands on."""
    colors = _schemes()[scheme]
    assert _contrast(colors[ink], colors[ground]) >= _READABLE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_plots_can_be_seen(scheme: str) -> None:
    """Oracle: WCAG's contrast ratio of a plot's colours on the card that it lies on."""
    series = pytest.importorskip("colorcli.report.plots")._SERIES
    assert min(_contrast(color, _schemes()[scheme]["card"]) for color in series) >= _VISIBLE
