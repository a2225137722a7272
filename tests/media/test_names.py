"""Any name that the file system takes, and photos of any size: found, given a place of their own, seen in shape."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from colorcli.media.discover import discover
from colorcli.media.formats import PHOTO_EXTENSIONS
from colorcli.media.photos import LONGEST_ASPECT, network_size
from colorcli.media.places import (
    attention_path,
    comparison_path,
    held_path,
    hints_path,
    match_paths,
    part_path,
    stages_path,
)

_LONGEST = 255  # bytes
repeatable = settings(max_examples=60, deadline=None, derandomize=True)
letters = st.one_of(
    st.text(min_size=1, max_size=12),  # all of Unicode
    st.binary(min_size=1, max_size=12).map(os.fsdecode),  # what is no UTF-8, as surrogates
    st.sampled_from(
        ["-", "--help", " a", "a ", "a.", "a..b", "CON", "%s", "[1]", "*", "?", "~", "$HOME", "\N{SNOWMAN}" * 83]
    ),
    st.integers(200, _LONGEST).map(lambda count: "n" * count),
)
suffixes = st.sampled_from([*sorted(PHOTO_EXTENSIONS), ".JPG", ".Png"])
names = st.tuples(letters, suffixes).map("".join)


def _is_name(name: str) -> bool:
    """Whether POSIX takes it for a file, and it is neither hidden nor a sidecar or the like."""
    try:
        whole = os.fsencode(name)
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        return False
    return 0 < len(whole) <= _LONGEST and not {0, ord("/")} & set(whole) and not name.startswith(".")


def _made(folder: Path, wanted: Sequence[str]) -> set[str]:
    """Files of these names; those that the file system takes."""
    folder.mkdir()
    for name in wanted:
        try:
            (folder / name).write_bytes(b"x")
        except OSError as error:
            assert error.errno in (errno.EILSEQ, errno.EINVAL, errno.ENAMETOOLONG)
    return set(os.listdir(folder))  # noqa: PTH208 - names are all that is needed


@repeatable
@given(st.lists(names.filter(_is_name), min_size=1, max_size=6), st.sampled_from([None, ".png", ".jpg"]), st.booleans())
@example(["a.jpg", "a.png", "A.jpg", "a.jpg.png"], ".png", True)
@example(["n" * 251 + ".png", "n" * 251 + ".jpg"], ".png", True)
def test_every_name_has_a_place_of_its_own(wanted: list[str], extension: str | None, compare: bool) -> None:
    """Oracle: the promise: each photo is a job or a failure by its name; targets lie in OUT, and none is another's."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place, "out")
        found = _made(Path(place, "in"), wanted)
        told = discover([str(Path(place, "in"))], out, extension=extension, compare=compare)
        failed = {Path(failure.name).name for failure in told.failures}
        assert {job.name for job in told.jobs} | failed == found and len(told.jobs) + len(failed) == len(found)
        assert not told.skipped
        targets = [job.target for job in told.jobs]
        assert all(target.parent == out for target in targets)
        written = [*targets, *(map(comparison_path, targets) if compare else ())]
        assert len(set(written)) == len(written)
        assert extension is not None or not told.failures


@repeatable
@given(names.filter(_is_name), names.filter(_is_name))
def test_what_is_written_beside_a_result_fits_and_is_its_own(one: str, other: str) -> None:
    """Oracle: what file systems take, 255 bytes; two results share no file; and what is unfinished is hidden."""
    assume(one != other)
    for path_of in (part_path, held_path, comparison_path, attention_path, stages_path):
        paths = [path_of(Path("/out", name)) for name in (one, other)]
        assert len(set(paths)) == 2
        assert all(path.parent == Path("/out") and len(os.fsencode(path.name)) <= _LONGEST for path in paths)
    assert part_path(Path("/out", one)).name.startswith(".") and held_path(Path("/out", one)).name.startswith(".")
    pictures = [*match_paths(Path("/out", one)), *match_paths(Path("/out", other))]
    assert len(set(pictures)) == len(pictures) and all(len(os.fsencode(path.name)) <= _LONGEST for path in pictures)
    assert hints_path(Path("/in", one)).parent == Path("/in")


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.integers(1, 65_000), st.integers(1, 65_000), st.integers(16, 2048), st.sampled_from([1, 8, 16, 32, 64]))
def test_network_size_of_any_photo(width: int, height: int, side: int, multiple: int) -> None:
    """Oracle: closed form: sides of area side x side in the photo's aspect, at most 8:1, each off by half a multiple at
    most, and never nothing."""
    rows, columns = network_size(width, height, side, multiple)
    assert rows % multiple == columns % multiple == 0 and min(rows, columns) >= multiple
    aspect = min(max(width / height, 1 / LONGEST_ASPECT), LONGEST_ASPECT)
    down, across = side / aspect**0.5, side * aspect**0.5
    assert rows == pytest.approx(max(down, multiple), abs=multiple / 2 + 1e-6)
    assert columns == pytest.approx(max(across, multiple), abs=multiple / 2 + 1e-6)
    assert network_size(height, width, side, multiple) == (columns, rows)
