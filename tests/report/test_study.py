"""A study: its questions, what answers come to, and the command."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from colorcli.cli.bench.study import study
from colorcli.errors import UsageError
from colorcli.report.study import FORMAT, NATURAL, PREFER, items, tally, wilson
from colorcli.report.study_page import labels, matched


def call(*arguments: object) -> Any:
    """The command line of `study` alone."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(study)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.mark.parametrize(("chosen", "shown"), [(1, 10), (5, 10), (93, 100), (1398, 1500)])
def test_the_interval_is_where_the_share_is_at_its_border(chosen: int, shown: int) -> None:
    """Oracle: Wilson's definition: an end p is where the share lies 1.96 standard deviations of p away from p."""
    for end in wilson(chosen, shown):
        assert abs(chosen / shown - end) == pytest.approx(1.959963984540054 * math.sqrt(end * (1 - end) / shown))


def test_the_interval_at_its_ends() -> None:
    """Oracle: closed form z^2 / (n + z^2) of no success; its mirror image; everything where nobody answered."""
    z2 = 1.959963984540054**2
    assert wilson(0, 12) == pytest.approx((0.0, z2 / (12 + z2)))
    assert wilson(12, 12) == pytest.approx((12 / (12 + z2), 1.0))
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("photos", "folders"), [(1, 1), (7, 3), (10, 5), (3, 4)])
def test_questions_of_naturalness_are_balanced(photos: int, folders: int) -> None:
    """Oracle: counting: each result once; in each round each photo once and folders equally often, give or take one."""
    asked = items(NATURAL, photos, folders, 3)
    shown = [(item.photo, *item.folders) for item in asked]
    assert sorted(shown) == [(photo, folder) for photo in range(photos) for folder in range(folders)]
    for start in range(0, len(asked), photos):
        turn = shown[start : start + photos]
        assert sorted(photo for photo, _ in turn) == list(range(photos))
        counts = Counter(folder for _, folder in turn)
        assert max(counts.values()) - min(counts.get(folder, 0) for folder in range(folders)) <= 1


@pytest.mark.parametrize(("photos", "folders"), [(9, 2), (5, 3), (8, 4)])
def test_questions_of_preference_are_balanced(photos: int, folders: int) -> None:
    """Oracle: counting: each pair of each photo once; of each pair each is left as often, give or take one."""
    asked = items(PREFER, photos, folders, 3)
    pairs = list(combinations(range(folders), 2))
    found = sorted((item.photo, *sorted(item.folders)) for item in asked)
    assert found == [(photo, *pair) for photo in range(photos) for pair in pairs]
    lefts = Counter(item.folders for item in asked)
    assert all(abs(lefts[pair] - lefts[pair[::-1]]) <= 1 for pair in pairs)


def test_the_order_is_the_seeds() -> None:
    """Oracle: the same seed, the same order; another, another; never that of the photos and folders."""
    assert items(NATURAL, 20, 3, 1) == items(NATURAL, 20, 3, 1) != items(NATURAL, 20, 3, 2)
    shown = [(item.photo, *item.folders) for item in items(NATURAL, 20, 3, 1)]
    assert shown != sorted(shown)
    with pytest.raises(UsageError, match="two or more"):
        items(PREFER, 20, 1, 1)


def _answers(path: Path, kind: str, folders: list[str], given: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"format": FORMAT, "kind": kind, "seed": 0, "folders": folders, "answers": given}))
    return path


def _natural(folder: int, natural: bool) -> dict[str, Any]:
    return {"photo": 0, "folders": [folder], "natural": natural}


def test_naturalness_is_counted_over_observers(tmp_path: Path) -> None:
    """Oracle: counted by hand: 3 of 4 and 0 of 1, by two people."""
    first = [_natural(0, True), _natural(0, True), _natural(0, False), _natural(1, False)]
    files = [
        _answers(tmp_path / "a.json", NATURAL, ["ours", "gray"], first),
        _answers(tmp_path / "b.json", NATURAL, ["ours", "gray"], [_natural(0, True)]),
    ]
    told = tally(files)
    assert told.observers == 2 and told.pairs == []
    assert [(row.folder, row.shown, row.chosen, row.share) for row in told.rows] == [
        ("ours", 4, 3, 0.75),
        ("gray", 1, 0, 0),
    ]
    assert (told.rows[0].low, told.rows[0].high) == wilson(3, 4)
    answer = call("--tally", *files)
    assert answer.exit_code == 0 and "75.0%" in answer.stdout and "found natural" in answer.stdout
    (row, _) = json.loads(call("--tally", *files, "--json").stdout)["rows"]
    assert row == {"folder": "ours", "shown": 4, "chosen": 3, "share": 0.75, "low": row["low"], "high": row["high"]}


def test_preferences_are_counted_by_folder_and_pair(tmp_path: Path) -> None:
    """Oracle: counted by hand: a beats b twice (once from the right), c beats a once."""
    given = [
        {"photo": 0, "folders": [0, 1], "preferred": 0},
        {"photo": 1, "folders": [1, 0], "preferred": 0},
        {"photo": 2, "folders": [0, 2], "preferred": 2},
    ]
    told = tally([_answers(tmp_path / "a.json", PREFER, ["a", "b", "c"], given)])
    assert [(row.folder, row.chosen, row.shown) for row in told.rows] == [("a", 2, 3), ("b", 0, 2), ("c", 1, 1)]
    assert [(row.folder, row.chosen, row.shown) for row in told.pairs] == [("a over b", 2, 2), ("a over c", 0, 1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no answers"),
        (json.dumps({"format": FORMAT, "kind": "colour"}), "holds no answers"),
        (json.dumps({"format": FORMAT, "kind": NATURAL, "folders": ["a"], "answers": [_natural(1, True)]}), "damaged"),
        (json.dumps({"format": FORMAT, "kind": NATURAL, "folders": ["a"], "answers": [_natural(0, 3)]}), "damaged"),  # type: ignore[arg-type]
        (
            json.dumps({"format": FORMAT, "kind": PREFER, "folders": ["a", "b"], "answers": [{"folders": [0, 0]}]}),
            "damaged",
        ),
        (json.dumps({"format": FORMAT, "kind": NATURAL, "folders": ["other"], "answers": []}), "of another study"),
    ],
)
def test_what_are_no_answers_is_refused(text: str, words: str, tmp_path: Path) -> None:
    """Oracle: exit 2 and a reason that names the file."""
    sound = _answers(tmp_path / "sound.json", NATURAL, ["a"], [])
    (tmp_path / "a.json").write_text(text)
    answer = call("--tally", sound, tmp_path / "a.json")
    assert answer.exit_code == 2 and words in answer.stderr and "a.json" in answer.stderr and answer.stdout == ""


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    """Oracle: exit 2: the observer would count double."""
    sound = _answers(tmp_path / "sound.json", NATURAL, ["a"], [])
    assert call("--tally", sound, sound).exit_code == 2


def test_photos_are_matched_by_name(tmp_path: Path, put_color: Callable[..., Path]) -> None:
    """Oracle: paths without extension that both folders have; comparisons and hidden files are none."""
    put_color(tmp_path / "one" / "a.png")
    put_color(tmp_path / "one" / "deep" / "b.jpg")
    put_color(tmp_path / "one" / "alone.png")
    put_color(tmp_path / "one" / ".hidden.png")
    put_color(tmp_path / "two" / "a.jpg")
    put_color(tmp_path / "two" / "a.jpg.compare.jpg")
    put_color(tmp_path / "two" / "deep" / "b.png")
    said: list[str] = []
    names, rows = matched([tmp_path / "one", tmp_path / "two"], said.append)
    assert names == ["a", "deep/b"]
    assert rows[1] == [tmp_path / "one" / "deep" / "b.jpg", tmp_path / "two" / "deep" / "b.png"]
    assert said == [f"left out: 1 photo(s) of {tmp_path / 'one'} that are not in all folders"]
    put_color(tmp_path / "two" / "a.png")
    with pytest.raises(UsageError, match="have one name"):
        matched([tmp_path / "one", tmp_path / "two"], said.append)


def test_folders_are_told_apart_by_the_ends_of_their_paths(tmp_path: Path) -> None:
    """Oracle: by hand: as little of the path as tells them apart."""
    assert labels([tmp_path / "x" / "ours", tmp_path / "y" / "gray"]) == ["ours", "gray"]
    assert labels([tmp_path / "x" / "out", tmp_path / "y" / "out"]) == ["x/out", "y/out"]
    with pytest.raises(UsageError, match="named twice"):
        labels([tmp_path / "x", tmp_path / "y" / ".." / "x"])


def test_the_page_hides_whose_results_they_are(tmp_path: Path, put_color: Callable[..., Path]) -> None:
    """Oracle: what a browser shows of the file (all but scripts) has no folder's name; one size and kind of picture;
    the data knows the seed, so that the order can be made again. --limit draws photos."""
    for folder in ("ours", "theirs"):
        for n in range(4):
            put_color(tmp_path / folder / f"{n}.png", width=60 if folder == "ours" else 48)
    page = tmp_path / "study.html"
    answer = call(tmp_path / "ours", tmp_path / "theirs", "-o", page, "--seed", 5, "--limit", 3)
    assert answer.exit_code == 0 and "6 questions about 2 folders" in answer.stdout
    text = page.read_text()
    shown = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert "ours" not in shown.replace("yours", "") and "theirs" not in shown
    data = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', text, re.DOTALL)
    told = {key: json.loads(value) for key, value in data}
    assert told["study"]["folders"] == ["ours", "theirs"] and told["study"]["seed"] == 5
    assert [*map(tuple, told["study"]["items"])] == [(i.photo, list(i.folders)) for i in items(NATURAL, 3, 2, 5)]
    assert [len(row) for row in told["pictures"]] == [2, 2, 2]
    assert str(tmp_path) not in text and "http:" not in text and "https:" not in text


def test_a_study_does_not_replace_what_is_of_others(tmp_path: Path, put_color: Callable[..., Path]) -> None:
    """Oracle: exit 1 and the file as it was; --tally takes no page."""
    put_color(tmp_path / "a" / "1.png")
    (tmp_path / "mine.html").write_text("mine")
    assert call(tmp_path / "a", "-o", tmp_path / "mine.html").exit_code == 1
    assert (tmp_path / "mine.html").read_text() == "mine"
    assert call("--tally", tmp_path / "a.json", "-o", tmp_path / "x.html").exit_code == 2
    assert call(tmp_path / "none", "-o", tmp_path / "x.html").exit_code == 2
