"""--save-matches: what a photo took from where in its reference, whole or not at all, known to the ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from colorcli.checkpoints.load import write_checkpoint
from colorcli.color.heat import heat_table
from colorcli.media.places import MATCHES
from colorcli.methods.multimodal.network import Multimodal

Call = Callable[..., "object"]
_BRIGHT = 90  # CIE L
_TINY = {"widths": [4, 4, 8, 8, 8], "similarity": 0.5, "reference_side": 64}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """weights(matches): random weights of a small Multimodal at 64 px."""

    def write(matches: str) -> Path:
        torch.manual_seed(0)
        path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
        settings = {**_TINY, "matches": matches}
        write_checkpoint(path, Multimodal(**settings), {"method": "multimodal", "network": settings, "size": 64})
        return path

    return write


@pytest.fixture
def match(colorize: Call, weights: Callable[[str], Path]) -> Call:
    """match(photo, ..., ref=[...], out=OUT): `colorize exemplar -m multimodal`."""
    file = weights("on")

    def call(*arguments: object, ref: list[Path], out: Path) -> object:
        references = [part for path in ref for part in ("--ref", path)]
        place = ("-o", out, "-m", "multimodal", "--weights", file, "-d", "cpu")
        return colorize("exemplar", *arguments, *references, *place)

    return call


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_a_photo_of_the_reference_itself(tmp_path: Path, match: Call, put_color: Call, put_photo: Call) -> None:
    """Oracle: closed form: a photo finds itself, so that places rise from left to right and from top to bottom (their
    ab as `place_colours` has it, within one of 32 cells on average), similarity is above 0.9 on average on every map
    (Pillow's gray is not CIE L), and the colours are the reference's own (mean of 3 ab: two pixels share a match)."""
    put_photo(tmp_path / "chelsea.png", "chelsea", 64, 64)
    put_color(tmp_path / "colour.png", "chelsea", 64, 64)
    answer = match(
        tmp_path / "chelsea.png", "--save-matches", tmp_path / "maps", ref=[tmp_path / "colour.png"], out=tmp_path / "o"
    )
    assert answer.code == 0, answer.err
    colours, alike, places = (tmp_path / "maps" / f"chelsea.png{ending}" for ending in MATCHES)
    assert sorted((tmp_path / "maps").iterdir()) == sorted((colours, alike, places))
    found, truth = (rgb2lab(_pixels(path) / 255) for path in (colours, tmp_path / "colour.png"))
    assert found.shape == (64, 64, 3) and np.abs(found - truth)[..., 1:].mean() < 3
    assert b"compositeWithTrainedAlgorithmicMedia" in colours.read_bytes()
    where = rgb2lab(_pixels(places) / 255)[16:48, 16:48, 1:]  # the corners are clipped
    expected = np.linspace(-60, 60, 32).repeat(2)[16:48]
    assert np.abs(where - np.stack(np.meshgrid(expected, expected), axis=-1)).mean() < 4
    sheet = _pixels(alike)
    assert sheet.shape == (2 * 64 + 8, 5 * 64 + 4 * 8, 3)
    steps = np.abs(sheet[:, :, None] - heat_table().numpy().astype(int)).sum(-1).argmin(-1)
    tiles = [steps[row : row + 64, column : column + 64] for row in (0, 72) for column in range(0, 352, 72)]
    assert min(tile.mean() for tile in tiles) > 0.9 * 255
    assert (sheet[64:72] == 255).all() and (sheet[:, 64:72] == 255).all()


def test_pictures_of_each_photo_and_reference(
    photos: Path, tmp_path: Path, match: Call, put_color: Call, files_in: Call
) -> None:
    """Oracle: the contract: three pictures a result, by its name, of the photo's shape, others with another reference;
    results have the bytes that they have without; a second run does nothing; a picture that was removed comes back
    with its result alone, and --dry-run says so; pictures are no photos."""
    refs = [put_color(tmp_path / "cup.jpg", "coffee"), put_color(tmp_path / "sky.png", "rocket")]
    out, maps = tmp_path / "out", tmp_path / "maps"
    put_photo = photos / "large.png"
    Image.open(photos / "rocket.png").resize((1280, 960)).save(put_photo)
    assert "10 coloured" in match(photos, "--save-matches", maps, ref=refs, out=out).out
    assert "10 coloured" in match(photos, ref=refs, out=tmp_path / "plain").out
    assert files_in(out) == files_in(tmp_path / "plain")
    made = files_in(maps)
    assert set(made) == {f"{name}{ending}" for name in files_in(out) for ending in MATCHES}
    assert len(set(made.values())) == 30
    colours, alike, _ = MATCHES
    assert _pixels(maps / f"large.cup.png{colours}").shape == (768, 1024, 3)
    assert _pixels(maps / f"large.cup.png{alike}").shape == (2 * 240 + 8, 5 * 320 + 32, 3)
    assert "0 coloured, 10 done before" in match(photos, "--save-matches", maps, ref=refs, out=out).out
    (maps / f"coffee.sky.png{colours}").unlink()
    assert "1 to colour, 9 done before" in match(photos, "--save-matches", maps, "--dry-run", ref=refs, out=out).out
    assert "1 coloured, 9 done before" in match(photos, "--save-matches", maps, ref=refs, out=out).out
    assert files_in(maps) == made
    assert "0 coloured, 0 done before, 0 failed, 30 skipped" in match(maps, ref=refs, out=tmp_path / "other").out


def test_a_foreign_picture_needs_overwrite(photos: Path, tmp_path: Path, match: Call, put_color: Call) -> None:
    """Oracle: as of results: a person's file keeps its bytes, and the photo fails by name, without a result."""
    foreign = tmp_path / "maps" / f"coffee.png{MATCHES[2]}"
    foreign.parent.mkdir()
    foreign.write_bytes(b"a picture of mine")
    how = {"ref": [put_color(tmp_path / "cup.jpg")], "out": tmp_path / "out"}
    answer = match(photos, "--save-matches", tmp_path / "maps", **how)
    assert answer.code == 3 and "3 coloured, 0 done before, 1 failed" in answer.out
    assert f"{foreign} exists" in answer.err and foreign.read_bytes() == b"a picture of mine"
    assert not (tmp_path / "out" / "coffee.png").exists()
    assert match(photos, "--save-matches", tmp_path / "maps", "--overwrite", **how).code == 0
    assert Image.open(foreign).size == (96, 96)


def test_a_failure_leaves_no_picture(
    photos: Path, tmp_path: Path, match: Call, put_color: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the contract: where the folder cannot be written there is no result, where the result cannot there are
    no pictures, nor parts of them; each by the system's words."""
    (tmp_path / "file").touch()
    how = {"ref": [put_color(tmp_path / "cup.jpg")], "out": tmp_path / "out"}
    answer = match(photos / "coffee.png", "--save-matches", tmp_path / "file", **how)
    assert answer.code == 3 and "the pictures of matches" in answer.err
    assert not list((tmp_path / "out").glob("*.png"))

    def full(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("colorcli.media.results._encode", full)
    answer = match(photos / "coffee.png", "--save-matches", tmp_path / "maps", **how)
    assert answer.code == 3 and "the result cannot be written (Input/output error)" in answer.err
    assert not list((tmp_path / "maps").iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-m", "color2embed"), "color2embed has no matches; choose -m multimodal, or leave out --save-matches"),
        (("-m", "multimodal"), "no matches: they were trained with matches = off"),
    ],
)
def test_what_has_no_matches_is_refused(
    arguments: tuple[str, ...],
    told: str,
    photos: Path,
    tmp_path: Path,
    colorize: Call,
    weights: Callable[[str], Path],
    put_color: Call,
) -> None:
    """Oracle: exit 2 with the cause, before anything is written."""
    how = ("--ref", put_color(tmp_path / "cup.jpg"), "--weights", weights("off"), "-d", "cpu", "-o", tmp_path / "out")
    answer = colorize("exemplar", photos, *how, *arguments, "--save-matches", tmp_path / "maps")
    assert answer.code == 2 and told in answer.err
    assert not (tmp_path / "out").exists() and not (tmp_path / "maps").exists()


def test_it_needs_an_output_folder_and_the_help_names_who_can(
    photos: Path, tmp_path: Path, colorize: Call, put_color: Call
) -> None:
    """Oracle: exit 2: beside their photos results of two folders may have one name; help as the registry has it."""
    answer = colorize("exemplar", photos, "--ref", put_color(tmp_path / "cup.jpg"), "--save-matches", tmp_path / "maps")
    assert answer.code == 2 and "name one with -o" in answer.err
    words = " ".join(colorize("exemplar", "--help").out.replace("│", " ").split())
    assert "(-m multimodal)" in words[words.index("--save-matches") :]


@pytest.mark.parametrize("batch", ["1", "4"])
def test_features_that_are_not_finite_fail_their_photo(
    batch: str, photos: Path, tmp_path: Path, match: Call, put_color: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the contract: of five photos the one with such features fails by name in stage infer and leaves nothing,
    the others are coloured, also those in its batch; the failure is a foreseen one."""
    levels = Multimodal.levels

    def broken(self: Multimodal, lightness: torch.Tensor) -> list[torch.Tensor]:
        found = levels(self, lightness)
        brightest = lightness.mean((1, 2, 3)) > _BRIGHT
        found[1] = torch.where(brightest[:, None, None, None], torch.inf, found[1])
        return found

    monkeypatch.setattr(Multimodal, "levels", broken)
    Image.new("L", (96, 96), 250).save(photos / "white.png")
    how = ("--save-matches", tmp_path / "maps", "--batch", batch)
    answer = match(photos, *how, ref=[put_color(tmp_path / "cup.jpg")], out=tmp_path / "out")
    assert answer.code == 3 and "4 coloured, 0 done before, 1 failed" in answer.out
    assert "white.png (reference cup.jpg): FAILED (infer): the network gave non-finite colour" in answer.err
    assert "unexpected" not in answer.err
    assert len(list((tmp_path / "maps").iterdir())) == 12 and not (tmp_path / "out" / "white.png").exists()


def test_strength_leaves_the_matches(
    tmp_path: Path, colorize: Call, weights: Callable[[str], Path], photos: Path, put_color: Call
) -> None:
    """Oracle: the contract: pictures do not depend on the share of the reference's colour, the result does."""
    how = ("--ref", put_color(tmp_path / "cup.jpg"), "-m", "multimodal", "--weights", weights("on"), "-d", "cpu")
    for share in ("1", "0.5"):
        place = ("-o", tmp_path / share, "--save-matches", tmp_path / f"maps{share}", "--strength", share)
        assert colorize("exemplar", photos / "coffee.png", *how, *place, "--no-provenance").code == 0
    for ending in MATCHES:
        name = f"coffee.png{ending}"
        assert (tmp_path / "maps1" / name).read_bytes() == (tmp_path / "maps0.5" / name).read_bytes()
    assert (tmp_path / "1" / "coffee.png").read_bytes() != (tmp_path / "0.5" / "coffee.png").read_bytes()
