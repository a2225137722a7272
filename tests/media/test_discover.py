"""Discovery: what becomes a job, what a failure, what is skipped, and where results go."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorcli.errors import PhotoError, UsageError
from colorcli.items import Reference
from colorcli.media.discover import UNUSED_HINTS, Discovery, discover, find_photos
from colorcli.media.places import BESIDE_LEDGER, LEDGER
from colorcli.media.targets import Version, folds

_HINTS = "colour hints, not a photo"
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


def _skipped(found: Discovery) -> dict[str, str]:
    assert len({skipped.name for skipped in found.skipped}) == len(found.skipped)
    return {skipped.name: skipped.reason for skipped in found.skipped}


def test_one_folder_is_mirrored_and_sorted(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "b/2.jpg", "b/10.JPG", "a.png", "z.tiff", "b/c/d.webp", "notes.txt", "b/film.mp4")
    out = tmp_path / "out"
    found = discover([str(root)], out)
    assert list(_targets(found, out).items()) == [
        ("a.png", "a.png"),
        ("z.tiff", "z.tiff"),
        ("b/10.JPG", "b/10.JPG"),
        ("b/2.jpg", "b/2.jpg"),
        ("b/film.mp4", "b/film.mp4"),
        ("b/c/d.webp", "b/c/d.webp"),
    ]
    assert _skipped(found) == {"notes.txt": "not a photo or film"}
    assert _reasons(found) == {}


def test_a_films_result_may_be_of_another_kind(tmp_path: Path) -> None:
    """Oracle: what the function says of films alone; --format is of photos alone; results that meet keep full names."""
    root = _tree(tmp_path / "in", "a.png", "b.avi", "b.mkv")
    out = tmp_path / "out"
    found = discover([str(root)], out, extension=".tiff", film_extension=lambda _: ".mkv")
    assert _targets(found, out) == {"a.png": "a.tiff", "b.avi": "b.avi.mkv", "b.mkv": "b.mkv"}


def test_films_are_no_references(tmp_path: Path) -> None:
    """Oracle: it is named, as every reference that cannot be one."""
    root = _tree(tmp_path / "in", "a.png", "b.mkv")
    found, failures = find_photos([str(root), str(root / "b.mkv")], recursive=True)
    assert [photo.source.name for photo in found] == ["a.png"]
    assert [failure.reason for failure in failures] == ["a film; expected photos, as stills of it are"] * 2


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


def test_a_folder_beside_a_file_lies_under_its_name(tmp_path: Path) -> None:
    root, out = _tree(tmp_path, "in/a.jpg", "a.jpg"), tmp_path / "out"
    found = discover([str(root / "in"), str(root / "a.jpg")], out)
    assert [job.target for job in found.jobs] == [out / "in/a.jpg", out / "a.jpg"] and not found.failures


def test_named_files_with_equal_names_keep_their_folders(tmp_path: Path) -> None:
    root, out = _tree(tmp_path / "in", "x/a.jpg", "y/z/a.jpg", "b.jpg", "other/notes.txt"), tmp_path / "out"
    names = [str(root / name) for name in ("x/a.jpg", "y/z/a.jpg", "b.jpg", "x/../x/a.jpg")]
    assert list(_targets(discover(names, out), out).values()) == ["x/a.jpg", "y/z/a.jpg", "b.jpg"]
    assert list(_targets(discover(names[1:3], out), out).values()) == ["a.jpg", "b.jpg"]
    assert list(_targets(discover([names[0], names[0]], out), out).values()) == ["a.jpg"]


def test_same_names_from_two_places_fail_by_name(tmp_path: Path) -> None:
    first, second = (_tree(tmp_path / name / "p", "a.jpg") for name in ("x", "y"))
    found = discover([str(first), str(second)], tmp_path / "out")
    assert [job.source for job in found.jobs] == [first / "a.jpg"]
    assert "apart" in _reasons(found)[str(second / "a.jpg")]


def test_the_same_photo_for_the_same_place_is_one_job(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg")
    found = discover([str(root / "a.jpg"), str(root / "*.jpg"), str(root / "a.jpg"), str(root), str(root)], tmp_path)
    assert not found.jobs and len(found.failures) == 5  # all lie in the output folder
    out = tmp_path / "out"
    found = discover([str(root / "a.jpg"), str(root / "*.jpg"), str(root / "a.jpg"), str(root), str(root)], out)
    assert [job.target for job in found.jobs] == [out / "a.jpg", out / "in/a.jpg"] and not found.failures


def test_links_hide_neither_photos_nor_folders(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "b.jpg", "d/c.jpg", "d/e/f.jpg")
    (root / "a.jpg").symlink_to("b.jpg")
    (root / "a").symlink_to("d", target_is_directory=True)
    (root / "d" / "aa").symlink_to(root / "d" / "e", target_is_directory=True)
    found = discover([str(root)], tmp_path / "out")
    assert [job.name for job in found.jobs] == ["a.jpg", "b.jpg", "d/c.jpg", "d/e/f.jpg"]
    both = discover([str(root / "a"), str(root)], tmp_path / "out")
    assert [job.name for job in both.jobs] == ["in/a.jpg", "in/b.jpg", "in/d/c.jpg", "in/d/e/f.jpg"]
    _tree(tmp_path / "far", "g.jpg")
    (root / "far").symlink_to(tmp_path / "far", target_is_directory=True)
    assert [job.name for job in discover([str(root)], tmp_path / "out").jobs][-1] == "far/g.jpg"
    sole = discover([str(root / "far")], tmp_path / "out")
    assert [job.target for job in sole.jobs] == [tmp_path / "out" / "g.jpg"]


def test_gray_only_extensions_become_colour(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.pgm", "b.ppm")
    assert _targets(discover([str(root)], tmp_path / "out"), tmp_path / "out") == {"a.pgm": "a.ppm", "b.ppm": "b.ppm"}


def test_hidden_and_sidecars_are_skipped(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", ".git/a.jpg", ".colorize/b.jpg", "._c.jpg", ".d.jpg.part", "e.hints.png", "e.jpg")
    found = discover([str(root)], tmp_path / "out")
    assert [job.name for job in found.jobs] == ["e.jpg"]
    assert _skipped(found) == {
        "._c.jpg": "a hidden file",
        ".d.jpg.part": "a hidden file",
        "e.hints.png": _HINTS,
    }


def test_sidecars_go_with_their_photos(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "a.png", "a.hints.png", "b.tif", "sub/b.hints.png", "sub/b.jpg")
    (root / "c.jpg").symlink_to(root / "sub" / "b.jpg")
    found = discover([str(root)], tmp_path / "out")
    sidecars = {job.name: job.sidecar for job in found.jobs}
    assert sidecars == {
        **{"a.jpg": root / "a.hints.png", "a.png": root / "a.hints.png", "b.tif": None},
        **{"c.jpg": None, "sub/b.jpg": root / "sub" / "b.hints.png"},
    }
    assert set(_skipped(found)) == {"a.hints.png", "sub/b.hints.png"}


def test_named_sidecars_and_attention_maps_are_no_photos(tmp_path: Path) -> None:
    root = _tree(
        tmp_path,
        "x/a.jpg",
        "x/a.hints.png",
        "y/b.jpg",
        "y/a.hints.png",
        "y/B.JPG.ATTENTION.PNG",
        "y/b.jpg.match-places.png",
        "y/b.jpg.Stages.png",
    )
    named = sorted(str(path) for path in root.glob("*/*"))
    for inputs in (named, [str(root / "*" / "*")]):
        found = discover(inputs, tmp_path / "out")
        assert [job.source.name for job in found.jobs] == ["a.jpg", "b.jpg"] and not found.failures
        shown = ["a picture of matches, not a photo", "an attention map, not a photo"]
        skipped = sorted(_skipped(found).values())
        assert skipped == sorted([*shown, "the stages of a result, not a photo", UNUSED_HINTS, _HINTS])
    # two sidecars of one name do not change where the photos' results lie
    assert _targets(discover(named, tmp_path / "out"), tmp_path / "out") == {"a.jpg": "a.jpg", "b.jpg": "b.jpg"}
    assert set(_reasons(discover([str(root / "none.hints.png")], tmp_path / "out"))) == {str(root / "none.hints.png")}


def test_sidecars_are_found_whatever_their_case(tmp_path: Path) -> None:
    names = ["a.jpg", "a.HINTS.PNG", "IMG_1.JPG", "img_1.Hints.png", "B.jpg", "b.jpg", "b.hints.png", "c.jpg", "c.png"]
    root = _tree(tmp_path / "in", *names, "e\u0301.jpg", "\u00e9.hints.png", "gone.hints.png", "sub/A.Hints.png")
    if len(list(root.iterdir())) < len(names) + 4:
        pytest.skip("this file system folds case")
    found = discover([str(root)], tmp_path / "out")
    sidecars = {job.name: job.sidecar.name for job in found.jobs if job.sidecar}
    assert sidecars == {
        **{"a.jpg": "a.HINTS.PNG", "IMG_1.JPG": "img_1.Hints.png", "e\u0301.jpg": "\u00e9.hints.png"},
        "b.jpg": "b.hints.png",  # and not B.jpg's: it is another photo's own
    }
    unused = {name for name, reason in _skipped(found).items() if reason == UNUSED_HINTS}
    assert unused == {"gone.hints.png", "sub/A.Hints.png"}


def test_names_that_differ_in_case_are_two_where_the_file_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`folds` against what this file system does with É and é, and with É in two forms; then a system that folds."""
    (tmp_path / "probe").mkdir()
    for name in ("\u00c9", "\u00e9", "E\u0301"):
        (tmp_path / "probe" / name).touch()
    names = {path.name for path in (tmp_path / "probe").iterdir()}
    assert folds(tmp_path / "probe" / "not" / "there") == ("\u00e9" not in names, len(names) - ("\u00e9" in names) == 1)
    assert {path.name for path in (tmp_path / "probe").iterdir()} == names  # nothing is left
    if len(names) < 3:
        pytest.skip("this file system folds names")

    root = _tree(tmp_path / "in", "IMG.jpg", "img.jpg", "x/a.png", "X/A.tif", "e\u0301.jpg", "\u00e9.jpg", "other.jpg")
    out = tmp_path / "out"
    apart = {
        name: name for name in ("IMG.jpg", "img.jpg", "x/a.png", "X/A.tif", "e\u0301.jpg", "\u00e9.jpg", "other.jpg")
    }
    assert _targets(discover([str(root)], out), out) == apart
    monkeypatch.setattr("colorcli.media.targets.folds", lambda _: (True, True))
    found = discover([str(root)], out)
    assert _targets(found, out) == {
        name: name for name in ("IMG.jpg", "X/A.tif", "e\u0301.jpg", "other.jpg", "x/a.png")
    }
    assert set(_reasons(found)) == {str(root / "img.jpg"), str(root / "\u00e9.jpg")}
    assert str(root / "IMG.jpg") in _reasons(found)[str(root / "img.jpg")]
    found = discover([str(root)], out, extension=".webp")  # what would meet keeps its full name
    assert {_targets(found, out)[name] for name in ("x/a.png", "X/A.tif")} == {"x/a.png.webp", "X/A.tif.webp"}
    monkeypatch.setattr("colorcli.media.targets.folds", lambda _: (False, True))
    assert set(_reasons(discover([str(root)], out))) == {str(root / "\u00e9.jpg")}


def test_the_file_system_is_asked_only_where_names_are_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(_: Path) -> tuple[bool, bool]:
        raise AssertionError("the output folder was written to")

    monkeypatch.setattr("colorcli.media.targets.folds", asked)
    root = _tree(tmp_path / "in", "a.jpg", "a.png", "sub/a.jpg", "b.jpg")
    assert len(discover([str(root)], tmp_path / "out", extension=".jpg", compare=True).jobs) == 4


def test_out_inside_the_input_is_not_read(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "out/a.jpg", "other/b.jpg")
    assert [job.name for job in discover([str(root)], root / "out").jobs] == ["a.jpg", "other/b.jpg"]


def test_an_input_folder_is_no_output_folder(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg")
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    for one, other in ((root, root), (root, tmp_path / "link"), (tmp_path / "link", root)):
        with pytest.raises(UsageError, match="among the photos; choose another -o"):
            discover([str(one)], other, extension=".png")


def test_inputs_in_the_output_folder_are_dropped(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "out/a.jpg", "out/sub/b.jpg")
    (root / "link.jpg").symlink_to(root / "out" / "a.jpg")
    (root / "linked").symlink_to(root / "out" / "sub", target_is_directory=True)
    out = root / "out"
    named = [str(out / "a.jpg"), str(out / "sub"), str(root / "link.jpg")]
    found = discover([*named, str(root / "a.jpg")], out)
    assert [job.target for job in found.jobs] == [out / "a.jpg"]
    assert set(_reasons(found)) == set(named) and "output folder" in _reasons(found)[named[0]]
    for pattern in ("*", "**", "**/*.jpg"):
        found = discover([str(root / pattern)], out)
        assert [job.target for job in found.jobs] == [out / "a.jpg"] and not found.failures
    assert set(_reasons(discover([str(out / "*.jpg")], out))) == {str(out / "*.jpg")}
    walked = discover([str(root)], out)
    assert [job.name for job in walked.jobs] == ["a.jpg"]
    assert _skipped(walked) == {"link.jpg": "lies in the output folder"}


def test_a_shells_pattern_may_name_an_earlier_runs_output_folder(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "b.jpg", "out/a.jpg", f"out/{LEDGER}")
    out = root / "out"
    found = discover([str(root / "a.jpg"), str(root / "b.jpg"), str(out), str(out / "a.jpg"), str(out) + "/"], out)
    assert [job.target for job in found.jobs] == [out / "a.jpg", out / "b.jpg"] and not found.failures
    assert _skipped(found) == {str(out): "the output folder", str(out / "a.jpg"): "lies in the output folder"}
    for alone in ([str(out)], [str(out), str(out)]):
        with pytest.raises(UsageError, match="among the photos"):
            discover(alone, out)
    assert set(_reasons(discover([str(out / "a.jpg")], out))) == {str(out / "a.jpg")}
    empty = root / "empty"
    empty.mkdir()
    assert _skipped(discover([str(root / "a.jpg"), str(empty)], empty)) == {str(empty): "the output folder"}


def test_a_folder_of_photos_is_no_output_folder_beside_others_either(tmp_path: Path) -> None:
    root = _tree(tmp_path, "one/a.jpg", "two/b.jpg")
    with pytest.raises(UsageError, match="among the photos"):
        discover([str(root / "one"), str(root / "two")], root / "two")


def test_older_output_folders_are_skipped_by_name(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", f"b/old/{LEDGER}", "b/old/a.jpg", "b/old/c/d.jpg")
    out = tmp_path / "out"
    found = discover([str(root)], out)
    assert [job.name for job in found.jobs] == ["a.jpg"]
    assert list(_skipped(found)) == ["b/old"] and "output folder of an earlier run" in _skipped(found)["b/old"]
    for pattern in ("**/*.jpg", "*/*"):
        matched = discover([str(root / pattern)], out)
        assert list(_skipped(matched)) == [str(root / "b" / "old")] and not matched.failures
        assert all(job.source == root / "a.jpg" for job in matched.jobs)
    chosen = discover([str(root / "b" / "old")], out)  # the user's word
    assert [job.name for job in chosen.jobs] == ["a.jpg", "c/d.jpg"]


def test_sources_are_never_targets(tmp_path: Path) -> None:
    root, out = _tree(tmp_path / "in", "a.jpg", "b.jpg"), tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").symlink_to(root / "a.jpg")
    (out / "b.jpg.compare.jpg").symlink_to(root / "a.jpg")
    found = discover([str(root)], out)
    assert [job.name for job in found.jobs] == ["b.jpg"] and "replace the photo" in _reasons(found)["a.jpg"]
    compared = discover([str(root)], out, compare=True)
    assert not compared.jobs and "comparison would replace" in _reasons(compared)["b.jpg"]


def test_a_photo_under_another_name_is_never_a_target(tmp_path: Path) -> None:
    """A hard link stands for a file system that folds case: two names, one file."""
    root, out = _tree(tmp_path / "in", "a.jpg", "b.jpg"), tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").hardlink_to(root / "a.jpg")
    found = discover([str(root)], out)
    assert [job.name for job in found.jobs] == ["b.jpg"] and "replace the photo" in _reasons(found)["a.jpg"]


def test_the_input_folder_in_another_case_is_no_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that is not resolved stands for a file system that folds case; a folder of its own is another one."""
    root = _tree(tmp_path / "Photos", "a.jpg", "Out/b.jpg")
    (tmp_path / "photos").symlink_to(root)
    (root / "out").symlink_to(root / "Out")
    monkeypatch.setattr(os.path, "realpath", os.path.abspath)
    with pytest.raises(UsageError, match="the results would lie among the photos"):
        discover([str(root)], tmp_path / "photos")
    assert [job.name for job in discover([str(root)], tmp_path / "photos" / "out").jobs] == ["a.jpg"]
    _tree(tmp_path / "PHOTOS", "c.jpg")
    assert len(discover([str(root)], tmp_path / "PHOTOS").jobs) == 2


def test_comparisons_claim_their_places(tmp_path: Path) -> None:
    root, out = _tree(tmp_path / "in", "a.jpg", "a.jpg.compare.jpg", "b.png", "b.png.compare.jpg"), tmp_path / "out"
    assert len(discover([str(root)], out).jobs) == 4
    found = discover([str(root)], out, compare=True)
    assert [job.name for job in found.jobs] == ["a.jpg", "b.png"]
    assert set(_reasons(found)) == {str(root / "a.jpg.compare.jpg"), str(root / "b.png.compare.jpg")}
    first = discover([str(root / "a.jpg.compare.jpg"), str(root / "a.jpg")], out, compare=True)
    assert [job.target.name for job in first.jobs] == ["a.jpg.compare.jpg"]
    assert "its comparison would be" in _reasons(first)[str(root / "a.jpg")]


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
    (root / "b").chmod(0)
    alone = discover([str(root / "b")], tmp_path / "out")
    (root / "b").chmod(0o700)
    assert set(_reasons(alone)) == {str(root / "b")}


def test_unreadable_inputs_are_named_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _tree(tmp_path / "in", "a.jpg")

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert set(_reasons(discover([str(root)], tmp_path / "out"))) == {str(root)}


def test_named_paths_fail_rather_than_skip(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.txt", "b.mkv", "c")
    names = [str(root / name) for name in ("a.txt", "b.mkv", "c", "missing.jpg", "*.gif", "n" * 300 + ".jpg")]
    found = discover(names, tmp_path / "out")
    assert [job.source.name for job in found.jobs] == ["b.mkv"] and not found.skipped
    assert set(_reasons(found)) == set(names) - {names[1]}


def test_patterns_are_expanded(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a1.jpg", "a2.jpg", "b.jpg", "deep/a3.jpg", "x[1].jpg")
    named = [job.name for job in discover([str(root / "a*.jpg"), str(root / "x[1].jpg")], tmp_path / "out").jobs]
    assert [Path(name).name for name in named] == ["a1.jpg", "a2.jpg", "x[1].jpg"]
    deep = discover([str(root / "**" / "a*.jpg")], tmp_path / "out")
    assert sorted(job.target.name for job in deep.jobs) == ["a1.jpg", "a2.jpg", "a3.jpg"]


def test_matches_lie_by_their_path_below_the_fixed_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, out = _tree(tmp_path, "t/a/x.jpg", "t/b/x.jpg", "t/b/c/y.jpg"), tmp_path / "out"
    monkeypatch.chdir(root)
    for pattern, places in {
        "t/*/*.jpg": ["a/x.jpg", "b/x.jpg"],
        "./t/../t/*/x.jpg": ["a/x.jpg", "b/x.jpg"],
        "t/a/*.jpg": ["x.jpg"],
        "*/a": ["t/a/x.jpg"],
        "t/**": ["a/x.jpg", "b/x.jpg", "b/c/y.jpg"],
        f"{root}/[t]/b": ["t/b/x.jpg", "t/b/c/y.jpg"],
        "t/[a]/../b/x.jpg": ["b/x.jpg"],
        "t/b/[c]/../../../t/a/x.jpg": ["x.jpg"],
    }.items():
        found = discover([pattern], out)
        assert [job.target.relative_to(out).as_posix() for job in found.jobs] == places, pattern
        assert not found.failures


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


def test_results_beside_their_photos(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "a.png", "sub/b.PGM", "sub/c.d.tif")
    found = discover([str(root / "sub"), str(root / "a.jpg"), str(root / "a.png")], None)
    assert _targets(found, root) == {
        "sub/b.PGM": "sub/b.colorized.ppm",
        "sub/c.d.tif": "sub/c.d.colorized.tif",
        "a.jpg": "a.colorized.jpg",
        "a.png": "a.colorized.png",
    }
    assert not found.failures and not found.skipped
    found = discover([str(root)], None, extension=".png")
    assert _targets(found, root) == {
        "a.jpg": "a.jpg.colorized.png",
        "a.png": "a.colorized.png",
        "sub/b.PGM": "sub/b.colorized.png",
        "sub/c.d.tif": "sub/c.d.colorized.png",
    }
    assert not found.failures and not found.skipped


def test_a_photo_in_the_place_of_a_result_beside_is_not_replaced(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "a.colorized.jpg")  # of another tool: there is no ledger
    found = discover([str(root)], None)
    assert _targets(found, root) == {"a.colorized.jpg": "a.colorized.colorized.jpg"}
    assert "would replace the photo" in _reasons(found)["a.jpg"]


@pytest.mark.parametrize("beside", [True, False])
def test_results_of_an_earlier_run_beside_are_skipped(beside: bool, tmp_path: Path) -> None:
    names = ["a.colorized.jpg", "a.colorized.jpg.compare.jpg", "a.REF.Colorized.JPG"]
    root = _tree(tmp_path / "in", "a.jpg", "b/x.colorized.jpg", *names, str(BESIDE_LEDGER))
    out = None if beside else tmp_path / "out"
    found = discover([str(root)], out)
    assert [job.name for job in found.jobs] == ["a.jpg", "b/x.colorized.jpg"]  # no ledger in b
    reason = "a result of an earlier run, beside its photo"
    assert _skipped(found) == dict.fromkeys(names, reason)
    found = discover([str(root / name) for name in ["a.jpg", *names]], out)
    assert [job.name for job in found.jobs] == ["a.jpg"]
    assert _skipped(found) == {str(root / name): reason for name in names}


def test_versions_of_a_photo_are_apart_from_each_other_and_from_others(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "a.png", "a.x.jpg", "none.jpg")
    x, y = (Reference(tmp_path / name, name, name) for name in ("x.jpg", "y.jpg"))

    def versions(place: PurePosixPath) -> list[Version]:
        if place.stem == "none":
            raise PhotoError("no reference fits")
        return [Version(x, "x"), Version(y, "y")]

    found = discover([str(root)], tmp_path / "out", extension=".jpg", versions=versions)
    assert [(job.name, job.target.name, job.reference) for job in found.jobs] == [
        ("a.jpg", "a.x.jpg", x),
        ("a.jpg", "a.y.jpg", y),
        ("a.png", "a.png.x.jpg", x),
        ("a.png", "a.png.y.jpg", y),
        ("a.x.jpg", "a.x.x.jpg", x),
        ("a.x.jpg", "a.x.y.jpg", y),
    ]
    assert _reasons(found) == {"none.jpg": "no reference fits"}


def test_references_are_skipped_and_never_replaced(tmp_path: Path) -> None:
    root = _tree(tmp_path / "in", "a.jpg", "b.jpg", "refs/r.jpg")
    reference = tmp_path / "out" / "b.jpg"
    _tree(tmp_path / "out", "b.jpg")
    found = discover([str(root)], tmp_path / "out", references={str(root / "refs" / "r.jpg"), str(reference)})
    assert _targets(found, tmp_path / "out") == {"a.jpg": "a.jpg"}
    assert _skipped(found) == {"refs/r.jpg": "a reference"}
    assert f"would replace the photo {reference}" in _reasons(found)["b.jpg"]


def test_results_of_one_photo_share_a_comparison(tmp_path: Path) -> None:
    """Oracle: the contract: called as if there were one result, after the photo's full name where results meet; one
    that would be another photo's result, or replace a photo, fails all that share it; one result has its own."""
    root = _tree(tmp_path, "a.jpg", "a.png", "b.jpg", "c.jpg", "c.jpg.compare.jpg")
    labels = ("x", "y")

    def versions(_: PurePosixPath) -> list[Version]:
        return [Version(Reference(Path(f"{label}.png"), label, label), label) for label in labels]

    out = tmp_path / "out"
    found = discover([str(root)], out, extension=".png", compare=True, versions=versions)
    shared = {job.target.name: job.together and job.together.name for job in found.jobs}
    assert shared == {
        **dict.fromkeys(("a.jpg.x.png", "a.jpg.y.png"), "a.jpg.png.compare.jpg"),
        **dict.fromkeys(("a.x.png", "a.y.png"), "a.png.compare.jpg"),
        **dict.fromkeys(("b.x.png", "b.y.png"), "b.png.compare.jpg"),
        **dict.fromkeys(("c.x.png", "c.y.png"), "c.png.compare.jpg"),
        **dict.fromkeys(("c.jpg.compare.x.png", "c.jpg.compare.y.png"), "c.jpg.compare.png.compare.jpg"),
    }
    other = _tree(tmp_path / "other", "c.jpg", "c.colorized.jpg.compare.jpg")
    found = discover([str(other)], None, compare=True, versions=versions)
    assert {job.source.name for job in found.jobs} == {"c.colorized.jpg.compare.jpg"}
    assert [failure.reason for failure in found.failures] == [
        f"its comparison would replace the photo {other / 'c.colorized.jpg.compare.jpg'}; choose another output folder"
    ] * 2
    assert not any(job.together for job in discover([str(root)], out, versions=versions).jobs)
    single = discover([str(root / "b.jpg")], out, compare=True, versions=lambda _: [Version()])
    assert single.jobs[0].together is None
