"""Files appear under their names whole, several together, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorcli.media.places import attention_path, held_path, hints_path, match_paths, part_path, whole_files


def test_nothing_bears_its_name_before_all_is_written(tmp_path: Path) -> None:
    """Oracle: the contract: the folder's names inside and after; an earlier file stays until then."""
    first, second = tmp_path / "a.jpg", tmp_path / "b.jpg"
    second.write_bytes(b"earlier")
    with whole_files(first, second) as parts:
        for part in parts:
            part.write_bytes(b"new")
        assert not first.exists() and second.read_bytes() == b"earlier"
    assert first.read_bytes() == second.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("missing", [0, 1])
def test_one_that_fails_keeps_back_the_others(missing: int, tmp_path: Path) -> None:
    """Oracle: the contract: a part that is not there at the end is an OSError; no new file, no part, the old ones."""
    targets = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    targets[1].write_bytes(b"earlier")
    with pytest.raises(FileNotFoundError), whole_files(*targets) as parts:
        parts[1 - missing].write_bytes(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["b.jpg"] and targets[1].read_bytes() == b"earlier"


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    """Oracle: the contract, also for an interrupt."""
    with pytest.raises(KeyboardInterrupt), whole_files(tmp_path / "a.jpg") as (part,):
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", [part_path, held_path])
def test_hidden_names_fit_and_differ(place: object, tmp_path: Path) -> None:
    """Oracle: file systems take 255 bytes; two long names have two hidden ones, in the same folder."""
    names = [tmp_path / ("n" * 250 + end) for end in ("a.png", "b.png")]
    hidden = [place(name) for name in names]  # type: ignore[operator]
    assert len(set(hidden)) == 2
    for path in hidden:
        path.touch()
        assert path.name.startswith(".") and path.parent == tmp_path


def test_names_beside_others() -> None:
    """Oracle: product.md's `photo.hints.png`; names that tell a.jpg from a.png, and fit into 255 bytes."""
    assert hints_path(Path("in/a.b.jpg")) == Path("in/a.b.hints.png")
    assert attention_path(Path("maps/a.jpg")) == Path("maps/a.jpg.attention.png")
    assert match_paths(Path("maps/a.jpg"))[0] == Path("maps/a.jpg.match-colours.png")
    assert len({len(path.name) <= 255 and path for path in match_paths(Path("n" * 250))}) == 3
    long = {attention_path(Path("n" * 250 + end)).name for end in (".jpg", ".png")}
    assert len(long) == 2 and all(len(name) <= 255 and name.endswith(".attention.png") for name in long)
