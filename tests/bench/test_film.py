"""`colorize bench film`: stages, a whole run, and the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from colorcli.bench.film_run import whole_run
from colorcli.bench.film_truth import compare_films, is_in_colour, write_tinted
from colorcli.bench.stages import StageCost, ideal_seconds
from colorcli.cli.bench.film import film
from colorcli.errors import ColorizeError, UsageError
from colorcli.media.films.reading import header_of
from colorcli.media.films.scan import scan

from ..films import Recipe, held, pan, write_film

Photograph = Callable[..., Any]
_STAGES = ["scan", "decode", "see", "network", "steady", "flicker", "recombine", "encode", "assemble"]


@pytest.fixture
def colourful(tmp_path: Path, photograph: Photograph) -> Path:
    """Two shots of six frames, in colour."""
    wide = [photograph(name, 76, 48) for name in ("astronaut", "coffee")]
    frames = [np.ascontiguousarray(one[:, 2 * n : 2 * n + 64]) for one in wide for n in range(6)]
    return write_film(tmp_path / "film.mkv", frames, Recipe("ffv1", "yuv444p", sound=[("aac", "eng")]))


def _bench(*arguments: object) -> Any:
    app = typer.Typer()
    app.command()(film)
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


def test_the_ideal_is_all_work_over_all_cores() -> None:
    """Oracle: closed form: 30 + 10 ms on two cores; with a device of its own the network or the rest, as is slower."""
    costs = [StageCost("network", 0.03, 5), StageCost("encode", 0.006, 5), StageCost("scan", 0.004, 5)]
    assert ideal_seconds(costs, 2, on_cpu=True) == pytest.approx(0.020)
    assert ideal_seconds(costs, 2, on_cpu=False) == pytest.approx(0.030)
    assert ideal_seconds([StageCost("network", 0.001, 5), *costs[1:]], 2, on_cpu=False) == pytest.approx(0.005)


def test_the_grayed_film_is_the_film_without_colour(colourful: Path, tmp_path: Path) -> None:
    """Oracle: scikit-image's L of the true frames; 1.1: what 8-bit YCbCr rounds in both; its sound and times; no
    colour. The tinted one has its colour everywhere but where sRGB has none; 1.5: the same rounding."""
    from skimage.color import rgb2lab

    header = header_of(colourful)
    gray = write_tinted(header, scan(header), tmp_path / "gray")
    assert is_in_colour(header) and not is_in_colour(header_of(gray))
    before, after = held(colourful), held(gray)
    assert after.times == before.times and after.packets == before.packets
    for truth, grayed in zip(before.frames, after.frames, strict=True):
        assert np.quantile(np.abs(rgb2lab(truth)[..., 0] - rgb2lab(grayed)[..., 0]), 0.99) < 1.1
    tinted = held(write_tinted(header, scan(header), tmp_path / "tint", (6.0, 12.0))).frames[0]
    found = np.median(rgb2lab(tinted)[..., 1:].reshape(-1, 2), axis=0)
    assert np.abs(found - (6, 12)).max() < 1.5


def test_films_beside_the_truth(colourful: Path, tmp_path: Path) -> None:
    """Oracle: the truth itself, which has no excess and no error; one colour for all, which flickers by rounding alone;
    and a film whose every second frame has another tint, 20 units of b away, which it must show as flicker."""
    header = header_of(colourful)
    looked = scan(header)
    one = write_tinted(header, looked, tmp_path / "one", (0.0, 10.0))
    other = write_tinted(header, looked, tmp_path / "other", (0.0, -10.0))
    frames = [(a if n % 2 else b) for n, (a, b) in enumerate(zip(held(one).frames, held(other).frames, strict=True))]
    flicker = write_film(tmp_path / "flicker.mkv", frames, Recipe("ffv1", "yuv444p"))
    films = {"itself": colourful, "one colour": one, "flicker": flicker}
    truth, itself, still, shaken = compare_films(colourful, looked, films)
    assert (truth.psnr, truth.excess) == (None, 0.0) and itself.psnr is None and itself.warp == truth.warp > 0
    assert still.psnr is not None and still.warp < 1 and still.consistency < shaken.consistency
    assert 12 < shaken.warp < 21 and shaken.excess > 20 * still.excess  # dark places have less chroma than 20
    short = write_film(tmp_path / "short.mkv", frames[:-1], Recipe("ffv1", "yuv444p"))
    with pytest.raises(ColorizeError, match="differ in length, from frame 11 on"):
        compare_films(colourful, looked, {"short": short})


@pytest.mark.slow
def test_a_film_in_colour_is_measured(colourful: Path, tiny_weights: Path) -> None:
    """Oracle: the table's own arithmetic, the frames that the film was made of, and rows for what was compared."""
    answer = _bench(colourful, "--weights", tiny_weights, "-d", "cpu", "--json")
    assert answer.exit_code == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert [one["stage"] for one in told["stages"]] == _STAGES
    assert all(one["measured"] == 12 and one["seconds"] >= 0 for one in told["stages"])
    assert (told["frames"], told["shots"], told["size"]) == (12, 2, 64) and told["run"]["peak"] > 50e6
    assert told["ideal"] == pytest.approx(12 * sum(one["seconds"] for one in told["stages"]) / told["cores"])
    assert told["efficiency"] == pytest.approx(told["ideal"] / told["run"]["seconds"])
    rows = {row["name"]: row for row in told["truth"]}
    assert list(rows) == ["true film", "frame by frame", "steadied", "one colour"]
    assert told["excess_ratio"] == rows["steadied"]["excess"] / rows["frame by frame"]["excess"] < 1
    assert told["psnr_change"] == rows["steadied"]["psnr"] - rows["frame by frame"]["psnr"]


@pytest.mark.slow
def test_a_gray_film_has_no_truth(tmp_path: Path, photograph: Photograph, tiny_weights: Path) -> None:
    """Oracle: the contract; the table names every stage."""
    source = write_film(tmp_path / "gray.mkv", pan(photograph, "astronaut", 4), Recipe("ffv1", "gray"))
    answer = _bench(source, "--weights", tiny_weights, "-d", "cpu")
    assert answer.exit_code == 0, answer.stderr
    assert "efficiency" in answer.stdout and "PSNR" not in answer.stdout
    assert [line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" 4")] == _STAGES


def test_what_cannot_be_measured_is_refused(tmp_path: Path, tiny_weights: Path, photograph: Photograph) -> None:
    """Oracle: the promised messages: a run that fails tells why; methods with references are refused by name."""
    (tmp_path / "no.mp4").write_text("no film at all\n" * 100)
    with pytest.raises(ColorizeError, match=r"no\.mp4: not a film"):
        whole_run(tmp_path / "no.mp4", tmp_path / "out", "smsanet", [tiny_weights], "cpu", "fp32", 64, temporal=True)
    source = write_film(tmp_path / "gray.mkv", pan(photograph, "astronaut", 4), Recipe("ffv1", "gray"))
    answer = _bench(source, "-m", "color2embed", "-d", "cpu")
    assert answer.exit_code == UsageError.exit_code and "not color2embed" in answer.stderr
