"""colorize auto: what it says where, and what it does not do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorcli.checkpoints import store
from colorcli.checkpoints.manifest import Entry, write_manifest
from colorcli.media.places import sha256_of

Call = Callable[..., "object"]
_NAMES = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.png"]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of shipped weights in the place of the real one."""
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / "shipped" / name)
    folder = tmp_path / "shipped" / "weights"
    folder.mkdir(parents=True)
    write_manifest(folder / "manifest.toml", [])
    return folder


def _ship(folder: Path, weights: Path, method: str = "smsanet") -> Path:
    name = f"{method}-compact.safetensors"
    (folder / name).write_bytes(weights.read_bytes())
    entry = Entry(name, method, "compact", sha256_of(weights), weights.stat().st_size, "MIT", "a test")
    write_manifest(folder / "manifest.toml", [entry])
    return folder / name


def test_shipped_weights_are_taken_without_being_named(
    shipped: Path, tiny_weights: Path, photos: Path, tmp_path: Path, colorize: Call, auto: Call, files_in: Call
) -> None:
    """Oracle: the same file named with --weights gives the same bytes."""
    _ship(shipped, tiny_weights)
    assert colorize("auto", photos, "-o", tmp_path / "a", "-d", "cpu").code == 0
    assert auto(photos, out=tmp_path / "b").code == 0
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")


@pytest.mark.usefixtures("shipped")
def test_no_shipped_weights_exit_4(photos: Path, tmp_path: Path, colorize: Call) -> None:
    """Oracle: exit 4, what to do, and no output folder."""
    answer = colorize("auto", photos, "-o", tmp_path / "out")
    assert answer.code == 4 and answer.out == ""
    assert "colorize train" in answer.err and "--weights" in answer.err
    assert not (tmp_path / "out").exists()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink], ids=["cut", "one bit", "missing"])
def test_damaged_shipped_weights_exit_4(
    damage: Callable[[Path], None], shipped: Path, tiny_weights: Path, photos: Path, tmp_path: Path, colorize: Call
) -> None:
    """Oracle: one flipped bit, a cut file and a missing one are all refused before any photo, with the mend."""
    damage(_ship(shipped, tiny_weights))
    answer = colorize("auto", photos, "-o", tmp_path / "out")
    assert answer.code == 4
    assert (
        "smsanet-compact.safetensors" in answer.err
        and "git checkout -- weights && pip install --force-reinstall" in answer.err
    )
    assert not (tmp_path / "out").exists()


def test_a_missing_manifest_exits_4(shipped: Path, photos: Path, tmp_path: Path, colorize: Call) -> None:
    """Oracle: a half-installed package says so."""
    (shipped / "manifest.toml").unlink()
    answer = colorize("auto", photos, "-o", tmp_path / "out")
    assert answer.code == 4 and "install colorize again" in answer.err


@pytest.mark.parametrize("content", [None, b"not weights"], ids=["missing", "damaged"])
def test_named_weights_that_are_none_exit_4(content: bytes | None, photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: exit 4; the file is named."""
    path = tmp_path / "my.safetensors"
    if content is not None:
        path.write_bytes(content)
    answer = auto(photos, out=tmp_path / "out", weights=path)
    assert answer.code == 4 and "my.safetensors" in answer.err and "Traceback" not in answer.err


def test_an_unknown_method_exits_2(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the message names the methods that there are."""
    answer = auto(photos, "-m", "nonsense", out=tmp_path / "out")
    assert answer.code == 2 and "smsanet" in answer.err and "siggraph17" in answer.err


def _tree(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-m", "nonsense"], "no method is called"),
        (["-m", "color2embed"], "needs a reference photo: `colorize exemplar TARGET --ref REF` takes one"),
        (["-d", "toaster"], "no device is called"),
        (["--precision", "fp8"], "precision must be"),
        (["--hint", "1,1,#ff0000"], "takes no hints"),
        (["--save-attention", "maps"], "has no attention map"),
    ],
)
@pytest.mark.parametrize("content", [None, b"", b"no picture"], ids=["no photo", "only a failure", "a photo"])
def test_a_wrong_request_is_told_whatever_the_files(
    content: bytes | None, options: list[str], words: str, tmp_path: Path, colorize: Call
) -> None:
    """Oracle: exit 2 of product.md, also where there is nothing to do or nothing but failures (exit 0 and 3 else)."""
    (tmp_path / "in").mkdir()
    if content is not None:
        (tmp_path / "in" / "a.jpg").write_bytes(content)
    for more in ([], ["--dry-run"]):
        answer = colorize("auto", tmp_path / "in", "-o", tmp_path / "out", *options, *more)
        assert answer.code == 2 and words in answer.err and "FAILED" not in answer.err
    assert not (tmp_path / "out").exists()


def test_drawings_without_a_photo_are_told_once(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: one line at the usual verbosity, with three of the names; at -v each in its own line; none under -q."""
    for name in ("a", "b", "c", "d", "coffee"):
        (photos / f"{name}.hints.png").write_bytes(b"drawing")
    answer = auto(photos, "--fail-fast", out=tmp_path / "out")
    (line,) = [line for line in answer.err.splitlines() if "no photo of th" in line]
    assert line == (
        "4 .hints.png file(s) have no photo of their name: a.hints.png, b.hints.png, c.hints.png and 1 more"
    )
    told = auto(photos, "-v", out=tmp_path / "out").err
    assert told.count("no photo of that name") == 4 and "coffee.hints.png: skipped, colour hints, not a photo" in told
    assert "no photo of" not in auto(photos, "-q", out=tmp_path / "out").err


def test_dry_run_writes_nothing(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the file tree before and after; stdout lists each photo with its target, then the count."""
    (photos / "notes.txt").write_text("no photo")
    before = _tree(tmp_path)
    answer = auto(photos, "--dry-run", out=tmp_path / "out")
    assert answer.code == 0
    assert _tree(tmp_path) == before
    *lines, summary = answer.out.splitlines()
    assert lines == [f"{name} -> {tmp_path / 'out' / name}" for name in _NAMES]
    assert summary == f"4 to colour, 0 done before, 0 failed, 1 skipped -> {tmp_path / 'out'}"
    assert "notes.txt: skipped, not a photo or film" in answer.err


def test_dry_run_foretells_what_the_run_does(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the run itself, file by file: done before, changed since, removed, foreign, too large, no photo, not
    found; the dry run before it leaves the output folder as it was, the ledger included."""
    out = tmp_path / "out"
    arguments = (photos, tmp_path / "nowhere.jpg", "--max-pixels", "19999", "--json")
    assert auto(*arguments, out=out).code == 3
    (photos / "chelsea.png").write_bytes((photos / "rocket.png").read_bytes())
    (out / "photos" / "coffee.png").write_bytes(b"a file of mine")
    (out / "photos" / "rocket.png").unlink()
    Image.new("L", (200, 100)).save(photos / "large.png")
    (photos / "bad.png").write_bytes(b"no picture")
    (photos / "notes.txt").write_text("no photo")

    def states(answer: object) -> tuple[dict[str, tuple[str, str]], dict[str, int]]:
        *entries, summary = map(json.loads, answer.out.splitlines())  # type: ignore[attr-defined]
        told = {entry["file"]: (entry["state"], entry.get("reason", entry.get("result"))) for entry in entries}
        assert len(told) == len(entries)
        return told, summary["summary"]

    before = _tree(tmp_path)
    foretold = auto(*arguments, "--dry-run", out=out)
    assert _tree(tmp_path) == before
    done = auto(*arguments, out=out)
    assert foretold.code == done.code == 3
    told, summary = states(foretold)
    expected, counts = states(done)
    assert told == {
        file: ("planned" if state == "done" else state, reason) for file, (state, reason) in expected.items()
    }
    assert summary == {"planned": counts.pop("done"), **counts}
    assert summary == {"planned": 2, "unchanged": 1, "failed": 4, "skipped": 1}


def test_dry_run_stops_where_fail_fast_does(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the order of names: the photo before the bad one, that one, and none behind it; where files are not
    found, what the run itself tells: each of these, and no photo."""
    (photos / "b.png").write_bytes(b"no picture")  # behind astronaut.png, before three others
    how = ("--fail-fast", "--json", "-j", "1")
    *told, summary = map(json.loads, auto(photos, *how, "--dry-run", out=tmp_path / "out").out.splitlines())
    assert [(entry["file"], entry["state"]) for entry in told] == [("astronaut.png", "planned"), ("b.png", "failed")]
    assert summary["summary"] == {"planned": 1, "unchanged": 0, "failed": 1, "skipped": 0}
    missing = [tmp_path / name for name in ("x.png", "y.png")]
    foretold, done = (auto(photos, *missing, *how, *more, out=tmp_path / "o") for more in (("--dry-run",), ()))
    assert foretold.code == done.code == 3
    assert foretold.out.splitlines()[:-1] == done.out.splitlines()[:-1]
    assert [json.loads(line)["file"] for line in done.out.splitlines()[:-1]] == list(map(str, missing))


def test_dry_run_without_weights_exits_4(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the run would end so, before any photo."""
    answer = auto(photos, "--dry-run", out=tmp_path / "out", weights=tmp_path / "nowhere.safetensors")
    assert answer.code == 4 and answer.out == "" and "nowhere.safetensors" in answer.err


def test_dry_run_quiet_says_only_failures(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: nothing where all would go well; the file that would fail otherwise."""
    (photos / "notes.txt").write_text("no photo")
    answer = auto(photos, "--dry-run", "-q", out=tmp_path / "out")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    answer = auto(photos, tmp_path / "nowhere.jpg", "--dry-run", "-q", out=tmp_path / "out")
    assert answer.code == 3 and answer.out == "" and [line.count("nowhere.jpg") for line in answer.err.splitlines()]


def test_dry_run_of_names_that_are_no_text(tmp_path: Path, put_photo: Callable[..., Path], tiny_weights: Path) -> None:
    """Oracle: a strict UTF-8 stdout, as most terminals' locales give, must not raise."""
    try:
        put_photo(tmp_path / "photos" / os.fsdecode(b"\xe9\n.png"))
    except OSError:
        pytest.skip("this file system refuses the name")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "colorcli", "auto", tmp_path / "photos", "-o", tmp_path / "out", "--dry-run"),
            *("--weights", tiny_weights, "-d", "cpu"),
        ],
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 1, done.stderr  # the method and the device
    assert b"\\udce9\\n.png" in done.stdout and len(done.stdout.splitlines()) == 2


def test_json_lines(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: json.loads of every line of stdout; one entry per file, then the summary; progress is on stderr."""
    (photos / "bad.png").write_bytes(b"no picture")
    answer = auto(photos, "--json", out=tmp_path / "out")
    assert answer.code == 3
    *entries, summary = map(json.loads, answer.out.splitlines())
    assert {entry["file"]: entry["state"] for entry in entries} == {
        **dict.fromkeys(_NAMES, "done"),
        "bad.png": "failed",
    }
    for entry in entries:
        assert (
            ("reason" in entry and entry["stage"] == "decode")
            if entry["state"] == "failed"
            else Path(entry["result"]).is_file()
        )
    assert summary == {"summary": {"done": 4, "unchanged": 0, "failed": 1, "skipped": 0}, "out": str(tmp_path / "out")}
    assert "[5/5]" in answer.err
    again = [json.loads(line) for line in auto(photos, "--json", out=tmp_path / "out").out.splitlines()]
    assert sorted(entry.get("state", "summary") for entry in again) == ["failed", *["summary"], *["unchanged"] * 4]


def test_stdout_is_the_result_and_stderr_the_progress(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: product.md: one summary line on stdout; device, and a numbered line per file, on stderr."""
    answer = auto(photos, out=tmp_path / "out")
    assert answer.out == f"4 coloured, 0 done before, 0 failed, 0 skipped -> {tmp_path / 'out'}\n"
    lines = answer.err.splitlines()
    assert lines[0].startswith("SMSANet at 64 px on ")
    assert [line.split()[0] for line in lines[1:]] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert sorted(line.split()[1] for line in lines[1:]) == _NAMES


def test_quiet_says_only_failures(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: nothing at all when all went well; the failed file otherwise."""
    assert (auto(photos, "-q", out=tmp_path / "out").out, auto(photos, "-q", out=tmp_path / "b").err) == ("", "")
    (photos / "bad.png").write_bytes(b"no picture")
    answer = auto(photos, "-q", out=tmp_path / "out")
    assert answer.code == 3 and answer.out == "" and len(answer.err.splitlines()) == 1 and "bad.png" in answer.err


def test_verbose_names_what_was_skipped(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: -v names it, without -v it is counted."""
    (photos / "notes.txt").write_text("no photo")
    plain = auto(photos, out=tmp_path / "out")
    assert "notes.txt" not in plain.err and "1 skipped" in plain.out
    assert "notes.txt: skipped, not a photo or film" in auto(photos, "-v", out=tmp_path / "out").err


def test_an_older_output_folder_is_skipped_as_what_it_is(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: -v and --json say that it is an earlier run's, not that it is no photo."""
    assert auto(photos, out=photos / "older").code == 0
    answer = auto(photos, "-v", "--json", out=tmp_path / "out")
    assert "older: skipped, an output folder of an earlier run" in answer.err
    entries = [json.loads(line) for line in answer.out.splitlines()]
    assert [entry["file"] for entry in entries if entry.get("state") == "skipped"] == ["older"]


def test_what_a_shell_makes_of_a_star_runs_twice(photos: Path, auto: Call) -> None:
    """Oracle: `colorize auto in/* -o in/out` after the first run names in/out as well: nothing to do, exit 0."""
    out = photos / "out"
    assert auto(*sorted(photos.iterdir()), out=out).code == 0
    again = auto(*sorted(photos.iterdir()), out=out)
    assert again.code == 0 and "0 coloured, 4 done before, 0 failed, 1 skipped" in again.out


def test_an_empty_folder_is_no_error(tmp_path: Path, auto: Call) -> None:
    """Oracle: exit 0: nothing to do."""
    (tmp_path / "photos").mkdir()
    answer = auto(tmp_path / "photos", out=tmp_path / "out")
    assert answer.code == 0 and answer.out.startswith("0 coloured")


def test_saturation_scales_colour(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: 0 is gray exactly (R = G = B); the spread of the channels grows with the factor."""
    spreads = []
    for factor in ("0", "0.5", "1"):
        auto(photos / "coffee.png", "--saturation", factor, out=tmp_path / factor)
        pixels = np.asarray(Image.open(tmp_path / factor / "coffee.png")).astype(int)
        spreads.append((pixels.max(-1) - pixels.min(-1)).mean())
    assert spreads[0] == 0 and 0 < spreads[1] < spreads[2]


@pytest.mark.parametrize(("format", "kind"), [("jpg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF"), ("same", "PNG")])
def test_format(format: str, kind: str, photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: Pillow's reading of the result."""
    auto(photos / "coffee.png", "--format", format, out=tmp_path / "out")
    (result,) = (tmp_path / "out").glob("coffee.*")
    assert Image.open(result).format == kind and Image.open(result).size == (96, 96)


def test_quality_makes_smaller_files(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: bytes: JPEG at 30 against 95, of the same photo."""
    sizes = []
    for quality in ("30", "95"):
        auto(photos / "coffee.png", "--format", "jpg", "--quality", quality, out=tmp_path / quality)
        sizes.append((tmp_path / quality / "coffee.jpg").stat().st_size)
    assert sizes[0] < sizes[1] / 2


def test_compare_puts_before_beside_after(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the picture's left half is gray as the source, its right half coloured; the result is there as well."""
    auto(photos / "coffee.png", "--compare", out=tmp_path / "out")
    assert (tmp_path / "out" / "coffee.png").is_file()
    both = np.asarray(Image.open(tmp_path / "out" / "coffee.png.compare.jpg")).astype(int)
    spread = (both.max(-1) - both.min(-1)).mean(0)
    assert both.shape == (96, 200, 3)  # 96 + 8 + 96
    assert spread[:90].mean() < 2 < 15 < spread[110:].mean()


def test_no_recursive_stays_in_the_folder(photos: Path, tmp_path: Path, auto: Call, put_photo: Call) -> None:
    """Oracle: the tree: a photo in a subfolder is coloured by default only."""
    put_photo(photos / "sub" / "deep.png")
    assert "4 coloured" in auto(photos, "--no-recursive", out=tmp_path / "flat").out
    assert "5 coloured" in auto(photos, out=tmp_path / "tree").out
    assert (tmp_path / "tree" / "sub" / "deep.png").is_file() and not (tmp_path / "flat" / "sub").exists()


def test_provenance_can_be_left_out(photos: Path, tmp_path: Path, auto: Call, tiny_weights: Path) -> None:
    """Oracle: the weights' sha256 in the result's bytes (JPEG keeps XMP as plain text), or not."""
    auto(photos / "coffee.png", "--format", "jpg", out=tmp_path / "with")
    auto(photos / "coffee.png", "--format", "jpg", "--no-provenance", out=tmp_path / "without")
    mark = sha256_of(tiny_weights).encode()
    assert mark in (tmp_path / "with" / "coffee.jpg").read_bytes()
    assert mark not in (tmp_path / "without" / "coffee.jpg").read_bytes()


def test_an_output_folder_that_is_a_file_exits_1(photos: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: one line with the reason, exit 1."""
    (tmp_path / "out").touch()
    answer = auto(photos, out=tmp_path / "out")
    assert answer.code == 1 and "cannot write into the output folder" in answer.err
