"""--report: the page of a run."""

from __future__ import annotations

import base64
import json
import os
import re
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import skimage
from PIL import Image

from colorcli.items import Failure, FilmReport, Finished, Flicker, Job, Reference, ShotReport
from colorcli.report.figures import figures
from colorcli.report.run import RunReport
from colorcli.report.settings import settings_of
from colorcli.report.thumbnails import INLINE
from colorcli.run.request import Request

from ..films import pan, write_film

_ODD = "a <b>&amp;\"'</script>\n.png"  # what a file may be called


def rows_in(page: Path) -> list[dict[str, Any]]:
    """The rows that the page's script reads."""
    found = re.search(r'<script type="application/json" id="rows">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    rows = json.loads(found[1])
    assert isinstance(rows, list)
    return sorted(rows, key=lambda row: str(row["name"]))


def test_a_run_and_the_next(photos: Path, tmp_path: Path, auto: Callable[..., Any], tiny_weights: Path) -> None:
    """Oracle: what the command says of each photo; a second run with a page colours nothing, and shows all again."""
    page, out = tmp_path / "pages" / "r.html", tmp_path / "out"
    (photos / "torn.jpg").write_bytes(b"no photo")
    assert auto(photos, out=out).code == 3
    answer = auto(photos, "--report", page, out=out)
    assert answer.code == 3 and "4 done before, 1 failed" in answer.out and f"report: {page}" in answer.err
    assert [(row["name"], row["state"]) for row in rows_in(page)] == [
        ("astronaut.png", "unchanged"),
        ("chelsea.png", "unchanged"),
        ("coffee.png", "unchanged"),
        ("rocket.png", "unchanged"),
        ("torn.jpg", "failed"),
    ]
    (out / "coffee.png").unlink()
    assert auto(photos, "--report", page, out=out).code == 3
    rows, text = rows_in(page), page.read_text()
    assert [row["state"] for row in rows] == ["unchanged", "unchanged", "done", "unchanged", "failed"]
    assert rows[4]["stage"] == "decode" and rows[4]["reason"] in text.split("<main")[0]  # among the failures, too
    assert "The colour is synthetic" in text
    from colorcli.media.places import sha256_of

    assert f"sha256 {sha256_of(tiny_weights)[:12]}" in text and "64 px" in text and "on cpu" not in text
    assert str(tmp_path) not in text
    assert sorted(path.name for path in page.parent.iterdir()) == ["r.html"]


def test_the_page_asks_nobody(photos: Path, tmp_path: Path, auto: Callable[..., Any]) -> None:
    """Oracle: every address in the page is data, or a result below its folder; a policy in its head forbids others."""
    page = tmp_path / "r.html"
    auto(photos, "--report", page, out=tmp_path / "out")
    text = page.read_text()
    assert "default-src 'none'" in text and "http:" not in text and "https:" not in text
    for row in rows_in(page):
        assert row["before"].startswith("data:image/webp;base64,") and row["after"].startswith(
            "data:image/webp;base64,"
        )
        assert (tmp_path / row["link"]).is_file()
    other = tmp_path / "elsewhere" / "r.html"
    auto(photos, "--report", other, out=tmp_path / "out")
    assert all("link" not in row for row in rows_in(other))  # ../out would tell of folders


def test_pictures_are_of_the_written_files(photos: Path, tmp_path: Path, auto: Callable[..., Any]) -> None:
    """Oracle: the files, read by Pillow. Mean colour within 3 of 255: WebP's chroma is at half the resolution."""
    page, out = tmp_path / "r.html", tmp_path / "out"
    auto(photos, "--report", page, out=out)
    for row in rows_in(page):
        for key, file in (("before", photos / row["name"]), ("after", out / row["name"])):
            shown = pyvips.Image.new_from_buffer(base64.b64decode(row[key].split(",")[1]), "").numpy()
            truth = np.asarray(Image.open(file).convert("RGB"))
            assert shown.shape == truth.shape == (row["height"], row["width"], 3)
            assert np.abs(shown.mean((0, 1)) - truth.mean((0, 1))).max() < 3


@pytest.mark.parametrize(
    ("place", "options", "code", "words"),
    [
        ("r.txt", [], 2, "must end in .html"),
        ("folder.html", [], 2, "is a folder"),
        ("file/r.html", [], 1, "is a file"),
        ("mine.html", [], 1, "is no report of this tool"),
        ("r.html", ["--dry-run"], 2, "leave out --dry-run"),
        ("r.html", ["--shots"], 2, "leave out --shots"),
    ],
)
def test_places_are_refused_before_the_run(
    place: str, options: list[str], code: int, words: str, photos: Path, tmp_path: Path, auto: Callable[..., Any]
) -> None:
    """Oracle: the exit codes of the README; the reason; nothing coloured, and what was there is as it was."""
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "mine.html").write_text("<h1>My holidays</h1>")
    before = sorted(os.walk(tmp_path))
    answer = auto(photos, "--report", tmp_path / place, *options, out=tmp_path / "out")
    assert answer.code == code and words in answer.err
    assert sorted(os.walk(tmp_path)) == before
    assert (tmp_path / "mine.html").read_text() == "<h1>My holidays</h1>"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_takes_no_files(photos: Path, tmp_path: Path, auto: Callable[..., Any]) -> None:
    """Oracle: exit 1 and no output folder."""
    (tmp_path / "locked").mkdir(mode=0o500)
    answer = auto(photos, "--report", tmp_path / "locked" / "r.html", out=tmp_path / "out")
    assert answer.code == 1 and "no permission" in answer.err and not (tmp_path / "out").exists()


def test_overwrite_takes_any_place(photos: Path, tmp_path: Path, auto: Callable[..., Any]) -> None:
    """Oracle: `--overwrite` replaces a file of others, as it does in the output folder."""
    (tmp_path / "mine.html").write_text("<h1>My holidays</h1>")
    assert auto(photos, "--report", tmp_path / "mine.html", "--overwrite", out=tmp_path / "out").code == 0
    assert len(rows_in(tmp_path / "mine.html")) == 4


def _request(**changes: Any) -> Request:
    return replace(Request("smsanet"), **changes)


def _report(page: Path, *outcomes: Any, results: int | None = None) -> Path:
    report = RunReport(page, _request(), len(outcomes) if results is None else results)
    for outcome in outcomes:
        report.add(outcome)
    report.write()
    report.close()
    return page


def test_twenty_photographs_are_under_a_megabyte(tmp_path: Path) -> None:
    """Oracle: the file's size, with twenty pictures of scikit-image's wheel shown twice, textures and scans among them.
    Each is shown beside itself: as long as a result in full colour."""
    folder = Path(skimage.__file__).parent / "data"
    files = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))[:20]
    assert len(files) == 20
    page = _report(tmp_path / "r.html", *(Finished(Job(file, file, file.name)) for file in files))
    rows = rows_in(page)
    assert page.stat().st_size < 1_000_000 and not (tmp_path / "r.html.files").exists()
    assert all("before" in row for row in rows)
    assert sum(max(row["width"], row["height"]) >= 300 for row in rows) >= 15  # not by making nothing of them


def test_many_pictures_lie_beside(tmp_path: Path, put_color: Callable[..., Path]) -> None:
    """Oracle: the folder: a pair for each photo, one picture of their reference, those of the page before gone when the
    new page is there; a page that is not written leaves those of the old one."""
    photo = put_color(tmp_path / "a.png")
    reference = Reference(photo, "ref.png", "ab" * 32)
    outcomes = [Finished(Job(photo, photo, f"{n}.png", reference=reference)) for n in range(INLINE + 1)]
    page, files = _report(tmp_path / "r.html", *outcomes), tmp_path / "r.html.files"
    (first,) = files.iterdir()
    assert len(list(first.iterdir())) == 2 * len(outcomes) + 1
    assert all((tmp_path / row[key]).is_file() for row in rows_in(page) for key in ("before", "after"))
    assert len({row["reference"]["picture"] for row in rows_in(page)}) == 1
    given_up = RunReport(page, _request(), INLINE + 1)
    given_up.add(outcomes[0])
    given_up.close()
    assert list(files.iterdir()) == [first]
    (files / "note.txt").write_text("of others")
    _report(page, *outcomes)
    assert not first.exists() and len(list(files.iterdir())) == 2
    _report(page, outcomes[0])
    assert [path.name for path in files.iterdir()] == ["note.txt"]


def test_pictures_beside_are_no_photos(
    tmp_path: Path, photos: Path, put_color: Callable[..., Path], auto: Callable[..., Any]
) -> None:
    """Oracle: a run over the folder that holds the page: it finds its photos, not the page's."""
    photo = put_color(tmp_path / "a.png")
    _report(photos / "r.html", *(Finished(Job(photo, photo, f"{n}.png")) for n in range(INLINE + 1)))
    answer = auto(photos, "--dry-run", out=tmp_path / "out")
    assert answer.code == 0 and "4 to colour" in answer.out


def test_a_run_that_ends_early_leaves_nothing(tmp_path: Path, put_color: Callable[..., Path]) -> None:
    """Oracle: the folder: neither half a page nor a file of rows, at no time."""
    photo = put_color(tmp_path / "a.png")
    report = RunReport(tmp_path / "r.html", _request(), 3)
    report.add(Finished(Job(photo, photo, "a.png")))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    report.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_names_stay_text(tmp_path: Path, put_color: Callable[..., Path]) -> None:
    """Oracle: the names given, read back from the page's data; markup in them is never the page's."""
    photo = put_color(tmp_path / "a.png")
    page = _report(
        tmp_path / "r.html",
        Finished(Job(photo, photo, _ODD), (f"note {_ODD}",)),
        Failure(_ODD, "decode", f"reason {_ODD}"),
        Failure("caf\udce9.jpg", "decode", "a name in Latin-1"),
    )
    rows, text = rows_in(page), page.read_text()
    assert [row["name"] for row in rows] == [_ODD, _ODD, "caf\\udce9.jpg"]
    assert "<b>&amp;" not in text and text.count("</script>") == 2
    assert "a &lt;b&gt;&amp;amp;&quot;&#x27;&lt;/script&gt;" in text


def test_ten_thousand_rows(tmp_path: Path) -> None:
    """Oracle: the clock, and tracemalloc: nine times the rows are held in no more memory (100 kB for chance: a row has
    400 bytes, so they would be 3.6 MB)."""

    def made(count: int) -> tuple[float, int]:
        report = RunReport(tmp_path / "r.html", _request(), count)
        started = time.perf_counter()
        tracemalloc.start()
        for n in range(count):
            report.add(Failure(f"folder/photo {n}.jpg", "decode", "the file is damaged or cut short " + "x" * 300))
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        report.write()
        report.close()
        return time.perf_counter() - started, held

    _, few = made(1_000)
    seconds, many = made(10_000)
    assert seconds < 10 and many - few < 100_000
    assert len(rows_in(tmp_path / "r.html")) == 10_000
    assert (tmp_path / "r.html").read_text().split("<main")[0].count("<li><b>") == 100


def test_films_have_their_row(tmp_path: Path, put_color: Callable[..., Path]) -> None:
    """Oracle: the FilmReport as it was given; a film that cannot be opened is told in a note, and stops nothing."""
    photo = put_color(tmp_path / "a.png")
    flicker = Flicker(0.2, 0.4, 0.001, 0.002, 0.001)
    film = FilmReport(48, 2.0, "h264", 11.5, 0, flicker, (ShotReport(0, 48, 0.0, 2.0, 9.5, flicker, "ref.jpg"),))
    from colorcli.items import FilmOptions

    job = Job(photo, tmp_path / "none.mp4", "a.mp4", film=FilmOptions())
    (row,) = rows_in(_report(tmp_path / "r.html", Finished(job, ("kept",), film)))
    assert row["film"]["frames"] == 48 and row["film"]["shots"][0]["reference"] == "ref.jpg"
    assert row["notes"][0] == "kept" and row["notes"][1].startswith("no picture of it can be shown")
    assert "before" not in row


def test_a_films_picture_is_of_its_frames(
    tmp_path: Path, photograph: Callable[..., Any], auto: Callable[..., Any]
) -> None:
    """Oracle: the film's size and what the run tells of it; done before, it still has its pictures."""
    write_film(tmp_path / "a.mp4", pan(photograph, "coffee", 4))
    page = tmp_path / "r.html"
    answer = auto(tmp_path / "a.mp4", "--report", page, "--json", out=tmp_path / "out")
    (row,) = rows_in(page)
    assert row["film"] == json.loads(answer.out.splitlines()[0])["film"] and row["film"]["frames"] == 4
    assert (row["width"], row["height"]) == (64, 48) and row["after"].startswith("data:image/webp")
    auto(tmp_path / "a.mp4", "--report", page, out=tmp_path / "out")
    (row,) = rows_in(page)
    assert row["state"] == "unchanged" and row["after"].startswith("data:image/webp")


def test_figures_where_the_original_is_known() -> None:
    """Oracle: closed form: every channel off by 10 of 255 is 20 log10(25.5) dB; a gray photo has no original."""
    colors = np.random.default_rng(0).integers(20, 200, (40, 60, 3), dtype=np.uint8)
    before, after = pyvips.Image.new_from_array(colors), pyvips.Image.new_from_array(colors + 10)
    found = figures(before, after, knows_truth=True)
    assert found["psnr"] == pytest.approx(20 * np.log10(25.5), abs=1e-4)
    assert found["colourfulness"] == pytest.approx(found["original"]) and 0 < found["ssim"] <= 1
    assert figures(before, after, knows_truth=False).keys() == {"colourfulness", "original"}
    gray = pyvips.Image.new_from_array(np.repeat(colors[..., :1], 3, axis=2))
    assert figures(gray, after, knows_truth=True).keys() == {"colourfulness"}
    assert "psnr" not in figures(before, before, knows_truth=True)  # infinite


def test_settings_are_told_without_paths() -> None:
    """Oracle: what was asked for that is no default; of a path its last name."""
    assert settings_of(_request()) == {}
    told = settings_of(
        _request(saturation=0.8, compare=True, attention=Path("/home/anna/maps"), seed=7, strength=1.0, engine="ray")
    )
    assert told == {"saturation": "0.8", "compare": "yes", "attention": "maps", "seed": "7"}


def test_exemplar_and_stylize_have_the_page(
    photos: Path,
    tmp_path: Path,
    put_color: Callable[..., Path],
    exemplar: Callable[..., Any],
    colorize: Callable[..., Any],
    stylization_weights: tuple[Path, Path],
) -> None:
    """Oracle: each photo's reference, by name and with a picture; a content's own colours are no truth of a style."""
    reference, content = put_color(tmp_path / "ref.png"), put_color(tmp_path / "content" / "a.png", "rocket")
    page = tmp_path / "r.html"
    answer = exemplar(photos / "coffee.png", "--report", page, ref=[reference], out=tmp_path / "out")
    assert answer.code == 0, answer.err
    (row,) = rows_in(page)
    assert row["reference"]["name"] == "ref.png" and row["reference"]["picture"].startswith("data:image/webp")
    assert "<title>colorize exemplar</title>" in page.read_text()
    options = ("--ref", reference, "-o", tmp_path / "styled", "--weights", stylization_weights[0], "-d", "cpu")
    answer = colorize("stylize", content, *options, "--report", page)
    assert answer.code == 0, answer.err
    (row,) = rows_in(page)
    assert row["figures"].keys() == {"colourfulness", "original"}
    assert "<title>colorize stylize</title>" in page.read_text()
