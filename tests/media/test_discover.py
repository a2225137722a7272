"""Discovery: what becomes a job, what a failure, what is skipped, and where results go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorcli.media.discover import Discovery, discover

# The oracle of every test here is the contract in discover's docstring and product.md; all comparisons are exact.


def _tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"pixels")
    return root


def _targets(found: Discovery, out: Path) -> dict[str, str]:
    return {job.name: job.target.relative_to(out).as_posix() for job in found.jobs}


def _reasons(found: Discovery) -> dict[str, str]:
    assert all(failure.stage == "discover" for failure in found.failures)
    return {failure.name: failure.reason for failure in found.failures}


def test_one_folder_is_mirrored_and_sorted(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "b/2.jpg", "b/10.JPG", "a.png", "z.tiff", "b/c/d.webp", "notes.txt", "b/film.mp4")
    out = tmp_path / "out"
    found = discover([str(root)], out)
    assert list(_targets(found, out).items()) == [
        ("a.png", "a.png"),
        ("z.tiff", "z.tiff"),
        ("b/10.JPG", "b/10.JPG"),
        ("b/2.jpg", "b/2.jpg"),
        ("b/c/d.webp", "b/c/d.webp"),
    ]
    assert found.skipped == ["notes.txt"]
    assert _reasons(found) == {"b/film.mp4": "films are not supported yet"}


def test_several_folders_lie_under_their_names(tmp_path: Path) -> None:
    one, two = _tree(tmp_path / "one", "a.jpg"), _tree(tmp_path / "two", "a.jpg")
    single = _tree(tmp_path, "c.jpg") / "c.jpg"
    found = discover([str(one), str(two) + "/", str(single)], tmp_path / "out")
    assert set(_targets(found, tmp_path / "out").values()) == {"one/a.jpg", "two/a.jpg", "c.jpg"}


def test_not_recursive(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "b/c.jpg")
    assert [job.name for job in discover([str(root)], tmp_path / "out", recursive=False).jobs] == ["a.jpg"]


def test_stems_never_collide(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "a.png", "b.jpg", "c.PNG")
    same = _targets(discover([str(root)], tmp_path / "out"), tmp_path / "out")
    assert set(same.values()) == {"a.jpg", "a.png", "b.jpg", "c.PNG"}
    png = _targets(discover([str(root)], tmp_path / "out", extension=".png"), tmp_path / "out")
    assert png == {"a.jpg": "a.jpg.png", "a.png": "a.png", "b.jpg": "b.png", "c.PNG": "c.PNG"}
    jpg = _targets(discover([str(root)], tmp_path / "out", extension=".jpg"), tmp_path / "out")
    assert jpg == {"a.jpg": "a.jpg", "a.png": "a.png.jpg", "b.jpg": "b.jpg", "c.PNG": "c.jpg"}
    tif = _targets(discover([str(root)], tmp_path / "out", extension=".tif"), tmp_path / "out")
    assert tif == {"a.jpg": "a.jpg.tif", "a.png": "a.png.tif", "b.jpg": "b.tif", "c.PNG": "c.tif"}


def test_full_names_that_meet_others_fail_by_name(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "a.png", "a.jpg.bmp")
    found = discover([str(root)], tmp_path / "out", extension=".png")
    assert len({job.target for job in found.jobs}) == len(found.jobs)
    assert len(found.jobs) + len(found.failures) == 3


def test_same_names_from_two_places_fail_by_name(tmp_path: Path) -> None:
    first, second = (_tree(tmp_path / name, "a.jpg") / "a.jpg" for name in ("x", "y"))
    found = discover([str(first), str(second)], tmp_path / "out")
    assert [job.source for job in found.jobs] == [first]
    assert "apart" in _reasons(found)[str(second)]


def test_the_same_photo_twice_is_one_job(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg")
    (root / "link.jpg").symlink_to("a.jpg")
    found = discover([str(root / "a.jpg"), str(root), str(root / "a.jpg")], tmp_path / "out")
    assert len(found.jobs) == 1 and not found.failures


def test_gray_only_extensions_become_colour(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.pgm", "b.ppm")
    assert _targets(discover([str(root)], tmp_path / "out"), tmp_path / "out") == {"a.pgm": "a.ppm", "b.ppm": "b.ppm"}


def test_hidden_and_sidecars_are_skipped(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", ".git/a.jpg", ".colorize/b.jpg", "._c.jpg", ".d.jpg.part", "e.hints.png", "e.jpg")
    found = discover([str(root)], tmp_path / "out")
    assert [job.name for job in found.jobs] == ["e.jpg"]
    assert found.skipped == ["._c.jpg", ".d.jpg.part", "e.hints.png"]


def test_out_inside_the_input_is_not_read(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "out/a.jpg", "other/b.jpg")
    assert [job.name for job in discover([str(root)], root / "out").jobs] == ["a.jpg", "other/b.jpg"]


def test_sources_are_never_targets(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "b.jpg")
    found = discover([str(root)], root)
    assert not found.jobs and "replace the photo" in _reasons(found)["a.jpg"]
    assert [job.target.name for job in discover([str(root)], root, extension=".png").jobs] == ["a.png", "b.png"]


def test_loops_and_odd_files_fail_by_name(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "b/a.jpg")
    (root / "b" / "loop").symlink_to(root, target_is_directory=True)
    (root / "broken.jpg").symlink_to("nowhere.jpg")
    (root / "self.jpg").symlink_to("self.jpg")
    (root / "empty.jpg").touch()
    os.mkfifo(root / "pipe.png")
    found = discover([str(root)], tmp_path / "out")
    assert [job.name for job in found.jobs] == ["b/a.jpg"]
    reasons = _reasons(found)
    assert set(reasons) == {"broken.jpg", "self.jpg", "empty.jpg", "pipe.png"}
    assert "empty" in reasons["empty.jpg"] and "regular" in reasons["pipe.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_fails_by_name(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "b/c.jpg", "d.jpg")
    (root / "a.jpg").chmod(0)
    (root / "b").chmod(0)
    found = discover([str(root)], tmp_path / "out")
    (root / "b").chmod(0o700)
    assert [job.name for job in found.jobs] == ["d.jpg"]
    assert set(_reasons(found)) == {"a.jpg", "b"}


def test_named_paths_fail_rather_than_skip(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.txt", "b.mkv", "c")
    names = [str(root / name) for name in ("a.txt", "b.mkv", "c", "missing.jpg", "*.gif", "n" * 300 + ".jpg")]
    found = discover(names, tmp_path / "out")
    assert not found.jobs and not found.skipped
    assert [failure.name for failure in found.failures if "films" in failure.reason] == [names[1]]
    assert set(_reasons(found)) == set(names)


def test_patterns_are_expanded(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a1.jpg", "a2.jpg", "b.jpg", "deep/a3.jpg", "x[1].jpg")
    named = [job.name for job in discover([str(root / "a*.jpg"), str(root / "x[1].jpg")], tmp_path / "out").jobs]
    assert [Path(name).name for name in named] == ["a1.jpg", "a2.jpg", "x[1].jpg"]
    deep = discover([str(root / "**" / "a*.jpg")], tmp_path / "out")
    assert sorted(job.target.name for job in deep.jobs) == ["a1.jpg", "a2.jpg", "a3.jpg"]


def test_odd_names(tmp_path: Path) -> None:
    names = ["-o.jpg", "new\nline.jpg", " .jpg", "a b.jpg", "\N{SNOWMAN}.jpg", "dots.in.name.jpg", "latin-\udce9.jpg"]
    root = _tree(tmp_path / "in", *names)
    assert sorted(job.name for job in discover([str(root)], tmp_path / "out").jobs) == sorted(names)


@given(st.lists(st.sampled_from([f"{a}{b}{c}" for a in "ab" for b in ("", ".jpg") for c in (".jpg", ".png", ".bmp")])))
def test_targets_are_always_distinct(names: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = _tree(Path(folder) / "in", *names)
        root.mkdir(exist_ok=True)
        for extension in (None, ".png", ".jpg"):
            found = discover([str(root)], Path(folder) / "out", extension=extension)
            assert len({job.target for job in found.jobs}) == len(found.jobs)
            assert len(found.jobs) + len(found.failures) == len(set(names))
