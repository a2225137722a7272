"""doctor: each thing is tried, and what is broken is said instead of raised."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from colorcli.checkpoints import store
from colorcli.checkpoints.manifest import Entry, write_manifest
from colorcli.run import doctor


def test_everything_a_run_needs_is_looked_at() -> None:
    """Oracle: the list of product.md: devices, libraries, ffmpeg, weights; all sound on a machine that passes tests."""
    findings = {finding.what: finding for finding in doctor.examine()}
    assert {"python", "torch", "libvips", "device", "ffmpeg"} <= findings.keys()
    assert findings["libvips"].found.count(".") == 2
    assert [finding for finding in findings.values() if not finding.sound] == []


def test_damaged_and_missing_weights_are_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: a manifest of two files: one damaged, one missing; both unsound, with the mend."""
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / name)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.safetensors").write_bytes(b"damaged")
    entry = Entry("a.safetensors", "smsanet", "compact", "0" * 64, 7, "MIT", "a test")
    gone = Entry(**{**asdict(entry), "file": "gone.safetensors"})
    write_manifest(tmp_path / "weights" / "manifest.toml", [entry, gone])
    weights = [finding for finding in doctor.examine() if finding.what == "weights"]
    assert [finding.sound for finding in weights] == [False, False]
    assert "damaged" in weights[0].found and "missing" in weights[1].found
    assert all("pip install" in finding.found for finding in weights)


def test_a_broken_library_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the exception's own words; the other findings are still there."""

    def broken() -> str:
        raise OSError("cannot load library libvips.so.42")

    monkeypatch.setattr(doctor, "_libvips", broken)
    findings = {finding.what: finding for finding in doctor.examine()}
    assert not findings["libvips"].sound and "libvips.so.42" in findings["libvips"].found
    assert findings["device"].sound
