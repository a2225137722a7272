"""The quality protocol. Oracle: the same figures computed with scikit-image in float64."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from csv import reader
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from colorcli import __version__
from colorcli.bench import quality
from colorcli.bench.figures import row_of
from colorcli.bench.quality import measure, photographs
from colorcli.checkpoints import store
from colorcli.checkpoints.load import write_checkpoint
from colorcli.checkpoints.manifest import write_manifest
from colorcli.color.lab import rgb_to_lab
from colorcli.errors import ColorizeError, UsageError
from colorcli.loader import LoadedMethod
from colorcli.media.places import sha256_of
from colorcli.methods.color2embed.augment import Augmentation, self_reference
from colorcli.methods.multimodal.network import Multimodal
from colorcli.methods.registry import METHODS
from colorcli.metrics.bootstrap import mean_interval


def _method(predict: Callable[[Tensor], Tensor]) -> LoadedMethod:
    return LoadedMethod(METHODS["smsanet"], predict, torch.device("cpu"), torch.float32, "0" * 64, 64, {})


def _no_colour(lightness: Tensor) -> Tensor:
    return torch.zeros(len(lightness), 2, *lightness.shape[2:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("astronaut", "chelsea"):
        Image.fromarray(getattr(skimage.data, name)()[:200, :300]).save(tmp_path / f"{name}.png")
    return tmp_path


def test_gray_and_flat_tint_rows_are_those_of_scikit_image(folder: Path) -> None:
    """PSNR within 0.01 dB: the two conversions differ below 1e-3 of Lab, which moves few pixels by one 8-bit step (a
    step is about 0.4 of delta E, so that the mean of that is within 0.02)."""
    found = measure({"smsanet": _method(_no_colour)}, folder)
    assert found.gray == [] and found.failed == {}
    expected: dict[str, list[tuple[float, ...]]] = {"gray": [], "flat tint": []}
    for _, picture in photographs(folder):
        truth = picture[0].permute(1, 2, 0).numpy()
        lab = rgb2lab(truth)
        for name, tint in (("gray", 0.0), ("flat tint", lab[..., 1:].mean((0, 1)))):
            flat = lab.copy()
            flat[..., 1:] = tint
            result = np.rint(255 * lab2rgb(flat).clip(0, 1)).astype(np.uint8)
            expected[name].append(
                (
                    peak_signal_noise_ratio(truth, result, data_range=255),
                    structural_similarity(truth, result, channel_axis=2, data_range=255),
                    deltaE_ciede2000(rgb2lab(truth), rgb2lab(result)).mean(),
                )
            )
    for row in found.rows[:2]:
        decibels, likeness, difference = np.mean(expected[row.name], axis=0)
        assert row.psnr == pytest.approx(decibels, abs=0.01)
        assert row.ssim == pytest.approx(likeness, abs=1e-3)
        assert row.delta_e == pytest.approx(difference, abs=0.02)


def test_a_method_without_colour_scores_as_gray(folder: Path) -> None:
    """Closed form: ab = 0 through the product's recombination is the gray row; exact but for rounding at 8 bits."""
    by_name = {row.name: row for row in measure({"smsanet": _method(_no_colour)}, folder).rows}
    assert by_name["smsanet"].psnr == pytest.approx(by_name["gray"].psnr, abs=0.01)
    assert by_name["smsanet"].colourfulness < 0.5


def test_photos_that_are_gray_at_source_are_left_out_by_name(folder: Path) -> None:
    Image.fromarray(skimage.data.camera()).save(folder / "camera.png")
    found = measure({"smsanet": _method(_no_colour)}, folder)
    assert found.gray == ["camera.png"]
    assert found.rows[0].photos == 2


def test_fewer_than_two_colour_photos_are_refused(tmp_path: Path) -> None:
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="at least two colour photos"):
        measure({"smsanet": _method(_no_colour)}, tmp_path)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_colour_that_is_not_finite_is_refused_by_name(folder: Path, value: float) -> None:
    """Oracle: the contract: one such pixel in the second photo alone; what it scores would be no figure."""
    calls: list[Tensor] = []

    def predict(lightness: Tensor) -> Tensor:
        calls.append(lightness)
        chroma = _no_colour(lightness)
        chroma[0, 1, 2, 3] = value if len(calls) == 2 else 0
        return chroma

    with pytest.raises(ColorizeError, match=r"^chelsea\.png: smsanet gave non-finite colour; try --precision fp32"):
        measure({"smsanet": _method(predict)}, folder)


def test_what_is_no_photo_is_not_measured(folder: Path) -> None:
    """Oracle: media/places.py's sidecars, masks of training and macOS' files, none of them readable or all gray."""
    (folder / "sub").mkdir()
    for name in ("astronaut.hints.png", "astronaut.mask.png", "sub/astronaut.png.attention.png", "A.HINTS.PNG"):
        (folder / name).write_bytes(b"no photo")
    for name in ("chelsea.png.compare.jpg", "._chelsea.png", "sub/._a.jpg"):
        (folder / name).write_bytes(b"no photo")
    assert [name for name, _ in photographs(folder)] == ["astronaut.png", "chelsea.png"]


def _broken_png(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = content.rindex(b"IDAT")  # the last of several: the header is sound
    content[place : place + 4] = b"\0\0\0\0"  # no chunk's name
    path.write_bytes(content)


def _bomb(path: Path) -> None:
    Image.new("L", (3000, 1000)).save(path)


@pytest.mark.parametrize(
    ("damage", "error"),
    [(_broken_png, SyntaxError), (_bomb, Image.DecompressionBombError), (lambda path: path.write_bytes(b"?"), OSError)],
)
def test_a_photo_that_cannot_be_read_is_named(
    folder: Path, damage: Callable[[Path], Any], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: Pillow's own errors, of three families; the limit is lowered so that 3 megapixels are a bomb."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    damage(folder / "chelsea.png")
    with pytest.raises(UsageError, match=r"chelsea\.png is not a readable photo: .") as caught:
        list(photographs(folder))
    assert isinstance(caught.value.__cause__, error)


def test_the_answer_says_what_measured(folder: Path, colorize: Callable[..., Any], tiny_weights: Path) -> None:
    """Oracle: the file's own sha256, its description in conftest, and the options; table and JSON say the same."""
    arguments = ("bench", "--weights", tiny_weights, "-d", "cpu", "--precision", "fp32", "--data", folder)
    told = json.loads(colorize(*arguments, "--json").out)
    assert (told["method"], told["variant"], told["precision"]) == ("smsanet", "compact", "fp32")
    assert told["weights"] == sha256_of(tiny_weights) and told["device"].startswith("cpu (")
    assert told["versions"]["colorize"] == __version__ and told["versions"].keys() == {"colorize", "torch", "python"}
    assert colorize(*arguments).out.splitlines()[1] == (
        f"SMSANet compact, weights {told['weights'][:12]}, on {told['device']}, fp32; "
        + ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    )


def test_json_holds_only_what_json_knows(tiny_weights: Path, colorize: Callable[..., Any]) -> None:
    """Oracle: RFC 8259 has no NaN and no Infinity; the truth's PSNR is infinite."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    answer = colorize("bench", "--json", "--limit", "2", "--weights", tiny_weights)
    rows = json.loads(answer.out, parse_constant=refuse)["rows"]
    assert [row["name"] for row in rows] == ["gray", "flat tint", "smsanet", "the truth"]
    assert rows[-1]["psnr"] is None and rows[-1]["photos"] == 2


def test_an_exemplar_method_is_given_the_photo_itself_warped_and_noised(folder: Path) -> None:
    """Oracle: the augmentation of training, called here with the seed that follows from the name; exact.

    The method paints the embedding's mean chroma of that reference, so the row is the tint of the reference: within
    0.5 dB of flat tint, since a warp and noise of 5 steps hardly move the mean, and not gray.
    """
    seen: list[Tensor] = []

    def embed(reference: Tensor) -> Tensor:
        seen.append(reference)
        return rgb_to_lab(reference)[:, 1:].mean((2, 3))  # (1, 3, h, w) -> (1, 2)

    def paint(lightness: Tensor, z: Tensor) -> Tensor:
        return z[:, :, None, None].expand(-1, -1, *lightness.shape[2:])

    method = LoadedMethod(
        METHODS["color2embed"], paint, torch.device("cpu"), torch.float32, "0" * 64, 64, {}, None, embed, None
    )
    by_name = {row.name: row for row in measure({"color2embed": method}, folder).rows}
    truths = dict(photographs(folder))
    for name, reference in zip(("astronaut.png", "chelsea.png"), seen, strict=True):
        seed = torch.tensor([zlib.crc32(name.encode())])
        wanted = self_reference(truths[name].float() / 255, seed, Augmentation(noise=5, warp=True, turn=False))
        torch.testing.assert_close(reference, wanted, rtol=0, atol=0)
    assert by_name["color2embed"].psnr == pytest.approx(by_name["flat tint"].psnr, abs=0.5)
    assert by_name["flat tint"].psnr > by_name["gray"].psnr + 1


def test_self_references_are_named_and_repeat(
    folder: Path, colorize: Callable[..., Any], exemplar_weights: Path
) -> None:
    """Oracle: the same command twice, and once more in another folder: a photo's figures follow from photo and name."""
    (folder / "deep").mkdir()
    arguments = ("bench", "-m", "color2embed", "--weights", exemplar_weights, "-d", "cpu", "--json", "--data", folder)
    first = colorize(*arguments)
    assert first.code == 0 and first == colorize(*arguments)
    told = json.loads(first.out)
    assert "self reference" in told["protocol"] and told["rows"][2]["name"] == "color2embed"
    (folder / "chelsea.png").rename(folder / "deep" / "chelsea.png")
    moved = json.loads(colorize(*arguments).out)
    assert moved["photos"] == ["astronaut.png", "deep/chelsea.png"]
    assert _without_names(moved["rows"]) == _without_names(told["rows"])
    (folder / "deep" / "chelsea.png").rename(folder / "cat.png")  # another warp, other noise
    other = json.loads(colorize(*arguments).out)["rows"]
    assert _without_names(other[:2]) == _without_names(told["rows"][:2])
    assert _without_names(other[2:3]) != _without_names(told["rows"][2:3])


def _without_names(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose photos have no names; as sets of figures, since names set their order."""
    return [{**row, "images": sorted(str({**one, "photo": ""}) for one in row["images"])} for row in rows]


def test_the_header_names_the_automatic_protocol(
    folder: Path, colorize: Callable[..., Any], tiny_weights: Path
) -> None:
    """Oracle: a method without a reference is given lightness alone, and the first line says so."""
    answer = colorize("bench", "--weights", tiny_weights, "-d", "cpu", "--data", folder)
    assert answer.out.splitlines()[0] == "protocol: automatic (lightness alone)"


def test_the_size_must_fit_the_method(colorize: Callable[..., Any], exemplar_weights: Path) -> None:
    """Oracle: color2embed's sides are multiples of 16: 24 is exit 2 with that number, not the network's ValueError."""
    answer = colorize("bench", "-m", "color2embed", "--weights", exemplar_weights, "--size", "24")
    assert answer.code == 2 and "multiple of 16" in answer.err


def _matching(back: Callable[..., Tensor | None]) -> LoadedMethod:
    """Multimodal without colour, whose photos' own colour comes back as `back` has it."""
    return LoadedMethod(
        METHODS["multimodal"],
        lambda lightness, _: _no_colour(lightness),
        torch.device("cpu"),
        torch.float32,
        "0" * 64,
        256,
        {},
        embed=lambda reference: reference.flatten(1),
        there_and_back=back,
    )


def test_there_and_back_is_the_photos_own_colour(folder: Path) -> None:
    """Oracle: closed forms: colour that comes back as it went scores far above flat tint (by 3 dB), colour that does
    not come back as gray (0.01 dB); it is given the photo's own L and ab at the network's size (1e-4)."""
    given: list[tuple[Tensor, Tensor]] = []

    def home(lightness: Tensor, _: Tensor, chroma: Tensor) -> Tensor:
        given.append((lightness, chroma))
        return chroma

    by_name = {row.name: row for row in measure({"multimodal": _matching(home)}, folder).rows}
    assert list(by_name) == ["gray", "flat tint", "multimodal", "multimodal, there and back", "the truth"]
    assert by_name["multimodal, there and back"].psnr > by_name["flat tint"].psnr + 3
    lab = rgb_to_lab(next(photographs(folder))[1].float() / 255)
    assert torch.allclose(torch.cat(given[0], dim=1), lab, atol=1e-4)
    by_name = {row.name: row for row in measure({"multimodal": _matching(lambda *given: 0 * given[2])}, folder).rows}
    assert by_name["multimodal, there and back"].psnr == pytest.approx(by_name["gray"].psnr, abs=0.01)


@pytest.mark.parametrize("matches", ["on", "off"])
def test_a_row_with_and_without_matches(
    matches: str, folder: Path, tmp_path: Path, colorize: Callable[..., Any]
) -> None:
    """Oracle: the contract, from a weights file: the row of T -> R -> T is there where the weights have matches, and
    the protocol names it; random features of a photo find its own warped copy well enough to beat gray."""
    torch.manual_seed(0)
    settings = {"widths": [4, 4, 8, 8, 8], "similarity": 0.5, "reference_side": 64, "matches": matches}
    path = tmp_path / "weights" / "w.safetensors"
    path.parent.mkdir()
    write_checkpoint(path, Multimodal(**settings), {"method": "multimodal", "network": settings, "size": 64})
    answer = colorize("bench", "-m", "multimodal", "--weights", path, "-d", "cpu", "--json", "--data", folder)
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert "self reference" in told["protocol"] and "there and back" in told["protocol"]
    rows = {row["name"]: row["psnr"] for row in told["rows"]}
    assert ("multimodal, there and back" in rows) is (matches == "on") and "multimodal" in rows
    assert rows.get("multimodal, there and back", torch.inf) > rows["gray"] + 1


def test_a_choice_is_measured_and_told(
    folder: Path, stylization_weights: tuple[Path, Path], colorize: Callable[..., Any]
) -> None:
    """Oracle: what `--transform` is: other statistics, so another row; both answers name theirs. A method that lets
    nobody choose refuses it."""
    parts = [argument for path in stylization_weights for argument in ("--weights", path)]
    rows = {}
    for transform in ("adain", "wct"):
        answer = colorize(
            "bench", "--data", folder, "-m", "stylization", *parts, "--size", "32", "--transform", transform, "--json"
        )
        assert answer.code == 0, answer.err
        table = json.loads(answer.out)
        assert table["chosen"] == {"transform": transform}
        rows[transform] = next(row for row in table["rows"] if row["name"] == "stylization")
    assert rows["adain"] != rows["wct"]
    refused = colorize("bench", "--transform", "wct")
    assert refused.code == 2 and "smsanet has no --transform; choose -m stylization" in refused.err


def _tinted(a: float, b: float) -> LoadedMethod:
    """A method that paints one colour."""
    return _method(lambda lightness: _no_colour(lightness) + torch.tensor([a, b])[None, :, None, None])


def test_several_methods_see_the_same_photos(folder: Path) -> None:
    """Oracle: each method measured alone; exact, since nothing of a row depends on the others."""
    methods = {"warm": _tinted(10, 20), "cold": _tinted(-5, -20)}
    together = {row.name: row for row in measure(methods, folder).rows}
    assert list(together) == ["gray", "flat tint", "warm", "cold", "the truth"]
    for name, method in methods.items():
        alone = {row.name: row for row in measure({name: method}, folder).rows}
        assert together[name] == alone[name] and together["gray"] == alone["gray"]
    assert together["warm"].delta_e != together["cold"].delta_e


def test_a_method_that_fails_leaves_the_others_their_rows(folder: Path) -> None:
    """Oracle: the contract: it has no row, is named with the photo, and is asked for no further photo."""
    asked: list[int] = []

    def broken(_: Tensor) -> Tensor:
        asked.append(1)
        return torch.full((1, 2, 64, 64), torch.nan)

    found = measure({"broken": _method(broken), "warm": _tinted(10, 20)}, folder)
    assert [row.name for row in found.rows] == ["gray", "flat tint", "warm", "the truth"]
    assert found.failed == {"broken": "astronaut.png: broken gave non-finite colour; try --precision fp32"}
    assert asked == [1]


def test_a_photos_figures_are_those_of_its_row(folder: Path) -> None:
    """Oracle: closed forms: means of the photos' figures, and the pooled PSNR of their mean squared errors."""
    row = measure({"warm": _tinted(10, 20)}, folder).rows[2]
    assert [one.photo for one in row.images] == ["astronaut.png", "chelsea.png"]
    for name in ("psnr", "ssim", "delta_e", "colourfulness", "colourfulness_difference"):
        assert getattr(row, name) == pytest.approx(np.mean([getattr(one, name) for one in row.images]))
    assert row.psnr_pooled == pytest.approx(10 * np.log10(255**2 / np.mean([one.mse for one in row.images])))
    truth = measure({}, folder).rows[-1]
    assert (truth.ssim, truth.delta_e, truth.colourfulness_difference) == (1, 0, 0)
    for one, original in zip(row.images, truth.images, strict=True):
        assert one.colourfulness_difference == pytest.approx(abs(one.colourfulness - original.colourfulness))


def test_a_mean_has_an_interval_from_thirty_photos_on(folder: Path) -> None:
    """Oracle: mean_interval itself, of the photos' own values; 29 and an infinite one have none."""
    images = list(measure({}, folder).rows[0].images)
    many = [replace(images[place % 2], psnr=20.0 + place) for place in range(30)]
    assert row_of("many", many).psnr_interval == mean_interval([one.psnr for one in many])
    assert row_of("few", many[:29]).psnr_interval is None
    assert row_of("equal", [*many, replace(images[0], psnr=math.inf)]).psnr_interval is None


@pytest.fixture
def two_weights(tiny_weights: Path, exemplar_weights: Path) -> tuple[object, ...]:
    """Options that measure an automatic and an exemplar method with tiny networks."""
    return ("--methods", "smsanet,color2embed", "--weights", tiny_weights, "--weights", exemplar_weights, "-d", "cpu")


def test_the_table_of_several_methods(
    folder: Path, colorize: Callable[..., Any], two_weights: tuple[object, ...], tmp_path_factory: Any
) -> None:
    """Oracle: the contract: rows beside gray and flat tint, the papers' rows marked, definitions said; the CSV has the
    JSON's values to the last digit."""
    csv = tmp_path_factory.mktemp("csv") / "rows.csv"
    answer = colorize("bench", "quality", *two_weights, "--data", folder, "--json", "--csv", csv)
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert [row["name"] for row in told["rows"]] == ["gray", "flat tint", "smsanet", "color2embed", "the truth"]
    assert set(told["methods"]) == {"smsanet", "color2embed"} and told["photos"] == ["astronaut.png", "chelsea.png"]
    assert "self reference" in told["methods"]["color2embed"]["protocol"]
    assert {line["psnr"] for line in told["published"]} == {26.6579, 26.5478}
    with csv.open(newline="") as stream:
        lines = list(reader(stream))
    named = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert [line["name"] for line in named] == [row["name"] for row in told["rows"]]
    assert [float(line["delta_e"]) for line in named] == [row["delta_e"] for row in told["rows"]]
    assert named[-1]["psnr"] == "inf"
    text = colorize("bench", "quality", *two_weights, "--data", folder).out
    assert "protocol of color2embed: exemplar, self reference" in text and "published, other images" in text
    assert "LPIPS, FID: not measured" in text and "window of 7x7" in text


def test_a_method_without_weights_is_said(
    folder: Path, colorize: Callable[..., Any], tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Oracle: the contract: its line says so, and the exit code is 0; alone it is exit 4, of weights."""
    (tmp_path / "shipped" / "weights").mkdir(parents=True)
    write_manifest(tmp_path / "shipped" / "weights" / "manifest.toml", [])
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / "shipped" / name)
    arguments = ("bench", "quality", "--data", folder, "-d", "cpu", "--weights", tiny_weights)
    answer = colorize(*arguments, "-m", "smsanet,agin")
    assert answer.code == 0
    (line,) = [line for line in answer.out.splitlines() if line.startswith("agin")]
    assert line.split()[:3] == ["agin", "no", "row:"] and "colorize train agin" in line
    assert colorize("bench", "quality", "--data", folder, "-m", "agin").code == 4
    wrong = colorize(*arguments, "-m", "agin")
    assert wrong.code == 4 and "holds weights of smsanet, not of agin" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("-m", "nothing"), "no method is called 'nothing'"),
        (("-m", ","), "name a method"),
        (("--limit", "-1"), "--limit must be 0 or more"),
        (("--csv", "missing/rows.csv"), "missing/rows.csv cannot be written"),
        (("--tolerance", "psnr=much"), "--tolerance takes NAME=NUMBER"),
        (("--tolerance", "beauty=1"), "--tolerance takes NAME=NUMBER"),
        (("--references", "."), "--references needs --data"),
    ],
)
def test_what_cannot_be_asked(
    arguments: tuple[str, ...],
    reason: str,
    colorize: Callable[..., Any],
    tiny_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Oracle: a reason on stderr and nothing on stdout, before anything is measured; 2, or 1 for a place."""
    monkeypatch.chdir(tmp_path)
    answer = colorize("bench", "quality", "--weights", tiny_weights, *arguments)
    assert answer.code == (1 if "--csv" in arguments else 2) and reason in answer.err and answer.out == ""


def test_the_command_ends_with_1_where_a_method_failed(
    folder: Path, colorize: Callable[..., Any], two_weights: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the contract: the others have their rows, photo and method are named in the table, in the JSON and on
    stderr."""
    real = quality.finite

    def finite(chroma: Tensor, photo: str, method: str) -> Tensor:
        return real(chroma * torch.nan if (photo, method) == ("chelsea.png", "smsanet") else chroma, photo, method)

    monkeypatch.setattr(quality, "finite", finite)
    arguments = ("bench", "quality", *two_weights, "--data", folder)
    answer = colorize(*arguments, "--json")
    told = json.loads(answer.out)
    assert answer.code == 1 and "chelsea.png: smsanet gave non-finite colour" in answer.err
    assert list(told["failed"]) == ["smsanet"] and [row["name"] for row in told["rows"]][2] == "color2embed"
    (line,) = [line for line in colorize(*arguments).out.splitlines() if line.startswith("smsanet ")]
    assert line.split()[1:4] == ["no", "row:", "chelsea.png:"]
