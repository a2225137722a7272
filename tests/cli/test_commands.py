"""The small commands: samples, methods, weights, doctor."""

from __future__ import annotations

import json
import pickle
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorcli.checkpoints import store
from colorcli.checkpoints.manifest import Entry, read_manifest, write_manifest
from colorcli.media.places import sha256_of
from colorcli.methods.registry import METHODS

Call = Callable[..., "object"]


@pytest.fixture
def shipped(tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped weights that holds the tiny network."""
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / "shipped" / name)
    folder = tmp_path / "shipped" / "weights"
    folder.mkdir(parents=True)
    name = "smsanet-compact.safetensors"
    (folder / name).write_bytes(tiny_weights.read_bytes())
    sha256, size = sha256_of(tiny_weights), tiny_weights.stat().st_size
    write_manifest(folder / "manifest.toml", [Entry(name, "smsanet", "compact", sha256, size, "MIT", "a test")])
    return folder


def test_samples_are_gray_photographs_and_stay(tmp_path: Path, colorize: Call, files_in: Call) -> None:
    """Oracle: scikit-image's photographs weighted by BT.601, within 3 on average (JPEG 95); a second call changes
    nothing, also not a file that a person changed."""
    folder = tmp_path / "new" / "samples"
    first = colorize("samples", folder)
    assert first.code == 0 and first.err == ""
    paths = [Path(line) for line in first.out.splitlines()]
    assert len(paths) >= 3 and all(path.parent == folder for path in paths)
    for path in paths:
        picture = Image.open(path)
        assert picture.mode == "L"
        expected = getattr(data, path.stem)() @ (0.299, 0.587, 0.114)
        assert np.abs(np.asarray(picture) - expected).mean() < 3
    paths[0].write_bytes(b"mine")
    before = files_in(folder)
    assert colorize("samples", folder).out == first.out
    assert files_in(folder) == before


def test_samples_into_a_file_is_one_line(tmp_path: Path, colorize: Call) -> None:
    """Oracle: exit 1 with the reason."""
    (tmp_path / "file").touch()
    answer = colorize("samples", tmp_path / "file")
    assert answer.code == 1 and "cannot write the samples" in answer.err and len(answer.err.splitlines()) == 1


def test_methods_json_tells_the_facts(shipped: Path, colorize: Call) -> None:
    """Oracle: the registry and the manifest."""
    answer = colorize("methods", "--json")
    assert answer.code == 0
    rows = {row["name"]: row for row in json.loads(answer.out)}
    assert list(rows) == [spec.name for spec in METHODS]
    for spec in METHODS:
        assert (rows[spec.name]["task"], rows[spec.name]["year"]) == (spec.task, spec.year)
        assert rows[spec.name]["variants"] == list(spec.variants)
    size = (shipped / "smsanet-compact.safetensors").stat().st_size
    expected = [{"file": "smsanet-compact.safetensors", "variant": "compact", "bytes": size}]
    assert rows["smsanet"]["weights"] == expected and rows["agin"]["weights"] == []
    (shipped / "smsanet-compact.safetensors").unlink()
    assert json.loads(colorize("methods", "--json").out)[0]["weights"] == []


@pytest.mark.usefixtures("shipped")
def test_methods_table_names_each_method(colorize: Call) -> None:
    """Oracle: the registry."""
    answer = colorize("methods")
    assert answer.code == 0 and all(spec.name in answer.out for spec in METHODS) and "none" in answer.out


def test_weights_list(shipped: Path, colorize: Call) -> None:
    """Oracle: the manifest, field by field; a missing file is told."""
    (line,) = colorize("weights", "list", "--json").out.splitlines()
    (entry,) = read_manifest(shipped / "manifest.toml")
    assert json.loads(line) == {
        "file": entry.file,
        "method": "smsanet",
        "variant": "compact",
        "sha256": entry.sha256,
        "bytes": entry.bytes,
        "licence": "MIT",
        "source": "a test",
        "present": True,
    }
    (shipped / entry.file).unlink()
    assert "MISSING" in colorize("weights", "list").out
    assert json.loads(colorize("weights", "list", "--json").out)["present"] is False


def test_weights_path(shipped: Path, colorize: Call) -> None:
    """Oracle: the file is there; a method without weights exits 4, an unknown one 2, with those that there are."""
    answer = colorize("weights", "path", "smsanet")
    assert (answer.code, answer.out) == (0, f"{shipped / 'smsanet-compact.safetensors'}\n")
    assert colorize("weights", "path", "agin").code == 4
    unknown = colorize("weights", "path", "nonsense")
    assert unknown.code == 2 and "siggraph17" in unknown.err


def test_weights_verify(shipped: Path, colorize: Call) -> None:
    """Oracle: whole: exit 0 and a line each; one bit flipped: exit 4 with the mend."""
    assert colorize("weights", "verify").out == "smsanet-compact.safetensors: whole\n"
    assert colorize("weights", "verify", "-q").out == ""
    path = shipped / "smsanet-compact.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    answer = colorize("weights", "verify")
    assert (
        answer.code == 4
        and "damaged" in answer.err
        and "git checkout -- weights && pip install --force-reinstall" in answer.err
    )


def test_weights_verify_looks_at_every_file(shipped: Path, tiny_weights: Path, colorize: Call) -> None:
    """Oracle: a manifest of three: missing, whole, damaged: exit 4, both bad ones named, the whole one told."""
    (entry,) = read_manifest(shipped / "manifest.toml")
    entries = [replace(entry, file=name) for name in ("a.safetensors", "b.safetensors", "c.safetensors")]
    write_manifest(shipped / "manifest.toml", entries)
    (shipped / "b.safetensors").write_bytes(tiny_weights.read_bytes())
    (shipped / "c.safetensors").write_bytes(bytes(entry.bytes))
    answer = colorize("weights", "verify")
    assert answer.code == 4 and answer.out == "b.safetensors: whole\n"
    assert "a.safetensors are missing" in answer.err and "c.safetensors is damaged" in answer.err


def test_weights_verify_of_an_empty_manifest(shipped: Path, colorize: Call) -> None:
    """Oracle: exit 4 with the mend: nothing to verify is not all well; doctor says so too."""
    write_manifest(shipped / "manifest.toml", [])
    answer = colorize("weights", "verify")
    assert answer.code == 4 and answer.out == "" and "lists none" in answer.err
    assert "git checkout -- weights && pip install --force-reinstall" in answer.err
    doctor = colorize("doctor")
    assert doctor.code == 1 and any("BAD" in line and "lists none" in line for line in doctor.out.splitlines())


def test_weights_that_cannot_be_read(
    shipped: Path,
    tiny_weights: Path,
    photos: Path,
    tmp_path: Path,
    colorize: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Oracle: product.md: exit 4 of `verify`, which goes on to the second file, and of `auto`; doctor's screen."""
    (entry,) = read_manifest(shipped / "manifest.toml")
    write_manifest(shipped / "manifest.toml", [entry, replace(entry, file="z.safetensors", variant="paper")])
    (shipped / "z.safetensors").write_bytes(tiny_weights.read_bytes())

    def refuse(path: Path) -> str:
        if path.name == entry.file:
            raise OSError(5, "Input/output error")
        return sha256_of(path)

    monkeypatch.setattr(store, "sha256_of", refuse)
    words = f"{entry.file} cannot be read (Input/output error)"
    answer = colorize("weights", "verify")
    assert answer.code == 4 and answer.out == "z.safetensors: whole\n" and words in answer.err
    answer = colorize("auto", photos, "-o", tmp_path / "out", "-d", "cpu")
    assert answer.code == 4 and words in answer.err and not (tmp_path / "out").exists()
    answer = colorize("doctor")
    assert answer.code == 1 and any("BAD" in line and words in line for line in answer.out.splitlines())


def test_a_manifest_that_cannot_be_read(shipped: Path, photos: Path, tmp_path: Path, colorize: Call) -> None:
    """Oracle: exit 4 with the system's reason, a folder being in its place; doctor shows its screen."""
    (shipped / "manifest.toml").unlink()
    (shipped / "manifest.toml").mkdir()
    words = "manifest.toml cannot be read (Is a directory)"
    for arguments in (("weights", "verify"), ("weights", "list"), ("auto", photos, "-o", tmp_path / "out")):
        answer = colorize(*arguments)
        assert answer.code == 4 and words in answer.err and answer.out == ""
    answer = colorize("doctor")
    assert answer.code == 1 and any("BAD" in line and words in line for line in answer.out.splitlines())


def test_the_weights_of_this_tree_are_whole(colorize: Call) -> None:
    """Oracle: the manifest that ships: size and sha256 of every file in it."""
    answer = colorize("weights", "verify")
    entries = read_manifest(store.shipped_folder("weights") / "manifest.toml")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines() == [f"{entry.file}: whole" for entry in entries]


def test_weights_export(tiny_weights: Path, tmp_path: Path, colorize: Call) -> None:
    """Oracle: the exported folder's own manifest verifies; the bytes are the run's; a second export replaces it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "weights.safetensors").write_bytes(tiny_weights.read_bytes())
    for source in (tmp_path / "run", tiny_weights):
        answer = colorize("weights", "export", source, "-o", tmp_path / "weights")
        assert answer.code == 0 and sha256_of(tiny_weights) in answer.out
    (entry,) = read_manifest(tmp_path / "weights" / "manifest.toml")
    assert (entry.method, entry.variant, entry.bytes) == ("smsanet", "compact", tiny_weights.stat().st_size)
    assert (tmp_path / "weights" / entry.file).read_bytes() == tiny_weights.read_bytes()
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == ["manifest.toml", entry.file]


def test_weights_export_of_nothing_exits_4(tmp_path: Path, colorize: Call) -> None:
    """Oracle: a run's folder without exported weights."""
    (tmp_path / "run").mkdir()
    answer = colorize("weights", "export", tmp_path / "run", "-o", tmp_path / "weights")
    assert answer.code == 4 and not (tmp_path / "weights").exists()


def test_doctor(colorize: Call) -> None:
    """Oracle: exit 0 where the tests run; JSON and screen tell the same findings."""
    screen, listed = colorize("doctor"), colorize("doctor", "--json")
    assert screen.code == listed.code == 0, screen.out
    findings = json.loads(listed.out)
    assert all(finding["sound"] for finding in findings)
    assert len(screen.out.splitlines()) == len(findings) and "libvips" in screen.out


def test_doctor_exits_1_where_something_is_broken(shipped: Path, colorize: Call) -> None:
    """Oracle: missing weights are BAD."""
    (shipped / "smsanet-compact.safetensors").unlink()
    answer = colorize("doctor")
    assert answer.code == 1 and any(line.startswith("BAD  weights") for line in answer.out.splitlines())


@pytest.mark.parametrize("ending", [".txt", ".json"])
def test_doctor_reports_nothing_of_the_person(
    ending: str, tmp_path: Path, colorize: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: what a bug report needs is there; a home, a user and a machine of strange names are not, though the
    environment, which is told, names all three."""
    home = tmp_path / "Zquartz Home" / "zquillon"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "zqx")
    monkeypatch.setattr(platform, "node", lambda: "zquark.example.org")
    monkeypatch.setenv("COLORIZE_DATA", f"{home}/scans:/data/zqx/a:/mnt/zquark/b:/mnt/zquark.example.org/c")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    place = home / f"report{ending}"
    answer = colorize("doctor", "--report", place)
    assert answer.code == 0
    text = place.read_text()
    assert not [name for name in (str(home), "zquillon", "zqx", "zquark", platform.node()) if name in text]
    assert "~/scans:/data/USER/a:/mnt/HOST/b:/mnt/HOST/c" in text
    sha256 = [entry.sha256 for entry in read_manifest(store.shipped_folder("weights") / "manifest.toml")]
    words = ("OMP_NUM_THREADS", "libvips", "torch", "total", "cores of this process", "here", "precision", *sha256)
    assert not [word for word in words if word not in text]
    if ending == ".json":
        told = json.loads(text)["report of colorize doctor"]
        assert told["environment"]["OMP_NUM_THREADS"] == "3"
        assert all(isinstance(value, int) and value > 0 for value in told["free disk, MB"].values())
        assert all(weights["whole"] for weights in told["weights"])
        assert {finding["what"] for finding in told["findings"]} >= {"colorize", "device", "ffmpeg", "weights"}
    else:
        assert all(line in text for line in answer.out.splitlines() if str(home) not in line)
    assert colorize("doctor", "--report", place).code == 0  # its own may be replaced


@pytest.mark.parametrize(("name", "code"), [("mine.txt", 1), ("mine.json", 1), ("mine.html", 2), ("", 2)])
def test_doctor_replaces_no_file_of_others(name: str, code: int, tmp_path: Path, colorize: Call) -> None:
    """Oracle: exit 1 and the file's bytes; with --overwrite a report; other endings and folders are usage errors."""
    place = tmp_path / name
    if name:
        place.write_text("mine")
    answer = colorize("doctor", "--report", place)
    assert answer.code == code and answer.out == ""
    if code == 1:
        assert place.read_text() == "mine" and "--overwrite" in answer.err
        assert colorize("doctor", "--report", place, "--overwrite").code == 0
        assert "report of colorize doctor" in place.read_text()


@pytest.mark.parametrize("module", ["torch", "pyvips", "cv2"])
def test_doctor_without_a_library(module: str, tmp_path: Path) -> None:
    """Oracle: a fresh process in which the import fails: exit 1, the library is BAD, the screen and the report are
    whole."""
    code = f"import sys; sys.modules[{module!r}] = None; from colorcli.cli import main; main()"
    place = tmp_path / "report.txt"
    answer = subprocess.run([sys.executable, "-c", code, "doctor", "--report", place], capture_output=True, text=True)
    bad = [line for line in answer.stdout.splitlines() if line.startswith("BAD")]
    assert answer.returncode == 1 and any(module in line for line in bad), answer
    assert "python" in answer.stdout and "free disk" in place.read_text()


def _renamed(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def _pickled(path: Path, _: Path) -> None:
    path.write_bytes(pickle.dumps({"a": 1}))


def _tampered(path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 8
    path.write_bytes(content)


def _truncated(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize("harm", [_tampered, _truncated, _renamed, _pickled])
def test_weights_that_are_not_what_they_were(
    harm: Callable[[Path, Path], None],
    shipped: Path,
    tiny_weights: Path,
    exemplar_weights: Path,
    photos: Path,
    tmp_path: Path,
    colorize: Call,
) -> None:
    """Oracle: exit 4, the file is named, nothing is written: of shipped ones, of the same file named, of a file
    elsewhere; `weights verify` says so too, and doctor ends with 1. Renamed is another method's file of that name."""
    path = shipped / "smsanet-compact.safetensors"
    elsewhere = tmp_path / "my.safetensors"
    elsewhere.write_bytes(tiny_weights.read_bytes())
    harm(path, exemplar_weights)
    harm(elsewhere, exemplar_weights)
    for named in ((), ("--weights", path), ("--weights", elsewhere)):
        answer = colorize("auto", photos, "-o", tmp_path / "out", "-d", "cpu", *named)
        name = elsewhere.name if elsewhere in named else path.name
        assert answer.code == 4 and name in answer.err and answer.out == "" and "Traceback" not in answer.err
    assert not (tmp_path / "out").exists()
    assert colorize("weights", "verify").code == 4
    answer = colorize("doctor")
    assert answer.code == 1 and any("BAD" in line and path.name in line for line in answer.out.splitlines())
