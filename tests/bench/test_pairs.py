"""The protocol of given pairs: do results take their colours from the reference that they were given?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import lab2rgb
from torch import Tensor

from colorcli.bench.pairs import Likeness, compare, likeness, matched_pairs, read_pairs
from colorcli.color.lab import rgb_to_lab
from colorcli.errors import ColorizeError, UsageError
from colorcli.loader import LoadedMethod
from colorcli.media.places import sha256_of
from colorcli.methods.registry import METHODS

_TINTS = {"red.png": (30, 0), "blue.png": (0, -30), "green.png": (-30, 30)}  # CIE ab, middles of bins


def _method(predict: Callable[[Tensor, Tensor], Tensor]) -> LoadedMethod:
    """embed: the reference's mean ab, (1, 2)."""

    def embed(rgb: Tensor) -> Tensor:
        return rgb_to_lab(rgb)[:, 1:].mean((2, 3))

    return LoadedMethod(
        METHODS["color2embed"], predict, torch.device("cpu"), torch.float32, "0" * 64, 32, {}, None, embed, embed
    )


def _painted(lightness: Tensor, z: Tensor) -> Tensor:
    return z[:, :, None, None].expand(-1, -1, *lightness.shape[2:])


def _deaf(lightness: Tensor, z: Tensor) -> Tensor:
    return _painted(lightness, torch.tensor([[30.0, 0.0]]).expand(len(z), -1))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three gray targets of L = 50 , each of its own width, and a reference of one colour for each."""
    rows = ["target,reference"]
    for index, (name, tint) in enumerate(_TINTS.items()):
        lab = np.full((40, 60, 3), 50.0)
        lab[..., 1:] = tint
        Image.fromarray(np.rint(255 * lab2rgb(lab)).astype(np.uint8)).save(tmp_path / name)
        Image.fromarray(np.full((40, 50 + index), 119, np.uint8)).save(tmp_path / f"target-{index}.png")
        rows.append(f"target-{index}.png,{name}")
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "pairs.csv"


def test_a_method_that_paints_its_references_colour_is_always_first(table: Path) -> None:
    """Closed form: references of one colour each, painted as it is: similarity 1 to the given one and 0 to the others.

    Exact: the colours are in the middle of their bins, in gamut at L = 50, and rounding to 8 bits moves ab by under 1.
    """
    found = compare(_method(_painted), read_pairs(table))
    row = found.rows[-1]
    assert row.name == "color2embed"
    assert row.own == Likeness(results=3, given=1, others=0, rank=1, first=3)
    assert row.every == Likeness(results=9, given=1, others=0, rank=1, first=9)
    assert torch.equal(found.matrix, torch.eye(3, dtype=torch.float64))
    assert torch.equal(found.given, torch.ones(3, 3, dtype=torch.float64))
    assert torch.equal(found.ranks, torch.ones(3, 3, dtype=torch.float64))
    assert found.rows[1].own == row.own  # flat tint does just that here


def test_a_method_that_is_deaf_to_its_reference_is_at_chance(table: Path) -> None:
    """By hand: always the first reference's colour: its row is first, the two others tie at places 2 and 3.

    Mean rank (1 + 2.5 + 2.5) / 3 = 2, as of gray, which shares no bin with any of them: three ties at place 2.
    """
    gray, _, row = compare(_method(_deaf), read_pairs(table)).rows
    assert row.own == Likeness(results=3, given=pytest.approx(1 / 3), others=pytest.approx(1 / 3), rank=2, first=1)
    assert row.every == Likeness(results=9, given=pytest.approx(1 / 3), others=pytest.approx(1 / 3), rank=2, first=3)
    assert gray.own == Likeness(results=3, given=0, others=0, rank=2, first=0)


def test_likeness_by_hand() -> None:
    """Oracle: counted by hand."""
    alike = torch.tensor([[0.5, 0.25], [0.75, 0.25]], dtype=torch.float64)
    assert likeness(alike, torch.tensor([0, 1])) == Likeness(results=2, given=0.375, others=0.5, rank=1.5, first=1)


def test_files_that_are_the_same_are_there_once(table: Path) -> None:
    """Oracle: the set of contents: a shared target, a copy of a reference under another name, a row twice."""
    folder = table.parent
    shutil.copy(folder / "red.png", folder / "copy.png")
    table.write_text(
        "\ufefftarget, reference, note\n"
        "target-0.png, red.png, x\n"
        "target-0.png, blue.png, x\n"
        "target-1.png, copy.png, x\n"
        "\n"
        f"{folder / 'target-0.png'}, copy.png, x\n"
        "target-2.png, green.png, x\n"
    )
    pairs = read_pairs(table)
    assert [one.name for one in pairs.targets] == ["target-0.png", "target-1.png", "target-2.png"]
    assert [one.name for one in pairs.references] == ["red.png", "blue.png", "green.png"]
    assert pairs.own == ((0, 0), (0, 1), (1, 0), (2, 2))
    row = compare(_method(_painted), pairs).rows[-1]
    assert (row.own.results, row.own.first, row.every.results, row.every.first) == (4, 4, 9, 9)
    assert read_pairs(table, limit=2).own == ((0, 0), (0, 1))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"target,other\na,b\n", "no column reference"),
        (b"", "no column target and no column reference"),
        (b"target,reference\ntarget-0.png\n", "line 2: expected a target and a reference"),
        (b"target,reference\ntarget-0.png,gone.png\n", r"gone.png cannot be read: No such file"),
        (b"target,reference\ntarget-0.png,red.png\ntarget-1.png,red.png\n", r"names 1 reference\(s\)"),
        (b"target,reference\n\xff\xfe,red.png\n", "not a readable table"),
    ],
)
def test_wrong_tables_are_named(table: Path, content: bytes, said: str) -> None:
    """Oracle: the contract: what was found, before anything is coloured."""
    table.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_pairs(table)


def test_photos_that_do_not_serve_are_named(table: Path) -> None:
    """Oracle: the contract: a gray reference, a damaged target, a network that gives NaN."""

    def broken(lightness: Tensor, z: Tensor) -> Tensor:
        return torch.nan * _painted(lightness, z)

    with pytest.raises(ColorizeError, match=r"target-0.png after red.png: color2embed gave non-finite"):
        compare(_method(broken), read_pairs(table))
    (table.parent / "target-1.png").write_bytes(b"no photo")
    with pytest.raises(UsageError, match=r"target target-1.png: "):
        compare(_method(_painted), read_pairs(table))
    shutil.copy(table.parent / "target-0.png", table.parent / "blue.png")
    with pytest.raises(UsageError, match=r"reference blue.png is gray"):
        compare(_method(_painted), read_pairs(table))


def test_the_command(table: Path, colorize: Callable[..., Any], exemplar_weights: Path) -> None:
    """Oracle: the shapes that the table's text gives; the matrix' own column is the table of what was given."""
    arguments = ("bench", "quality", "-m", "color2embed", "--weights", exemplar_weights, "-d", "cpu", "--pairs", table)
    told = json.loads(colorize(*arguments, "--json").out)
    assert (told["method"], told["weights"]) == ("color2embed", sha256_of(exemplar_weights))
    assert told["device"].startswith("cpu (") and {"variant", "precision", "versions"} <= told.keys()
    assert told["targets"] == [f"target-{index}.png" for index in range(3)] and told["references"] == list(_TINTS)
    matrix, given, ranks = (np.array(told[name]) for name in ("matrix", "given", "ranks"))
    assert matrix.shape == given.shape == ranks.shape == (3, 3)
    np.testing.assert_array_equal(np.diagonal(matrix), np.diagonal(given))
    row = told["rows"][-1]
    assert row["own"]["given"] == pytest.approx(np.diagonal(matrix).mean())
    assert row["every"]["rank"] == pytest.approx(ranks.mean()) and row["every"]["given"] == pytest.approx(given.mean())
    text = colorize(*arguments).out
    assert text.splitlines()[1].startswith(f"Color2Embed, weights {told['weights'][:12]}, on {told['device']}, ")
    assert "given pairs" in text.splitlines()[0] and "3 pairs of 3 targets and 3 references" in text
    assert "2 is chance" in text and text.count("color2embed") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("quality", "-m", "smsanet"), "smsanet takes no reference; --pairs and --references are for -m color2embed"),
        (("quality", "-m", "color2embed", "--data", "."), "two protocols"),
        (("quality", "-m", "color2embed,multimodal"), "one method at a time"),
        (("quality", "-m", "color2embed", "--references", "."), "two protocols"),
        (("speed", "-m", "color2embed"), "No such option: --pairs"),
    ],
)
def test_what_does_not_go_together(
    table: Path, colorize: Callable[..., Any], arguments: tuple[str, ...], said: str
) -> None:
    """Oracle: exit 2 and the reason, before weights are looked for."""
    answer = colorize("bench", *arguments, "--pairs", table)
    assert answer.code == 2 and said in answer.err and answer.out == ""


@pytest.fixture
def matching(table: Path) -> tuple[Path, Path]:
    """The table's targets in one folder and their references, by their stems, in another; one below a folder."""
    targets, references = table.parent / "targets", table.parent / "references"
    (targets / "deep").mkdir(parents=True)
    references.mkdir()
    for index, name in enumerate(_TINTS):
        below = targets / "deep" if index else targets
        shutil.copy(table.parent / f"target-{index}.png", below / f"{Path(name).stem}.png")
        shutil.copy(table.parent / name, references / name)
    return targets, references


def test_two_folders_are_the_pairs_of_their_names(
    matching: tuple[Path, Path], table: Path, colorize: Callable[..., Any], exemplar_weights: Path
) -> None:
    """Oracle: the same files given as a table: the same matrix, but for the order of the names."""
    arguments = ("bench", "quality", "-m", "color2embed", "--weights", exemplar_weights, "-d", "cpu", "--json")
    answer = colorize(*arguments, "--data", matching[0], "--references", matching[1])
    assert answer.code == 0, answer.err
    told, expected = json.loads(answer.out), json.loads(colorize(*arguments, "--pairs", table).out)
    assert all(Path(target).stem == Path(reference).stem for target, reference in told["pairs"])
    assert len(told["pairs"]) == 3
    assert sorted(np.diagonal(told["given"])) == sorted(np.diagonal(expected["given"]))
    assert told["rows"][2]["own"] == pytest.approx(expected["rows"][2]["own"])


def test_photos_without_their_reference_are_named(matching: tuple[Path, Path]) -> None:
    """Oracle: the contract: every such photo, by its path; a reference more is none's matter."""
    targets, references = (str(folder) for folder in matching)
    assert len(matched_pairs(targets, references, 2).own) == 2
    (matching[1] / "green.png").rename(matching[1] / "spare.png")
    with pytest.raises(UsageError, match=r"not every photo .*deep/green\.png: no reference is called green"):
        matched_pairs(targets, references)
    shutil.copy(matching[1] / "spare.png", matching[1] / "green.png")
    shutil.copy(matching[1] / "spare.png", matching[1] / "green.tif")
    with pytest.raises(UsageError, match=r"deep/green\.png: 2 references are called green"):
        matched_pairs(targets, references)
    (matching[0] / "empty").mkdir()
    with pytest.raises(UsageError, match="empty holds no photo"):
        matched_pairs(targets, str(matching[0] / "empty"))
