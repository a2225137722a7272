"""The manifest of shipped weights."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colorcli.checkpoints.manifest import Entry, read_manifest, write_manifest
from colorcli.errors import WeightsError

ENTRY = Entry("b.safetensors", "smsanet", "compact", "ab" * 32, 15_123_456, "MIT", "70 minutes on 2 cores")
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)  # all of Unicode but lone surrogates


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.builds(Entry, text, text, text, text, st.integers(0, 2**40), text, text), max_size=3))
def test_round_trip(tmp_path: Path, entries: list[Entry]) -> None:
    """Oracle: the entries themselves, sorted by file: any quote, backslash, line break or control character in them."""
    path = tmp_path / "manifest.toml"
    write_manifest(path, entries)
    assert read_manifest(path) == tuple(sorted(entries, key=lambda entry: entry.file))


def test_quotes_and_control_characters(tmp_path: Path) -> None:
    """Oracle: tomllib, the standard library's reader."""
    source = 'said "so" in C:\\weights\n\t\r\x00\x7f\x1b €'
    entry = Entry("a.safetensors", "smsanet", "paper", "0" * 64, 1, "MIT", source)
    write_manifest(tmp_path / "manifest.toml", [ENTRY, entry])
    tables = tomllib.loads((tmp_path / "manifest.toml").read_text(encoding="utf-8"))["weights"]
    assert [table["file"] for table in tables] == ["a.safetensors", "b.safetensors"]
    assert tables[0]["source"] == source
    assert tables[1]["bytes"] == 15_123_456
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.toml"]


def test_empty_and_missing(tmp_path: Path) -> None:
    """Oracle: the contract: an empty manifest ships nothing; one that is not there is named, with what to do."""
    (tmp_path / "manifest.toml").touch()
    assert read_manifest(tmp_path / "manifest.toml") == ()
    with pytest.raises(WeightsError, match=r"gone\.toml; install colorize again"):
        read_manifest(tmp_path / "gone.toml")


def test_unreadable(tmp_path: Path) -> None:
    """Oracle: the system's own reason: a folder in the manifest's place."""
    (tmp_path / "manifest.toml").mkdir()
    with pytest.raises(WeightsError, match=r"manifest\.toml cannot be read \(Is a directory\)"):
        read_manifest(tmp_path / "manifest.toml")


@pytest.mark.parametrize(
    "content",
    [
        b"[[weights]]\nfile = ",
        b'[[weights]]\nfile = "a"\n',
        b"[[weights]]\ncolour = 1\n",
        b"weights = 3\n",
        b'weights = ["a"]\n',
        b"\xff\xfe",
    ],
)
def test_damaged(tmp_path: Path, content: bytes) -> None:
    """Oracle: the contract, for what is no TOML, lacks keys, has others, or is no table."""
    path = tmp_path / "manifest.toml"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"manifest\.toml is damaged .*install colorize again"):
        read_manifest(path)
