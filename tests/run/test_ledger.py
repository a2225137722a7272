"""Ledger: a result is recognised by content, settings and weights; what is not ours is never taken for ours."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from colorcli.errors import ColorizeError
from colorcli.items import Dot, Job, Reference, Segments
from colorcli.media.places import LEDGER, comparison_path, match_paths
from colorcli.run.ledger import Ledger, copied_ledger
from colorcli.run.marks import Standing, settings_key

_SETTINGS = settings_key({"weights": "aa", "size": 256})
_LATER = 10**9  # ns added to a file's time where a test must not hang on the clock's grain


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"source")
    return Job(tmp_path / "in" / "a.jpg", tmp_path / "out" / "sub" / "a.jpg", "sub/a.jpg")


def _make(job: Job, settings: str = _SETTINGS, content: bytes = b"result") -> None:
    """What a run does with one job."""
    ledger = Ledger(_out(job), settings)
    mark = ledger.look(job).mark
    ledger.begin(job, mark)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    job.target.write_bytes(content)
    ledger.finish(job)
    ledger.close()


def _out(job: Job) -> Path:
    return job.target.parents[job.name.count("/")]


def _look(job: Job, settings: str = _SETTINGS) -> Standing:
    ledger = Ledger(_out(job), settings)
    try:
        return ledger.look(job)[0]
    finally:
        ledger.close()


def _later(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + _LATER))


def test_new_then_done(job: Job) -> None:
    """Oracle: the Standing's definitions."""
    assert _look(job) is Standing.NEW
    _make(job)
    assert _look(job) is Standing.DONE


def test_a_removed_result_is_new(job: Job) -> None:
    """Oracle: there is nothing that could be replaced."""
    _make(job)
    job.target.unlink()
    assert _look(job) is Standing.NEW


def test_a_touched_source_of_the_same_content_is_done(job: Job) -> None:
    """Oracle: content decides; a copied tree with new times is not coloured again."""
    _make(job)
    _later(job.source)
    assert _look(job) is Standing.DONE


@pytest.mark.parametrize("content", [b"longer than before", b"ecruos"], ids=["other size", "same size"])
def test_changed_content_is_stale(job: Job, content: bytes) -> None:
    """Oracle: the result is of another photo now; made again without --overwrite, since it is ours."""
    _make(job)
    job.source.write_bytes(content)
    _later(job.source)
    assert _look(job) is Standing.STALE


@pytest.mark.parametrize("changed", [{"weights": "bb", "size": 256}, {"weights": "aa", "size": 128}])
def test_changed_settings_or_weights_are_stale(job: Job, changed: dict[str, object]) -> None:
    """Oracle: everything that decides the pixels is in the key."""
    _make(job)
    assert _look(job, settings_key(changed)) is Standing.STALE


def test_settings_key_ignores_order_and_tells_types_apart() -> None:
    """Oracle: equal settings give equal keys; None, 0 and "0" differ."""
    assert settings_key({"a": 1, "b": 2.5}) == settings_key({"b": 2.5, "a": 1})
    assert len({settings_key({"quality": value}) for value in (None, 0, "0", 1)}) == 4


@pytest.mark.parametrize("content", [b"edited by a person", b"RESULT"], ids=["other size", "same size"])
def test_an_edited_result_is_foreign(job: Job, content: bytes) -> None:
    """Oracle: retouching must not be lost: it needs --overwrite."""
    _make(job)
    job.target.write_bytes(content)
    _later(job.target)
    assert _look(job) is Standing.FOREIGN


def test_a_file_that_nobody_noted_is_foreign(job: Job) -> None:
    """Oracle: it was there before the first run."""
    job.target.parent.mkdir(parents=True)
    job.target.write_bytes(b"an old colouring")
    assert _look(job) is Standing.FOREIGN


def test_begun_but_killed(job: Job) -> None:
    """Oracle: killed before the rename there is nothing (NEW); after it the file is ours (STALE)."""
    ledger = Ledger(_out(job), _SETTINGS)
    ledger.begin(job, ledger.look(job)[1])
    ledger.close()
    assert _look(job) is Standing.NEW
    job.target.parent.mkdir()
    job.target.write_bytes(b"whole, but not noted")
    assert _look(job) is Standing.STALE
    ledger = Ledger(_out(job), _SETTINGS)
    assert ledger.leftovers() == [job.target]
    ledger.begin(job, ledger.look(job)[1])
    ledger.finish(job)
    assert ledger.leftovers() == []
    ledger.close()


def test_an_abandoned_result_leaves_no_claim(job: Job) -> None:
    """Oracle: after a failed writing, a file that a person puts there is theirs (FOREIGN); nothing is left over."""
    ledger = Ledger(_out(job), _SETTINGS)
    before = ledger.begin(job, ledger.look(job)[1])
    ledger.abandon(before)
    assert ledger.leftovers() == []
    ledger.close()
    job.target.parent.mkdir()
    job.target.write_bytes(b"somebody's")
    assert _look(job) is Standing.FOREIGN


def test_abandoning_restores_an_older_result(job: Job) -> None:
    """Oracle: the older result still lies there and is what the ledger says of it."""
    _make(job)
    other = settings_key({"size": 1})
    ledger = Ledger(_out(job), other)
    ledger.abandon(ledger.begin(job, ledger.look(job)[1]))
    ledger.close()
    assert _look(job, other) is Standing.STALE
    assert _look(job) is Standing.DONE


@pytest.mark.parametrize(
    "name",
    [
        b"line\nend.jpg",
        b"latin \xe9t\xe9.jpg",
        "été 日本.jpg".encode(),
        b"quote'\"; DROP TABLE results;--.jpg",
        b"%s {0}.jpg",
    ],
    ids=["newline", "not UTF-8", "UTF-8", "SQL", "format"],
)
def test_odd_names(tmp_path: Path, name: bytes) -> None:
    """Oracle: names are bytes to the file system; each one is found again, also among the leftovers."""
    source, target = tmp_path / "a.jpg", tmp_path / "out" / os.fsdecode(name)
    source.write_bytes(b"source")
    target.parent.mkdir()
    try:
        target.touch()
    except OSError:
        pytest.skip("this file system refuses the name")
    target.unlink()
    job = Job(source, target, "a.jpg")
    _make(job)
    assert _look(job) is Standing.DONE
    ledger = Ledger(_out(job), _SETTINGS)
    ledger.begin(job, ledger.look(job)[1])
    assert ledger.leftovers() == [target]
    ledger.close()


def test_two_names_that_differ_in_bytes_are_two_rows(tmp_path: Path) -> None:
    """Oracle: é in UTF-8 and é in Latin-1 are two files."""
    jobs = []
    for name in (b"\xc3\xa9.jpg", b"\xe9.jpg"):
        target = tmp_path / "out" / os.fsdecode(name)
        source = tmp_path / f"{len(jobs)}.jpg"
        source.write_bytes(bytes(len(jobs) + 1))
        jobs.append(Job(source, target, source.name))
    try:
        for job in jobs:
            _make(job)
    except OSError:
        pytest.skip("this file system refuses the name")
    assert [_look(job) for job in jobs] == [Standing.DONE, Standing.DONE]
    assert _look(Job(jobs[0].source, jobs[1].target, "0.jpg")) is Standing.FOREIGN  # it would replace 1's result


def test_another_photo_of_the_same_size_and_time_is_not_taken_for_this_one(job: Job, tmp_path: Path) -> None:
    """Oracle: the result of one photo must neither pass as another's nor be replaced by it."""
    _make(job)
    other = tmp_path / "elsewhere" / job.source.name
    other.parent.mkdir()
    facts = job.source.stat()
    other.write_bytes(bytes(255 - byte for byte in job.source.read_bytes()))
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert _look(Job(other, job.target, job.name)) is Standing.FOREIGN


def test_the_same_photo_from_another_place_is_done(job: Job, tmp_path: Path) -> None:
    """Oracle: files are known by content: a moved archive is not coloured again."""
    _make(job)
    moved = tmp_path / "moved.jpg"
    job.source.rename(moved)
    assert _look(Job(moved, job.target, job.name)) is Standing.DONE


def test_a_missing_source_raises(job: Job) -> None:
    """Oracle: the contract: OSError, which the decode stage turns into a Failure."""
    job.source.unlink()
    ledger = Ledger(_out(job), _SETTINGS)
    with pytest.raises(OSError):
        ledger.look(job)
    ledger.close()


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    """Oracle: another process's try, as two terminals would; the message says what to do."""
    script = (
        "import sys; from pathlib import Path; from colorcli.run.ledger import Ledger\n"
        "try: Ledger(Path(sys.argv[1]), 'x').close(); print('held')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )

    def another() -> str:
        command = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    first = Ledger(tmp_path, _SETTINGS)
    with pytest.raises(ColorizeError, match="another run"):
        Ledger(tmp_path, _SETTINGS)
    refused = another()
    assert refused.startswith("ColorizeError") and "another -o" in refused
    first.close()
    assert another() == "held\n"


def test_a_damaged_ledger_is_named(tmp_path: Path) -> None:
    """Oracle: sqlite3 refuses the file; the message names it and says to remove it; the folder is let go of."""
    path = tmp_path / LEDGER
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but long enough to be looked at as one " * 20)
    with pytest.raises(ColorizeError, match=r"ledger\.sqlite3 cannot be used.*remove it"):
        Ledger(tmp_path, _SETTINGS)
    path.unlink()
    Ledger(tmp_path, _SETTINGS).close()


def test_an_output_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    """Oracle: the system's own reason reaches the person."""
    (tmp_path / "out").touch()
    with pytest.raises(ColorizeError, match="cannot write into the output folder"):
        Ledger(tmp_path / "out", _SETTINGS)


def test_rows_survive_without_a_close(job: Job) -> None:
    """Oracle: what a killed process committed is read by a second connection, through sqlite3 alone."""
    ledger = Ledger(_out(job), _SETTINGS)
    ledger.begin(job, ledger.look(job)[1])
    rows = sqlite3.connect(_out(job) / LEDGER).execute("SELECT target, state FROM results").fetchall()
    ledger.close()
    assert rows == [("sub/a.jpg", "begun")]


def test_a_copied_output_folder_is_ours(job: Job, tmp_path: Path) -> None:
    """Oracle: content decides: files copied without their times are done, and read once; an edit is still foreign."""
    _make(job)
    copy = tmp_path / "restored"
    shutil.copytree(_out(job), copy, copy_function=shutil.copyfile)
    moved = Job(job.source, copy / "sub" / "a.jpg", job.name)
    _later(moved.target)
    assert _look(moved) is Standing.DONE
    ledger = Ledger(copy, _SETTINGS)
    row = ledger._rows.get("sub/a.jpg")
    ledger.close()
    assert row is not None and row.time == moved.target.stat().st_mtime_ns
    moved.target.write_bytes(b"RESULT")
    _later(moved.target)
    assert _look(moved) is Standing.FOREIGN


_FIRST_SCHEMA = """CREATE TABLE results (target TEXT PRIMARY KEY, state TEXT NOT NULL, content TEXT NOT NULL,
source TEXT NOT NULL, source_size INTEGER NOT NULL, source_time INTEGER NOT NULL, settings TEXT NOT NULL,
size INTEGER, time INTEGER)"""


def test_a_ledger_of_the_first_schema_is_brought_up_to_date(job: Job) -> None:
    """Oracle: its rows say what they said (by time alone); what is made from now on is known by content."""
    _make(job)
    rows = sqlite3.connect(_out(job) / LEDGER)
    old = rows.execute("SELECT * FROM results").fetchone()[:-1]
    rows.execute("DROP TABLE results")
    rows.execute(_FIRST_SCHEMA)
    rows.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", old)
    rows.commit()
    rows.close()
    assert _look(job) is Standing.DONE
    _later(job.target)
    assert _look(job) is Standing.FOREIGN
    _make(job)
    _later(job.target)
    assert _look(job) is Standing.DONE


def test_a_ledger_of_an_unknown_schema_is_named(tmp_path: Path) -> None:
    """Oracle: the contract: refused at once, not at the first photo."""
    (tmp_path / LEDGER).parent.mkdir()
    rows = sqlite3.connect(tmp_path / LEDGER)
    rows.execute("CREATE TABLE results (target TEXT, colour TEXT)")
    rows.close()
    with pytest.raises(ColorizeError, match=r"ledger\.sqlite3 cannot be used: it is of another version.*remove it"):
        Ledger(tmp_path, _SETTINGS)


def _make_both(job: Job) -> None:
    """What a run with --compare does with one job."""
    ledger = Ledger(_out(job), _SETTINGS, compare=True)
    ledger.begin(job, ledger.look(job).mark)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    job.target.write_bytes(b"result")
    comparison_path(job.target).write_bytes(b"comparison")
    ledger.finish(job)
    ledger.close()


def _look_at_both(job: Job, settings: str = _SETTINGS) -> tuple[Standing, Path]:
    with copied_ledger(_out(job), settings, compare=True) as ledger:
        standing, _, path = ledger.look(job)
        return standing, path


def test_a_comparison_is_judged_as_its_result_is(job: Job) -> None:
    """Oracle: the Standing's definitions, for the two files together: the worse of both, and its path where foreign."""
    comparison = comparison_path(job.target)
    job.target.parent.mkdir(parents=True)
    comparison.write_bytes(b"somebody's")
    assert _look_at_both(job) == (Standing.FOREIGN, comparison)
    comparison.unlink()
    assert _look_at_both(job) == (Standing.NEW, job.target)
    _make_both(job)
    assert _look_at_both(job) == (Standing.DONE, job.target)
    assert _look_at_both(job, "other settings") == (Standing.STALE, job.target)
    comparison.write_bytes(b"edited by a person")
    assert _look_at_both(job) == (Standing.FOREIGN, comparison)
    comparison.unlink()
    assert _look_at_both(job) == (Standing.STALE, job.target)
    comparison.write_bytes(b"comparison")
    assert _look_at_both(job) == (Standing.DONE, job.target)  # put back from a backup
    job.target.write_bytes(b"edited by a person")
    assert _look_at_both(job) == (Standing.FOREIGN, job.target)


def test_abandoning_restores_both_rows(job: Job) -> None:
    """Oracle: the standing before a writing that failed; a killed one leaves both among the leftovers."""
    _make_both(job)
    ledger = Ledger(_out(job), "other settings", compare=True)
    before = ledger.begin(job, ledger.look(job).mark)
    assert ledger.leftovers() == [job.target, comparison_path(job.target)]
    ledger.abandon(before)
    assert ledger.leftovers() == []
    ledger.close()
    assert _look_at_both(job) == (Standing.DONE, job.target)


def test_a_copied_ledger_sees_the_last_commit_and_touches_nothing(job: Job) -> None:
    """Oracle: a look from another process while the holder has not written its log back; then from this one, with no
    holder; bytes and times of all files after."""
    ledger = Ledger(_out(job), _SETTINGS)
    ledger.begin(job, ledger.look(job).mark)
    job.target.parent.mkdir(parents=True)
    job.target.write_bytes(b"result")
    ledger.finish(job)

    def facts() -> dict[Path, tuple[bytes, int]]:
        files = [path for path in _out(job).rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = facts()
    assert any(path.name.endswith("-wal") and content for path, (content, _) in before.items())
    script = (
        "import sys; from pathlib import Path; from colorcli.items import Job\n"
        "from colorcli.run.ledger import copied_ledger\n"
        "source, target, settings = sys.argv[1:]\n"
        "with copied_ledger(Path(target).parents[1], settings) as copy:\n"
        "    print(copy.look(Job(Path(source), Path(target), 'a')).standing.value)"
    )
    command = [sys.executable, "-c", script, str(job.source), str(job.target), _SETTINGS]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "done\n"
    assert facts() == before
    ledger.close()
    before = facts()
    with copied_ledger(_out(job), _SETTINGS) as copy:
        assert copy.look(job).standing is Standing.DONE
    assert facts() == before
    with copied_ledger(_out(job).with_name("nowhere"), _SETTINGS):
        pass
    assert not _out(job).with_name("nowhere").exists()


def test_hints_are_part_of_what_decides_a_result(job: Job, tmp_path: Path) -> None:
    """Oracle: bytes of the sidecar and values of the dots: the same are DONE, any other or none STALE, and back."""
    sidecar = tmp_path / "in" / "a.hints.png"
    sidecar.write_bytes(b"dots")
    hinted = replace(job, sidecar=sidecar, dots=(Dot(1, 2, (3, 4, 5)),))
    _make(hinted)
    assert _look(hinted) is Standing.DONE
    _later(sidecar)
    assert _look(hinted) is Standing.DONE
    for other in (job, replace(hinted, sidecar=None), replace(hinted, dots=()), replace(hinted, dots=hinted.dots * 2)):
        assert _look(other) is Standing.STALE
    assert _look(replace(hinted, dots=(Dot(1, 2, (3, 4, 6)),))) is Standing.STALE
    sidecar.write_bytes(b"stod")
    assert _look(hinted) is Standing.STALE
    sidecar.write_bytes(b"dots")
    assert _look(hinted) is Standing.DONE
    sidecar.unlink()
    with pytest.raises(OSError):
        _look(hinted)


def test_an_attention_map_is_judged_as_its_result_is(job: Job, tmp_path: Path) -> None:
    """Oracle: the Standing's definitions for both files, the map outside the output folder; without the map asked for
    the result stands alone; a killed run's map is among the leftovers."""
    mapped = replace(job, attention=tmp_path / "maps" / "a.jpg.attention.png")
    assert mapped.attention is not None
    mapped.attention.parent.mkdir()
    mapped.attention.write_bytes(b"somebody's")
    assert _look(mapped) is Standing.FOREIGN and _look(job) is Standing.NEW
    mapped.attention.write_bytes(b"map")
    _make(mapped)
    assert _look(mapped) is Standing.DONE and _look(job) is Standing.DONE
    _make(job, settings_key({"weights": "bb"}))  # a run that does not ask for maps: the old one is of other weights
    assert _look(mapped, settings_key({"weights": "bb"})) is Standing.STALE
    _make(mapped)
    mapped.attention.unlink()
    assert _look(mapped) is Standing.STALE and _look(job) is Standing.DONE
    ledger = Ledger(_out(job), _SETTINGS)
    ledger.begin(mapped, ledger.look(mapped).mark)
    assert set(ledger.leftovers()) == {job.target, mapped.attention}
    ledger.close()


def test_pictures_of_matches_are_judged_as_their_result_is(job: Job, tmp_path: Path) -> None:
    """Oracle: the Standing's definitions, for all of a result's files: one that is missing makes it stale, one of
    somebody else's is named; a killed run's are among the leftovers."""
    matched = replace(job, matches=tmp_path / "maps" / "a.jpg")
    assert matched.matches is not None
    paths = match_paths(matched.matches)
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(b"map")
    assert _look(matched) is Standing.FOREIGN and _look(job) is Standing.NEW
    _make(matched)
    assert _look(matched) is Standing.DONE and _look(job) is Standing.DONE
    for path in paths:
        path.write_bytes(b"somebody's")
        assert _look(matched) is Standing.FOREIGN
        path.unlink()
        assert _look(matched) is Standing.STALE
        path.write_bytes(b"map")
        _make(matched)
    ledger = Ledger(_out(job), _SETTINGS)
    ledger.begin(matched, ledger.look(matched).mark)
    assert set(ledger.leftovers()) == {job.target, *paths}
    ledger.close()


def test_another_reference_makes_it_stale(job: Job) -> None:
    """Oracle: the contract: by the reference's content, not by its name; without one it is another result, too."""
    own = replace(job, reference=Reference(Path("a.jpg"), "a.jpg", "aa"))
    _make(own)
    assert _look(own) is Standing.DONE
    assert _look(replace(job, reference=Reference(Path("b.jpg"), "b.jpg", "aa"))) is Standing.DONE
    assert _look(replace(job, reference=Reference(Path("a.jpg"), "a.jpg", "bb"))) is Standing.STALE
    assert _look(job) is Standing.STALE
    assert _look(replace(own, dots=(Dot(1, 2, (3, 4, 5)),))) is Standing.STALE


def test_other_segments_make_it_stale(job: Job) -> None:
    """Oracle: the contract: by the maps' content, not by their names; without them it is another result, too."""
    segments = Segments(Path("a.png"), Path("b.png"), (0, 1), "aa, bb")
    own = replace(job, segments=segments)
    _make(own)
    assert _look(own) is Standing.DONE
    assert _look(replace(job, segments=replace(segments, target=Path("c.png")))) is Standing.DONE
    assert _look(replace(job, segments=replace(segments, sha256="aa, cc"))) is Standing.STALE
    assert _look(job) is Standing.STALE


def test_a_ledger_elsewhere(job: Job) -> None:
    """Oracle: the file that was named is made, noted in and copied; that of the folder knows nothing."""
    file = _out(job) / ".colorize" / "other.sqlite3"
    ledger = Ledger(_out(job), _SETTINGS, file=file)
    ledger.begin(job, ledger.look(job).mark)
    assert file.exists() and not (_out(job) / LEDGER).exists()
    with copied_ledger(_out(job), _SETTINGS, file=file) as copy:
        assert copy.leftovers() == [job.target]
    with copied_ledger(_out(job), _SETTINGS) as copy:
        assert copy.leftovers() == []
    ledger.close()
