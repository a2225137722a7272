"""Hints through the whole stream: the hinted colour at the hinted place of the result, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch import Tensor

from colorcli.checkpoints.load import write_checkpoint
from colorcli.loader import LoadedMethod
from colorcli.media.samples import photograph
from colorcli.methods.registry import METHODS
from colorcli.methods.siggraph17.network import Siggraph17

Call = Callable[..., "object"]
_COLOR = (200, 90, 80)  # of lightness 53, as the photos have: inside the gamut there
_AB = rgb2lab(np.array([[_COLOR]], np.uint8))[0, 0, 1:]
_HINT = "#c85a50"
_WIDTH, _HEIGHT = 403, 301  # upright; 72x56 for a network of 64 px
_SPREAD = 8 * 403 / 72  # pixels: recombination's two windows of radius 3, binning and enlarging, a network pixel each


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor | None]]:
    """A siggraph17 whose chroma is the hints' own; returns what it was given, call by call."""
    calls: list[tuple[Tensor, Tensor | None]] = []

    def predict(lightness: Tensor, hints: Tensor | None = None) -> Tensor:
        calls.append((lightness, hints))
        return torch.zeros(len(lightness), 2, *lightness.shape[2:]) if hints is None else hints[:, :2]

    loaded = LoadedMethod(METHODS["siggraph17"], predict, torch.device("cpu"), torch.float32, "0" * 64, 64, {})
    monkeypatch.setattr("colorcli.run.prepared.load_method", lambda *_, **__: loaded)
    return calls


def _put_photo(path: Path, kind: str = "8-bit") -> Path:
    """A photo of one gray, upright 403x301."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "16-bit":
        Image.fromarray(np.full((_HEIGHT, _WIDTH), 128 * 257, np.uint16)).save(path)
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees: stored lying
        Image.new("L", (_HEIGHT, _WIDTH), 128).save(path, exif=exif, quality=95)
    else:
        Image.new("L", (_WIDTH, _HEIGHT), 128).save(path)
    return path


def _draw(path: Path, width: int = _WIDTH, height: int = _HEIGHT) -> Path:
    """A stroke over x 40..200 and y 60..240 of the photo, in a drawing of that size or another."""
    pixels = np.zeros((height, width, 4), np.uint8)
    scale = width / _WIDTH
    pixels[round(60 * scale) : round(240 * scale), round(40 * scale) : round(200 * scale)] = (*_COLOR, 255)
    Image.fromarray(pixels).save(path)
    return path


def _ab_of(path: Path) -> np.ndarray:
    import pyvips

    image = pyvips.Image.new_from_file(str(path))
    assert (image.width, image.height) == (_WIDTH, _HEIGHT)
    scale = 65_535 if image.format == "ushort" else 255
    return rgb2lab(image.numpy()[..., :3] / scale)[..., 1:]


_KINDS = [("8-bit", ".png"), ("16-bit", ".png"), ("turned", ".jpg")]


@pytest.mark.parametrize("size", [(403, 301), (202, 151), (1209, 903)])
@pytest.mark.parametrize(("kind", "suffix"), _KINDS)
def test_a_stroke_colours_its_place_alone(
    kind: str, suffix: str, size: tuple[int, int], tmp_path: Path, colorize: Call, echo: list[tuple[Tensor, Tensor]]
) -> None:
    """Oracle: scikit-image's ab of the drawn colour in the middle of the stroke, 1.5 (8-bit rounding, JPEG); gray
    where recombination does not spread it, 1; for odd sizes and drawings of other sizes."""
    photo = _put_photo(tmp_path / "in" / f"a{suffix}", kind)
    _draw(tmp_path / "in" / "a.hints.png", *size)
    answer = colorize("auto", photo, "-m", "siggraph17", "-o", tmp_path / "out", "-d", "cpu")
    assert answer.code == 0, answer.err
    ab = _ab_of(tmp_path / "out" / photo.name)
    assert np.abs(ab[110:190, 90:150] - _AB).max() < 1.5
    outside = np.ones((_HEIGHT, _WIDTH), bool)
    outside[max(0, int(60 - _SPREAD)) : int(240 + _SPREAD), : int(200 + _SPREAD)] = False
    assert outside.sum() > 40_000 and np.abs(ab[outside]).max() < 1
    ((lightness, hints),) = echo
    assert lightness.shape == (1, 1, 56, 72) and hints.shape == (1, 3, 56, 72)


@pytest.mark.parametrize(("kind", "suffix"), _KINDS)
def test_a_dot_colours_its_place_alone(
    kind: str, suffix: str, tmp_path: Path, colorize: Call, echo: list[tuple[Tensor, Tensor]]
) -> None:
    """Oracle: closed form of what the network receives: 5x5 about (300.5 / 403, 80.5 / 301) of 72x56, exact; in the
    result the chroma is highest there, to a network pixel, of the colour's hue, to 5 degrees, and gray far away."""
    photo = _put_photo(tmp_path / "in" / f"a{suffix}", kind)
    answer = colorize(
        "auto", photo, "--hint", f"300,80,{_HINT}", "-m", "siggraph17", "-o", tmp_path / "out", "-d", "cpu"
    )
    assert answer.code == 0, answer.err
    expected = torch.zeros(1, 3, 56, 72)
    expected[0, :, 12:17, 51:56] = torch.tensor([*_AB, 1.0])[:, None, None]  # 80.5 / 301 x 56 = 14.98; 53.7
    assert torch.allclose(echo[0][1], expected, atol=0.01)
    ab = _ab_of(tmp_path / "out" / photo.name)
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    high = np.argwhere(chroma > 0.95 * chroma.max()).mean(0)
    assert np.abs(high - (80, 300)).max() < 403 / 72 and chroma.max() > 15
    assert abs(np.degrees(np.arctan2(*ab[80, 300, ::-1]) - np.arctan2(_AB[1], _AB[0]))) < 5
    rows, columns = np.ogrid[:_HEIGHT, :_WIDTH]
    far = np.maximum(np.abs(rows - 80), np.abs(columns - 300)) > _SPREAD + 3 * 403 / 72
    assert far.sum() > 40_000 and chroma[far].max() < 1


def test_a_photo_in_a_batch_has_its_own_hints(
    tmp_path: Path, colorize: Call, echo: list[tuple[Tensor, Tensor]], files_in: Call
) -> None:
    """Oracle: each photo alone, the same bytes (a stub's arithmetic does not depend on the batch): one with a
    sidecar, one with none, one with another."""
    for name in ("a", "b", "c"):
        _put_photo(tmp_path / "in" / f"{name}.png")
    _draw(tmp_path / "in" / "a.hints.png")
    Image.new("RGBA", (_WIDTH, _HEIGHT), (80, 90, 200, 255)).save(tmp_path / "in" / "c.hints.png")
    common = ("-m", "siggraph17", "-d", "cpu")
    assert colorize("auto", tmp_path / "in", "-o", tmp_path / "together", "--batch", "3", *common).code == 0
    ((_, hints),) = echo
    assert hints.shape[0] == 3 and sorted(bool(one.any()) for one in hints) == [False, True, True]
    for name in ("a", "b", "c"):
        answer = colorize("auto", tmp_path / "in" / f"{name}.png", "-o", tmp_path / "alone", *common)
        assert answer.code == 0
    assert files_in(tmp_path / "together") == files_in(tmp_path / "alone")
    assert np.abs(_ab_of(tmp_path / "alone" / "b.png")).max() < 1 < np.abs(_ab_of(tmp_path / "alone" / "c.png")).min()


# with a network: which photos are coloured anew


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory, colorize: Call) -> Call:
    """guided(folder, ..., out=OUT): `colorize auto -m siggraph17` with random weights of 4 to 8 channels."""
    torch.manual_seed(0)
    widths = [4, 4, 8, 8]
    weights = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    write_checkpoint(weights, Siggraph17(widths), {"method": "siggraph17", "network": {"widths": widths}, "size": 64})

    def call(*arguments: object, out: Path) -> object:
        return colorize("auto", *arguments, "-o", out, "-m", "siggraph17", "--weights", weights, "-d", "cpu")

    return call


def _states(answer: object) -> dict[str, str]:
    lines = map(json.loads, answer.out.splitlines())  # type: ignore[attr-defined]
    return {
        line["file"]: line["state"] for line in lines if line.get("state") in ("done", "planned", "unchanged", "failed")
    }


def test_changed_hints_redo_just_their_photo(photos: Path, tmp_path: Path, guided: Call, files_in: Call) -> None:
    """Oracle: the files' bytes and the run's own report, foretold by --dry-run each time: a new sidecar, the same
    again, another drawing, none any more; other photos stay as they are."""
    out = tmp_path / "out"
    everything = {path.name for path in photos.iterdir()}

    def run(*arguments: object) -> set[str]:
        foretold = _states(guided(photos, "--json", "--dry-run", *arguments, out=out))
        answer = guided(photos, "--json", *arguments, out=out)
        assert answer.code == 0, answer.err
        states = _states(answer)
        assert foretold == {name: "planned" if state == "done" else state for name, state in states.items()}
        return {name for name, state in states.items() if state == "done"}

    assert run() == everything
    plain = files_in(out)
    sidecar = photos / "coffee.hints.png"
    Image.new("RGBA", (96, 96), (200, 60, 60, 255)).save(sidecar)
    assert run() == {"coffee.png"} and run() == set()
    red = files_in(out)
    assert {name for name in plain if plain[name] != red[name]} == {"coffee.png"}
    Image.new("RGBA", (96, 96), (60, 60, 200, 255)).save(sidecar)
    assert run() == {"coffee.png"}
    assert files_in(out)["coffee.png"] not in (red["coffee.png"], plain["coffee.png"])
    sidecar.unlink()
    assert run() == {"coffee.png"} and files_in(out) == plain
    hint = ("--hint", "10,10,#c03030")
    assert run(*hint) == everything and run(*hint) == set()
    assert run(*hint, "--hint", "50,50,#3030c0") == everything
    assert run() == everything and files_in(out) == plain


def test_hints_that_are_not_a_photos_fail_with_it_alone(photos: Path, tmp_path: Path, guided: Call) -> None:
    """Oracle: exit 3, each by name with its reason, in a dry run as in the run; the fourth photo is coloured."""
    Image.new("RGBA", (96, 72)).save(photos / "astronaut.hints.png")
    Image.new("RGB", (96, 96)).save(photos / "chelsea.hints.png")
    (photos / "coffee.hints.png").mkdir()
    for arguments in (("--dry-run",), ()):
        answer = guided(photos, *arguments, out=tmp_path / "out")
        assert answer.code == 3 and "3 failed" in answer.out
        assert "astronaut.png: FAILED (decode): its hints astronaut.hints.png are 96x72 pixels" in answer.err
        assert "chelsea.png: FAILED (decode): its hints chelsea.hints.png have no transparency" in answer.err
        assert "coffee.png: FAILED (decode): its hints coffee.hints.png cannot be read: Is a directory" in answer.err
    assert "1 coloured" in answer.out and (tmp_path / "out" / "rocket.png").is_file()


def test_a_dot_outside_a_photo_fails_with_it_alone(photos: Path, tmp_path: Path, guided: Call) -> None:
    """Oracle: y = 80 lies in the photos of 96x96 and outside the one of 96x72."""
    for arguments in (("--dry-run",), ()):
        answer = guided(photos, "--hint", "5,80,#ff0000", *arguments, out=tmp_path / "out")
        assert answer.code == 3 and "1 failed" in answer.out
        assert "rocket.png: FAILED (decode): the hint at 5,80 lies outside the photo, which is 96x72" in answer.err


def test_a_method_without_hints_says_so_once(photos: Path, tmp_path: Path, auto: Call, files_in: Call) -> None:
    """Oracle: one line for two sidecars, which are neither coloured nor a reason to colour anew; the same bytes."""
    assert auto(photos, out=tmp_path / "out").code == 0
    before = files_in(tmp_path / "out")
    for name in ("coffee", "rocket"):
        (photos / f"{name}.hints.png").write_bytes(b"not even a picture")
    for arguments in (("--dry-run",), ()):
        answer = auto(photos, *arguments, out=tmp_path / "out")
        assert answer.code == 0 and "4 done before" in answer.out and "2 skipped" in answer.out
        assert [line for line in answer.err.splitlines() if "hints" in line and "skipped" not in line] == [
            "smsanet takes no hints: 2 .hints.png file(s) left out"
        ]
    assert files_in(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--hint", "1,1,#ff0000"), "smsanet takes no hints; choose -m siggraph17"),
        (("--hint", "1,1,red", "-m", "siggraph17"), "--hint must be x,y,#rrggbb"),
        (("--save-attention", "maps"), "smsanet has no attention map; choose -m agin"),
    ],
)
def test_what_a_method_cannot_do_is_a_usage_error(
    arguments: tuple[str, ...], told: str, photos: Path, tmp_path: Path, auto: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: exit 2, naming what would do; nothing is written."""
    monkeypatch.chdir(tmp_path)
    for further in ((), ("--dry-run",)):
        answer = auto(photos, *arguments, *further, out=tmp_path / "out")
        assert answer.code == 2 and told in answer.err and answer.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_the_help_names_the_methods_that_can(colorize: Call) -> None:
    """Oracle: the registry's facts: no method of the command more and none less."""
    words = " ".join(colorize("auto", "--help").out.split())
    hint, attention = words.index("--hint"), words.index("--save-attention")
    for spec in METHODS:
        assert (f"-m {spec.name}" in words[hint:attention]) is (spec.takes_hints and not spec.needs_reference)
        assert (f"-m {spec.name}" in words[attention : attention + 200]) is spec.attention
    words = " ".join(colorize("exemplar", "--help").out.split())
    for spec in METHODS:
        facts = {"hint": spec.takes_hints, "transform": "transform" in spec.choices}
        facts |= {"segments": spec.takes_segments, "save-matches": spec.matches, "save-stages": bool(spec.stages)}
        for option, able in facts.items():
            place = words.index(f"--{option} ")
            named = f"-m {spec.name}" in words[place : words.index(" --", place + 1)]
            assert named is (able and spec.needs_reference)


def test_a_hint_changes_what_it_points_at(colorize: Call, tmp_path: Path) -> None:
    """Oracle: the shipped weights on a photograph of the wheel, with a hint and without: near the hint ab moves towards
    the hint's, by 5 or more; in the farthest corner by less than a quarter of that."""
    Image.fromarray(photograph("astronaut")).convert("L").save(tmp_path / "a.png")
    results = []
    for name, extra in (("plain", ()), ("hinted", ("--hint", "180,420,#20a030"))):
        answer = colorize("auto", tmp_path / "a.png", "-m", "siggraph17", "-o", tmp_path / name, "-d", "cpu", *extra)
        assert answer.code == 0, answer.err
        results.append(rgb2lab(np.array(Image.open(tmp_path / name / "a.png")))[..., 1:])
    moved = results[1] - results[0]
    towards = rgb2lab(np.array([[(0x20, 0xA0, 0x30)]], np.uint8))[0, 0, 1:]
    near = (moved[400:440, 160:200] @ (towards / np.linalg.norm(towards))).mean()
    far = np.linalg.norm(moved[:100, -100:], axis=-1).mean()
    assert near > 5
    assert far < near / 4
