"""References: which files they are, what results are called after them, and which goes with which photo."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

import pytest

from colorcli.errors import PhotoError, UsageError
from colorcli.media.places import BESIDE_LEDGER
from colorcli.media.references import pair

# The oracle of every test here is the contract in pair's docstring; all comparisons are exact.


def _tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def _one(place: str, root: Path, **how: bool) -> str | None:
    (version,) = pair([str(root)], "name", **how).versions(PurePosixPath(place))
    return version.reference and version.reference.name


def test_files_are_known_by_content(tmp_path: Path) -> None:
    """Oracle: hashlib; a file that is named twice, once through a link, is one reference."""
    root = _tree(tmp_path, "a.jpg", "b.png")
    (root / "link.jpg").symlink_to(root / "a.jpg")
    pairing = pair([str(root / name) for name in ("a.jpg", "b.png", "link.jpg")], None)
    assert [(one.name, one.sha256) for one in pairing.references] == [
        (name, hashlib.sha256(name.encode()).hexdigest()) for name in ("a.jpg", "b.png")
    ]
    assert pairing.choices == () and pairing.paths == {str(root / "a.jpg"), str(root / "b.png")}


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["a.jpg"], [""]),
        (["a.jpg", "b.jpg"], ["a", "b"]),
        (["a.jpg", "A.png", "b.jpg"], ["a.jpg", "A.png", "b"]),
        (["x/a.jpg", "y/a.jpg", "y/b.jpg"], ["x-a.jpg", "y-a.jpg", "b"]),
        (["x/é.jpg", "x/E.jpg"], ["é", "E"]),
    ],
)
def test_results_are_called_after_their_references(names: list[str], labels: list[str], tmp_path: Path) -> None:
    """Oracle: stems, full names, paths, as long as they meet, in whatever case."""
    root = _tree(tmp_path, *names)
    versions = pair([str(root / name) for name in names], None).versions(PurePosixPath("photo.jpg"))
    assert [version.label for version in versions] == labels
    assert [version.reference and version.reference.path for version in versions] == [root / name for name in names]


def test_names_that_still_meet_are_refused(tmp_path: Path) -> None:
    """Oracle: `a.png` is the stem of one and the full name of another."""
    names = ["a.jpg", "a.png", "a.png.jpg"]
    root = _tree(tmp_path, *names)
    with pytest.raises(UsageError, match=r"two references would both be called a\.png"):
        pair([str(root / name) for name in names], None)


def test_pairs_by_name(tmp_path: Path) -> None:
    """Oracle: the path below the folder before the stem, the exact case before another."""
    root = _tree(tmp_path, "a.png", "sub/a.jpg", "sub/b.jpg", "c.jpg", "C.jpg", "x/d.jpg", "y/d.jpg", "x/e.jpg")
    assert _one("a.jpg", root) == "a.png"
    assert _one("sub/a.tif", root) == "sub/a.jpg"
    assert _one("b.jpg", root) == _one("elsewhere/B.JPG", root) == "sub/b.jpg"
    assert _one("c.png", root) == "c.jpg" and _one("C.png", root) == "C.jpg"
    assert _one("album/e.jpg", root) == "x/e.jpg"
    with pytest.raises(PhotoError, match=r"2 references are called d \(x/d.jpg, y/d.jpg\); expected one"):
        _one("d.jpg", root)
    with pytest.raises(PhotoError, match="no reference is called b as it is"):
        _one("b.jpg", root, recursive=False)


def test_what_can_be_none_is_left_out(tmp_path: Path) -> None:
    """Oracle: empty files and films of a folder by name, text without a word; sidecars and results are no references,
    but a result that is named is one."""
    root = _tree(tmp_path, "a.jpg", "notes.txt", "film.mp4", "a.hints.png", "a.colorized.jpg", str(BESIDE_LEDGER))
    (root / "empty.jpg").write_bytes(b"")
    pairing = pair([str(root), str(root / "nowhere.jpg")], "best")
    assert [one.path.name for one in pairing.references] == ["a.jpg"] and pairing.choices == pairing.references
    told = sorted(text.partition(": ")[0].rpartition("/")[2] for text in pairing.left_out)
    assert told == ["empty.jpg", "film.mp4", "nowhere.jpg"]
    assert [one.name for one in pair([str(root / "a.colorized.jpg")], None).references] == ["a.colorized.jpg"]


@pytest.mark.parametrize(
    ("given", "by", "words"),
    [
        (["a.jpg", "nowhere.jpg"], None, "--ref .*nowhere.jpg: not found"),
        (["a.jpg", "."], None, "is a folder; say --pair-by name or --pair-by best"),
        (["a.jpg"], "stem", "--pair-by must be name or best, not 'stem'"),
        (["empty"], "best", "there is no reference; --ref .*empty names no photo"),
        (["nowhere"], "name", "there is no reference; --ref .*nowhere: not found"),
    ],
)
def test_refusals(given: list[str], by: str | None, words: str, tmp_path: Path) -> None:
    root = _tree(tmp_path, "a.jpg")
    (root / "empty").mkdir()
    with pytest.raises(UsageError, match=words):
        pair([str(root / name) for name in given], by)
