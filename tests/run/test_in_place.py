"""Results that take their photos' own places: never twice, never half, and nothing else is lost with the photo."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorcli.errors import PhotoError
from colorcli.items import Job
from colorcli.media.places import BESIDE_LEDGER, comparison_path, part_path
from colorcli.run.ledger import Ledger
from colorcli.run.marks import Standing

Call = Callable[..., "object"]
_LATER = 10**9  # ns added to a file's time where a test must not hang on the clock's grain


@pytest.fixture
def in_place(colorize: Call, tiny_weights: Path) -> Call:
    def call(*arguments: object) -> object:
        return colorize("auto", *arguments, "--in-place", "--weights", tiny_weights, "-d", "cpu", "--batch", 1)

    return call


def _notes(answer: object) -> dict[str, str]:
    """Of a run with --json: its files' states, each with its notes or its reason."""
    lines = [json.loads(line) for line in answer.out.splitlines()[:-1]]  # type: ignore[attr-defined]
    return {line["file"]: " ".join((line["state"], line.get("reason", ""), *line.get("notes", ()))) for line in lines}


def test_in_place_is_what_an_output_folder_gets_and_stays(
    photos: Path, tmp_path: Path, auto: Call, in_place: Call, files_in: Call
) -> None:
    """Oracle: the bytes of the results in an output folder; a second run changes none of them, nor does one with other
    settings, which says so; only --overwrite colours a coloured photo."""
    (photos / "coffee.png").chmod(0o640)
    assert auto(photos, "--batch", 1, out=tmp_path / "out").code == 0
    first = in_place(photos)
    assert first.code == 0 and "4 coloured" in first.out and "own places" in first.out
    made = files_in(photos)
    assert made == files_in(tmp_path / "out")
    assert stat.S_IMODE((photos / "coffee.png").stat().st_mode) == 0o640
    again = in_place(photos)
    assert again.code == 0 and "4 done before" in again.out and "note" not in again.err
    other = in_place(photos, "--saturation", 2, "--json")
    assert other.code == 0 and all("other settings" in told for told in _notes(other).values())
    assert files_in(photos) == made
    assert "4 coloured" in in_place(photos, "--saturation", 2, "--overwrite").out
    assert files_in(photos).keys() == made.keys() and files_in(photos) != made


def test_a_folder_that_was_copied_is_done(photos: Path, tmp_path: Path, in_place: Call) -> None:
    """Oracle: content decides, whatever the times say; a photo from a backup is coloured again."""
    shutil.copytree(photos, tmp_path / "backup")
    assert in_place(photos).code == 0
    shutil.copytree(photos, tmp_path / "copy", copy_function=shutil.copyfile)
    assert "4 done before" in in_place(tmp_path / "copy").out
    shutil.copyfile(tmp_path / "backup" / "coffee.png", photos / "coffee.png")
    assert "1 coloured, 3 done before" in in_place(photos).out


def test_a_retouched_result_stays(photos: Path, in_place: Call) -> None:
    """Oracle: a person's work on a result fails by name and keeps its bytes; --overwrite gives it away."""
    assert in_place(photos).code == 0
    Image.new("RGB", (96, 96), (10, 90, 200)).save(photos / "coffee.png")
    mine = (photos / "coffee.png").read_bytes()
    answer = in_place(photos, "--json")
    assert answer.code == 3 and "changed since: --overwrite" in _notes(answer)["coffee.png"]
    assert (photos / "coffee.png").read_bytes() == mine
    assert "1 coloured, 3 done before" in in_place(photos, "--overwrite").out


def test_a_dry_run_writes_nothing(photos: Path, in_place: Call, files_in: Call) -> None:
    """Oracle: the bytes before; no ledger."""
    before = files_in(photos)
    assert "4 to colour" in in_place(photos, "--dry-run").out
    assert files_in(photos) == before and not (photos / BESIDE_LEDGER).exists()


def test_a_comparison_shows_the_photo_as_it_was(photos: Path, in_place: Call) -> None:
    """Oracle: its left half is gray, JPEG's rounding aside; a second run neither takes it for a photo nor for damage
    when it is gone."""
    assert in_place(photos, "--compare").code == 0
    for path in sorted(photos.glob("*.png")):
        halves = np.asarray(Image.open(comparison_path(path)).convert("RGB")).astype(int)
        left = halves[:, : halves.shape[1] // 3]
        right = halves[:, -halves.shape[1] // 3 :]
        assert np.ptp(left, axis=2).max() <= 4 < np.ptp(right, axis=2).mean()
    comparison_path(photos / "coffee.png").unlink()
    assert "4 done before" in in_place(photos, "--compare").out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "out"), "-o: results go there"),
        (("--format", "png"), "--format"),
        (("--report", "r.html"), "--report"),
        (("-m", "agin", "--save-attention", "maps"), "--save-attention"),
        (("--engine", "ray"), "--engine ray"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_has_no_room_in_a_photos_place(
    options: tuple[str, ...], words: str, photos: Path, colorize: Call, files_in: Call
) -> None:
    """Oracle: exit 2, which names the option; the photos' bytes."""
    before = files_in(photos)
    answer = colorize("auto", photos, "--in-place", *options)
    assert answer.code == 2 and words in answer.err
    assert files_in(photos) == before


def test_a_reference_in_place(photos: Path, colorize: Call, exemplar_weights: Path, put_color: Call) -> None:
    """Oracle: one result each and the reference as it was; two references or samples have no room (exit 2)."""
    reference = put_color(photos / "reference.png")
    other = put_color(photos / "other.png", "chelsea")
    kept = reference.read_bytes()
    said = ("exemplar", photos, "--in-place", "--weights", exemplar_weights, "-d", "cpu")
    several = colorize(*said, "--ref", reference, "--ref", other)
    assert several.code == 2 and "one result of a photo" in several.err
    assert colorize(*said, "--ref", reference, "--samples", 2, "-m", "multimodal").code == 2
    other.unlink()
    assert "4 coloured" in colorize(*said, "--ref", reference).out
    assert "4 done before" in colorize(*said, "--ref", reference).out
    assert reference.read_bytes() == kept


def test_photos_that_cannot_give_their_place(
    photos: Path, tmp_path: Path, photograph: Call, in_place: Call, files_in: Call
) -> None:
    """Oracle: each is named with its reason and keeps its bytes, the link stays a link; the others are coloured."""
    gray = photograph("coffee", 40, 30)[..., 0]
    Image.fromarray(gray).save(photos / "a.pgm")
    Image.fromarray(gray).save(photos / "moving.gif", save_all=True, append_images=[Image.fromarray(gray[::-1])])
    Image.fromarray(gray.astype(np.uint16) << 8).save(photos / "deep.jp2")  # a result of 8 bits
    (photos / "film.mp4").write_bytes(b"film")
    (photos / "a.heic").write_bytes(b"heic")
    shutil.copy(photos / "coffee.png", photos / "kept.png")
    (photos / "kept.png").chmod(0o444)
    shutil.copy(photos / "coffee.png", tmp_path / "elsewhere.png")
    (photos / "link.png").symlink_to(tmp_path / "elsewhere.png")
    before = files_in(photos) | files_in(tmp_path)
    expected = {
        "a.pgm": "holds no colour",
        "moving.gif": "a film",
        "film.mp4": "a film",
        "a.heic": "cannot be written as HEIC",
        "kept.png": "read-only",
        "link.png": "a link to",
        "deep.jp2": "16 bits became 8",
    }
    answer = in_place(photos, "--json")
    told = _notes(answer)
    assert answer.code == 3
    for name, words in expected.items():
        assert told[name].startswith("failed") and words in told[name] and "-o OUT" in told[name], name
        assert (photos / name).read_bytes() == before[name]
    assert (photos / "link.png").is_symlink() and (tmp_path / "elsewhere.png").read_bytes() == before["elsewhere.png"]
    assert {name for name, words in told.items() if words.startswith("done")} == told.keys() - expected.keys()


def test_a_hard_links_other_names_keep_the_photo(photos: Path, tmp_path: Path, in_place: Call) -> None:
    """Oracle: the other name's bytes; a note; the same file named by two paths is coloured once."""
    os.link(photos / "coffee.png", tmp_path / "other.png")
    before = (tmp_path / "other.png").read_bytes()
    (tmp_path / "way").symlink_to(photos)
    told = _notes(in_place(photos, tmp_path / "way" / "coffee.png", "--json"))
    assert told["photos/coffee.png"].startswith("done") and "1 other name(s)" in told["photos/coffee.png"]
    assert told["coffee.png"].startswith("failed") and "under another path" in told["coffee.png"]
    assert (tmp_path / "other.png").read_bytes() == before != (photos / "coffee.png").read_bytes()


# what a kill leaves, step by step


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    return Job(tmp_path / "a.jpg", tmp_path / "a.jpg", "a.jpg")


def _ledger(job: Job, settings: str = "settings") -> Ledger:
    return Ledger(job.target.parent, settings, file=job.target.parent / BESIDE_LEDGER)


def _killed(job: Job, *, sealed: bool, renamed: bool, settings: str = "settings") -> None:
    """What a run does with the photo up to a moment."""
    ledger = _ledger(job, settings)
    ledger.begin(job, ledger.look(job).mark)
    part = part_path(job.target)
    part.write_bytes(f"result {settings}".encode())
    if sealed:
        ledger.seal(job, (part,))
    if renamed:
        part.replace(job.target)
    ledger.close()


def _standing(job: Job, settings: str = "settings") -> Standing:
    ledger = _ledger(job, settings)
    try:
        return ledger.look(job).standing
    finally:
        ledger.close()


@pytest.mark.parametrize("sealed", [False, True])
def test_killed_before_the_place_was_taken(job: Job, sealed: bool) -> None:
    """Oracle: the photo is there as it was: to be coloured, also where a person has put another there meanwhile; but
    not where that may be a retouched result."""
    _killed(job, sealed=sealed, renamed=False)
    assert _standing(job) is Standing.STALE
    job.target.write_bytes(b"another photo")
    assert _standing(job) is (Standing.FOREIGN if sealed else Standing.STALE)


def test_killed_when_the_place_was_taken(job: Job) -> None:
    """Oracle: the result is known although nothing was noted after it took the place, and then is noted."""
    _killed(job, sealed=True, renamed=True)
    assert _standing(job, "other settings") is Standing.KEPT
    assert _standing(job) is Standing.DONE
    ledger = _ledger(job)
    assert ledger.leftovers() == []
    ledger.close()


def test_a_killed_overwriting_asks_again(job: Job) -> None:
    """Oracle: a result of other settings that was to be coloured once more is not coloured without being asked."""
    _killed(job, sealed=True, renamed=True)
    assert _standing(job) is Standing.DONE
    _killed(job, sealed=True, renamed=False, settings="other")
    assert _standing(job, "other") is Standing.FOREIGN
    _killed(job, sealed=True, renamed=True, settings="other")
    assert _standing(job, "other") is Standing.DONE


def test_a_photo_that_changes_meanwhile_is_left(job: Job) -> None:
    """Oracle: the bytes that a person wrote while the photo was coloured are not replaced."""
    ledger = _ledger(job)
    ledger.begin(job, ledger.look(job).mark)
    part_path(job.target).write_bytes(b"result")
    job.source.write_bytes(b"photo of another size")
    with pytest.raises(PhotoError, match="changed while it was coloured"):
        ledger.seal(job, (part_path(job.target),))
    ledger.close()
