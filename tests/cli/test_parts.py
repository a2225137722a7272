"""Methods of several parts at the command line: their weights, and their training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from colorcli.checkpoints import store
from colorcli.checkpoints.manifest import read_manifest, write_manifest
from colorcli.methods.registry import networks_of
from colorcli.train import session

Call = Callable[..., "object"]


@pytest.fixture
def shipped(
    tmp_path: Path, stylization_weights: tuple[Path, Path], colorize: Call, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder of shipped weights that holds both parts, put there by `weights export`."""
    folder = tmp_path / "shipped" / "weights"
    for file in stylization_weights:
        assert colorize("weights", "export", file, "-o", folder).code == 0
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / "shipped" / name)
    return folder


def test_the_weights_of_each_part(shipped: Path, colorize: Call) -> None:
    """Oracle: METHOD-PART-VARIANT, as single methods' files are called; list, path and verify have a line for each."""
    files = ["stylization-colorization-compact.safetensors", "stylization-transfer-compact.safetensors"]
    assert [entry.file for entry in read_manifest(shipped / "manifest.toml")] == files
    assert [json.loads(line)["file"] for line in colorize("weights", "list", "--json").out.splitlines()] == files
    assert colorize("weights", "verify").out.splitlines() == [f"{file}: whole" for file in files]
    assert colorize("weights", "path", "stylization").out.splitlines() == [str(shipped / file) for file in files[::-1]]
    assert colorize("weights", "path", "stylization-colorization").out == f"{shipped / files[0]}\n"


def test_methods_tells_the_parts(shipped: Path, colorize: Call) -> None:
    """Oracle: the registry and the manifest; the table names the files, whose variants are alike."""
    rows = {row["name"]: row for row in json.loads(colorize("methods", "--json").out)}
    assert rows["stylization"]["parts"] == [part.name for part in networks_of("stylization")]
    assert rows["smsanet"]["parts"] == [] and rows["stylization"]["trainable"] is True
    found = {(held["file"], held["variant"]) for held in rows["stylization"]["weights"]}
    assert found == {(entry.file, "compact") for entry in read_manifest(shipped / "manifest.toml")}
    assert "stylization-transfer" in colorize("methods").out.replace("\n", "")


def test_half_of_a_method_is_no_method(shipped: Path, colorize: Call) -> None:
    """Oracle: doctor: both parts: sound; one alone: BAD, with what is missing; none: not its matter."""
    assert colorize("doctor").code == 0
    transfer = read_manifest(shipped / "manifest.toml")[1]
    write_manifest(shipped / "manifest.toml", [transfer])
    answer = colorize("doctor")
    (line,) = [line for line in answer.out.splitlines() if line.startswith("BAD")]
    assert answer.code == 1 and "stylization cannot run without weights of stylization-colorization" in line
    answer = colorize("weights", "path", "stylization")
    assert answer.code == 4 and "colorize train stylization-colorization" in answer.err


def test_each_part_is_trained_alone(tmp_path: Path, colorize: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the request that reaches training: `--part` and the part's own name are the same."""
    requests: list[session.TrainRequest] = []
    monkeypatch.setattr(session, "run_training", lambda request, _: requests.append(request) or tmp_path)  # type: ignore
    for words in (("stylization", "--part", "transfer"), ("stylization-transfer",)):
        assert colorize("train", *words, tmp_path, "-o", tmp_path / "run").code == 0
    assert [request.method for request in requests] == ["stylization-transfer"] * 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("stylization",), "say --part transfer or --part colorization"),
        (("stylization", "--part", "decoder"), "has no part 'decoder'; it has: transfer, colorization"),
        (("smsanet", "--part", "transfer"), "smsanet has no part 'transfer'; it has: one network, and no parts"),
        (("nothing", "--part", "transfer"), "no method is called 'nothing'"),
    ],
)
def test_parts_that_cannot_be_trained(words: tuple[str, ...], reason: str, tmp_path: Path, colorize: Call) -> None:
    """Oracle: exit 2 with what there is; nothing is written."""
    answer = colorize("train", *words, tmp_path, "-o", tmp_path / "run")
    assert answer.code == 2 and reason in answer.err and not (tmp_path / "run").exists()
