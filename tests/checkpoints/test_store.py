"""Where weights lie, and whether they are what the manifest says."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from colorcli.checkpoints import store
from colorcli.checkpoints.manifest import Entry, write_manifest
from colorcli.errors import WeightsError
from colorcli.media.places import sha256_of

CONTENT = b"weights" * 1000


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A weights folder of one file, in place of the shipped one."""
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / name)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "one.bin").write_bytes(CONTENT)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    entry = Entry("one.bin", "smsanet", "compact", sha256, len(CONTENT), "MIT", "a test")
    write_manifest(tmp_path / "weights" / "manifest.toml", [entry])
    return entry


def test_sha256(tmp_path: Path) -> None:
    """Oracle: FIPS 180-2's example, "abc"."""
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "abc") == expected


def test_find_and_verify(entry: Entry, tmp_path: Path) -> None:
    """Oracle: the fixture."""
    assert store.find("smsanet") == entry
    assert store.path_of(entry) == tmp_path / "weights" / "one.bin"
    assert store.verify(entry) == tmp_path / "weights" / "one.bin"


@pytest.mark.parametrize(("method", "variant"), [("agin", "compact"), ("smsanet", "paper")])
def test_what_is_not_shipped_says_how_to_get_it(entry: Entry, method: str, variant: str) -> None:
    """Oracle: house rule 9; exit code 4."""
    del entry
    told = rf"{method} \({variant}\); make them with `colorize train {method} .* --variant {variant} .* --weights "
    with pytest.raises(WeightsError, match=told) as caught:
        store.find(method, variant)
    assert caught.value.exit_code == 4


def test_missing(entry: Entry) -> None:
    """Oracle: the contract: named, with the command that mends it."""
    store.path_of(entry).unlink()
    with pytest.raises(
        WeightsError, match=r"one\.bin are missing; mend it in the clone with `git checkout -- weights && pip"
    ):
        store.verify(entry)


@pytest.mark.parametrize("length", [0, 1, len(CONTENT) - 1, len(CONTENT) + 1])
def test_short_or_long(entry: Entry, length: int) -> None:
    """Oracle: the contract: both sizes, and the command."""
    store.path_of(entry).write_bytes((CONTENT + b"!")[:length])
    with pytest.raises(WeightsError, match=rf"{length} bytes, the manifest says {len(CONTENT)}; mend it"):
        store.verify(entry)


@pytest.mark.parametrize("place", [0, 3500, len(CONTENT) - 1])
def test_one_bit_altered(entry: Entry, place: int) -> None:
    """Oracle: the contract: same size, other sha256."""
    data = bytearray(CONTENT)
    data[place] ^= 1
    store.path_of(entry).write_bytes(data)
    with pytest.raises(WeightsError, match=rf"is damaged: sha256 .*expected {entry.sha256[:12]}.*mend it"):
        store.verify(entry)


def test_upper_case_digest_is_another(entry: Entry) -> None:
    """Oracle: the manifest says lower-case hexadecimal; anything else is taken for damage, never for a match."""
    with pytest.raises(WeightsError, match="is damaged"):
        store.verify(dataclasses.replace(entry, sha256=entry.sha256.upper()))


@pytest.mark.parametrize("call", ["is_file", "stat", "open"])
def test_unreadable(entry: Entry, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the contract: a refusal by the system, simulated (root is refused nothing), is exit 4 by name."""
    asked = os if call == "open" else Path
    genuine = getattr(asked, call)

    def refuse(path: Any, *arguments: Any, **named: Any) -> Any:
        if Path(path).name == entry.file:
            raise PermissionError(13, "Permission denied")
        return genuine(path, *arguments, **named)

    monkeypatch.setattr(asked, call, refuse)
    with pytest.raises(WeightsError, match=r"one\.bin cannot be read \(Permission denied\)") as caught:
        store.verify(entry)
    assert caught.value.exit_code == 4


def test_shipped_folders_are_found() -> None:
    """Oracle: this very installation: the manifest and the default recipe are read from there."""
    assert (store.shipped_folder("weights") / "manifest.toml").is_file()
    assert (store.shipped_folder("training") / "smsanet" / "default.toml").is_file()
