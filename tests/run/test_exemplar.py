"""colorize exemplar, from file to file with a tiny random network: the same stream as `auto`, and its references."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch import Tensor

from colorcli.checkpoints import store
from colorcli.checkpoints.manifest import Entry, write_manifest
from colorcli.loader import load_method
from colorcli.media.photos import read_photo
from colorcli.media.places import sha256_of
from colorcli.methods.color2embed.predictor import Predictor
from colorcli.stages import refer

Call = Callable[..., "object"]
_NAMES = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.png"]


@pytest.fixture
def refs(tmp_path: Path, put_color: Call) -> Path:
    """A folder of two references in colour."""
    put_color(tmp_path / "refs" / "cup.jpg", "coffee", 70, 50)
    put_color(tmp_path / "refs" / "sky.png", "rocket", 50, 90)
    return tmp_path / "refs"


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def _entries(answer: object) -> list[dict[str, object]]:
    return [json.loads(line) for line in answer.out.splitlines()[:-1]]  # type: ignore[attr-defined]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a reference was read and embedded, each call slow enough for other threads to come in between."""
    counts: Counter[str] = Counter()
    embed, read = Predictor.embed, refer.read_colors
    lock = threading.Lock()

    def counted(self: Predictor, reference: Tensor) -> Tensor:
        with lock:
            counts["embed"] += len(reference)
        time.sleep(0.2)
        return embed(self, reference)

    def counted_read(path: Path, **how: int) -> np.ndarray:
        with lock:
            counts[path.name] += 1
        return read(path, **how)

    refer.read_reference.cache_clear()
    monkeypatch.setattr(Predictor, "embed", counted)
    monkeypatch.setattr(refer, "read_colors", counted_read)
    return counts


def test_a_result_has_the_networks_colour(
    photos: Path, refs: Path, tmp_path: Path, exemplar: Call, exemplar_weights: Path
) -> None:
    """Oracle: the predictor itself, asked for the photo's lightness and the reference's embedding: mean ab of the
    result, read by scikit-image, within 0.5 (8 bits; at a tenth of the chroma all is in gamut), and the photo's
    L within 1 for 99.9 %."""
    how = ("--precision", "fp32", "--saturation", "0.1")
    answer = exemplar(photos / "chelsea.png", *how, ref=[refs / "cup.jpg"], out=tmp_path / "out")
    assert answer.code == 0 and "1 coloured, 0 done before" in answer.out
    method = load_method("color2embed", weights=exemplar_weights, device=torch.device("cpu"))
    _, lightness = read_photo(photos / "chelsea.png", side=64, multiple=16)
    reference = torch.from_numpy(np.array(Image.open(refs / "cup.jpg")) / 255).permute(2, 0, 1)[None].float()
    assert method.embed is not None
    chroma = method.predict(torch.from_numpy(lightness)[None, None], method.embed(reference))[0]
    found = rgb2lab(_pixels(tmp_path / "out" / "chelsea.png") / 255)
    expected = 0.1 * chroma.mean((1, 2)).numpy()
    assert np.abs(expected).max() > 2
    assert np.allclose(found[..., 1:].mean((0, 1)), expected, atol=0.5)
    before = rgb2lab(_pixels(photos / "chelsea.png") / 255)
    assert (np.abs(found[..., 0] - before[..., 0]) <= 1).mean() >= 0.999


def test_another_reference_is_another_colour_and_redoes_the_work(
    photos: Path, refs: Path, tmp_path: Path, exemplar: Call, files_in: Call
) -> None:
    """Oracle: counts and bytes: the same command does nothing; a reference of other content, also under the old
    name, does all anew; the old content under a new name does nothing."""
    out, mine = tmp_path / "out", tmp_path / "mine.jpg"
    mine.write_bytes((refs / "cup.jpg").read_bytes())
    assert "4 coloured, 0 done before" in exemplar(photos, ref=[mine], out=out).out
    first = files_in(out)
    assert sorted(first) == _NAMES
    assert "0 coloured, 4 done before" in exemplar(photos, ref=[mine], out=out).out
    mine.write_bytes((refs / "sky.png").read_bytes())
    assert "4 coloured, 0 done before" in exemplar(photos, ref=[mine], out=out).out
    second = files_in(out)
    assert all(first[name] != second[name] for name in _NAMES)
    assert "0 coloured, 4 done before" in exemplar(photos, ref=[refs / "sky.png"], out=out).out
    assert files_in(out) == second


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_result_does_not_depend_on_the_others(
    precision: str, photos: Path, refs: Path, tmp_path: Path, exemplar: Call, files_in: Call
) -> None:
    """Oracle: the promise: same bytes alone and in the folder with --batch 1, under either reference; in batches that
    mix two references within one 8-bit step of these."""
    both = [refs / "cup.jpg", refs / "sky.png"]
    how = ("--precision", precision)
    assert exemplar(photos, *how, "-j", "3", ref=both, out=tmp_path / "together").code == 0
    for photo in sorted(photos.iterdir()):
        assert exemplar(photo, *how, ref=both, out=tmp_path / "alone").code == 0
    together = files_in(tmp_path / "together")
    assert len(together) == 8 and together == files_in(tmp_path / "alone")
    assert exemplar(photos, *how, "--batch", "3", ref=both, out=tmp_path / "batched").code == 0
    for name in together:
        difference = _pixels(tmp_path / "batched" / name) - _pixels(tmp_path / "together" / name)
        assert np.abs(difference).max() <= 1
    swapped = _pixels(tmp_path / "together" / "coffee.cup.png") - _pixels(tmp_path / "together" / "coffee.sky.png")
    assert np.abs(swapped).max() > 10  # references that were mixed up would have shown


def test_a_reference_is_read_and_embedded_once(
    photos: Path, refs: Path, tmp_path: Path, exemplar: Call, calls: Counter[str]
) -> None:
    """Oracle: the count of calls: four photos, two references, three threads: two embeddings, and each file is decoded
    once, to be judged before the run and for it. Another process that finds all done judges them, and embeds none."""
    both = [refs / "cup.jpg", refs / "sky.png"]
    answer = exemplar(photos, "-j", "3", ref=both, out=tmp_path / "out")
    assert "8 coloured" in answer.out
    assert calls == {"embed": 2, "cup.jpg": 1, "sky.png": 1}
    calls.clear()
    refer.read_reference.cache_clear()
    assert "8 done before" in exemplar(photos, "-j", "3", ref=both, out=tmp_path / "out").out
    assert calls == {"cup.jpg": 1, "sky.png": 1}


def test_several_references_name_the_results(
    photos: Path, refs: Path, tmp_path: Path, exemplar: Call, files_in: Call, put_color: Call
) -> None:
    """Oracle: the scheme photo.REFERENCE.ext: stems; full names where stems meet; paths where those meet; every
    reported result is there, with its reference."""
    ref = [refs / "cup.jpg", refs / "sky.png", put_color(tmp_path / "refs" / "cup.png", "chelsea")]
    ref.append(put_color(tmp_path / "more" / "cup.png", "astronaut"))
    answer = exemplar(photos / "rocket.png", "--json", ref=ref, out=tmp_path / "out")
    expected = {
        "rocket.cup.jpg.png": "refs/cup.jpg",
        "rocket.sky.png": "refs/sky.png",
        "rocket.refs-cup.png.png": "refs/cup.png",
        "rocket.more-cup.png.png": "more/cup.png",
    }
    assert answer.code == 0 and sorted(files_in(tmp_path / "out")) == sorted(expected)
    told = {Path(str(entry["result"])).name: entry["reference"] for entry in _entries(answer)}
    assert told == expected


def test_a_failure_says_whose_colours_it_was_to_have(
    photos: Path, refs: Path, tmp_path: Path, exemplar: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: what lies in the way, and what breaks: one foreign file is one reference's failure, foretold too; a
    damaged photo is both's, a network that breaks over one photo at a time is the one's whose photo it was."""
    both, keys = [refs / "cup.jpg", refs / "sky.png"], ("file", "reference", "stage")
    (photos / "bad.png").write_bytes(b"no picture")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "coffee.sky.png").write_bytes(b"a file of mine")
    foretold = exemplar(photos, "--json", "--dry-run", ref=both, out=tmp_path / "out")
    expected = [("bad.png", name, "decode") for name in ("cup.jpg", "sky.png")] + [("coffee.png", "sky.png", "decode")]
    done = exemplar(photos, "--json", ref=both, out=tmp_path / "out")
    for answer in (foretold, done):
        failed = [entry for entry in _entries(answer) if entry["state"] == "failed"]
        assert sorted(tuple(entry[key] for key in keys) for entry in failed) == expected
        assert answer.code == 3 and "coffee.png (reference sky.png): FAILED (decode): " in answer.err

    def breaks(_: Predictor, lightness: Tensor, z: Tensor) -> Tensor:
        raise ArithmeticError(lightness.shape, z.shape)

    monkeypatch.setattr(Predictor, "__call__", breaks)
    broken = exemplar(photos / "rocket.png", "--json", ref=both, out=tmp_path / "two")
    assert sorted(tuple(entry[key] for key in keys) for entry in _entries(broken)) == [
        ("rocket.png", name, "infer") for name in ("cup.jpg", "sky.png")
    ]


def test_pairs_by_name(photos: Path, tmp_path: Path, exemplar: Call, put_color: Call, put_photo: Call) -> None:
    """Oracle: the folder's own names: each photo has the reference of its name in the report and the bytes of that
    reference alone; one without is a failure by name, one with a gray reference too, and the others go on."""
    refs = tmp_path / "refs"
    for name, picture in {"astronaut.jpg": "coffee", "sub/chelsea.png": "rocket"}.items():
        put_color(refs / name, picture)
    put_photo(refs / "rocket.png", "rocket")
    answer = exemplar(photos, "--pair-by", "name", "--json", ref=[refs], out=tmp_path / "out")
    assert answer.code == 3
    entries = {str(entry["file"]): entry for entry in _entries(answer)}
    assert {name: entry.get("reference") for name, entry in entries.items()} == {
        "astronaut.png": "astronaut.jpg",
        "chelsea.png": "sub/chelsea.png",
        "coffee.png": None,
        "rocket.png": "rocket.png",
    }
    assert "no reference is called coffee" in str(entries["coffee.png"]["reason"])
    assert "its reference rocket.png is gray" in str(entries["rocket.png"]["reason"])
    assert exemplar(photos / "chelsea.png", ref=[refs / "sub" / "chelsea.png"], out=tmp_path / "one").code == 0
    assert (tmp_path / "one" / "chelsea.png").read_bytes() == (tmp_path / "out" / "chelsea.png").read_bytes()


def test_pairs_by_best(
    photos: Path, tmp_path: Path, exemplar: Call, put_color: Call, put_photo: Call, calls: Counter[str]
) -> None:
    """Oracle: the same photographs in colour, at other sizes, are the nearest to the gray ones; the report says so in
    a note and as "reference"; gray and damaged files are left out by name. Each is looked at once and embedded once,
    by four photos in three threads. With one more reference all is chosen anew."""
    refs = tmp_path / "refs"
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        put_color(refs / f"ref_{name}.jpg", name, 150, 112 if name == "rocket" else 150)
    put_photo(refs / "gray.png", "rocket")
    (refs / "bad.jpg").write_bytes(b"no picture")
    (refs / "empty.jpg").write_bytes(b"")
    arguments = (photos, "--pair-by", "best", "-j", "3", "--json")
    answer = exemplar(*arguments, ref=[refs], out=tmp_path / "out")
    assert answer.code == 0
    for entry in _entries(answer):
        name = f"ref_{Path(str(entry['file'])).stem}.jpg"
        assert entry["reference"] == name
        assert any(f"its reference is {name}, of 6 (similarity " in note for note in entry["notes"])  # type: ignore
    for name in ("gray.png is gray", "bad.jpg: ", "empty.jpg: the file is empty"):
        assert answer.err.count(f"left out: reference {name}") == 1
    assert calls["embed"] == 4 and calls["gray.png"] == 1 and calls["ref_coffee.jpg"] == 1
    assert "4 done before" in exemplar(photos, "--pair-by", "best", ref=[refs], out=tmp_path / "out").out
    put_color(refs / "one_more.png", "coffee", 20, 90)
    assert "4 coloured" in exemplar(photos, "--pair-by", "best", ref=[refs], out=tmp_path / "out").out


def test_best_of_nothing_but_gray_exits_2(photos: Path, tmp_path: Path, exemplar: Call) -> None:
    """Oracle: exit 2 and a reason, once; no result."""
    answer = exemplar(photos, "--pair-by", "best", ref=[photos.rename(tmp_path / "gray")], out=tmp_path / "out")
    assert answer.code == 3  # the targets are gone
    (tmp_path / "in").mkdir()
    (tmp_path / "gray" / "rocket.png").rename(tmp_path / "in" / "rocket.png")
    answer = exemplar(tmp_path / "in", "--pair-by", "best", ref=[tmp_path / "gray"], out=tmp_path / "out")
    assert answer.code == 2 and answer.err.count("none of the references can be used") == 1
    assert not list((tmp_path / "out").glob("*.png"))


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_gray_reference_exits_2(more: list[str], photos: Path, tmp_path: Path, exemplar: Call) -> None:
    """Oracle: product.md: an error with a clear text, before anything is written; gray in three bands as well."""
    gray = tmp_path / "gray.jpg"
    Image.open(photos / "coffee.png").convert("RGB").save(gray)
    answer = exemplar(photos, *more, ref=[gray], out=tmp_path / "out")
    assert answer.code == 2 and answer.out == ""
    assert answer.err == "colorize: reference gray.jpg is gray; expected a photo in colour, choose another one\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ref", "nowhere.jpg"], "--ref nowhere.jpg: not found"),
        (["--ref", "bad.jpg"], "reference bad.jpg: "),
        (["--ref", "notes.txt"], "--ref notes.txt: not a photo format"),
        (["--ref", "refs"], "say --pair-by name or --pair-by best"),
        (["--ref", "refs", "--pair-by", "colour"], "--pair-by must be name or best"),
        (["--ref", "empty", "--pair-by", "name"], "there is no reference"),
        (["--ref", "refs/cup.jpg", "--strength", "1.1"], "--strength must be from 0 to 1"),
        (["--ref", "refs/cup.jpg", "--strength", "nan"], "--strength must be from 0 to 1"),
        (["--ref", "refs/cup.jpg", "-m", "smsanet"], "`colorize auto` runs it; or choose -m color2embed"),
        (["--ref", "refs/cup.jpg", "--size", "8"], "--size must be"),
        ([], "--ref"),
    ],
)
@pytest.mark.usefixtures("photos", "refs")
def test_wrong_requests_exit_2(
    arguments: list[str], words: str, tmp_path: Path, colorize: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: exit 2, the reason, nothing written; the weights are not asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / "empty").mkdir()
    answer = colorize("exemplar", "photos", "-o", "out", *arguments)
    assert answer.code == 2 and words in answer.err and answer.out == ""
    assert not (tmp_path / "out").exists()


def test_without_weights_exit_4(photos: Path, refs: Path, tmp_path: Path, colorize: Call, monkeypatch: object) -> None:
    """Oracle: the exit code of product.md, and the commands that mend it; nothing is written."""
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / "shipped" / name)  # type: ignore[attr-defined]
    (tmp_path / "shipped" / "weights").mkdir(parents=True)
    write_manifest(tmp_path / "shipped" / "weights" / "manifest.toml", [])
    answer = colorize("exemplar", photos, "--ref", refs / "cup.jpg", "-o", tmp_path / "out")
    assert answer.code == 4 and "color2embed" in answer.err
    assert "--weights" in answer.err and "colorize train" in answer.err
    assert not (tmp_path / "out").exists()


def test_results_beside_their_photos(
    tmp_path: Path, refs: Path, exemplar: Call, auto: Call, put_photo: Call, files_in: Call
) -> None:
    """Oracle: the names of product.md, in every folder of a tree; the bytes are those of a run with -o; the next run
    takes neither results nor comparisons nor the reference for photos, whichever folder it starts in, and `auto`
    colours the photos and no result; a result that is changed is not replaced."""
    album = tmp_path / "album"
    put_photo(album / "a.jpg", "astronaut")
    put_photo(album / "sub" / "a.png", "chelsea")
    reference = album / "sub" / "cup.jpg"
    reference.write_bytes((refs / "cup.jpg").read_bytes())
    assert "2 coloured, 0 done before, 0 failed, 1 skipped -> beside the photos" in exemplar(album, ref=[reference]).out
    results = {"a.colorized.jpg", "sub/a.colorized.png"}
    photos = {"a.jpg", "sub/a.png", "sub/cup.jpg"}
    made = files_in(album)
    assert made.keys() == results | photos
    assert exemplar(album, ref=[reference], out=tmp_path / "out").code == 0
    assert files_in(tmp_path / "out") == {
        name.replace(".colorized", ""): content for name, content in made.items() if name in results
    }
    assert "0 coloured, 2 done before, 0 failed, 3 skipped" in exemplar(album, ref=[reference]).out
    assert "0 coloured, 1 done before, 0 failed, 2 skipped" in exemplar(album / "sub", ref=[reference]).out
    assert "2 coloured" in exemplar(album, "--compare", ref=[reference]).out
    named = sorted(str(path) for path in album.glob("*.jpg"))  # a shell's album/*.jpg
    assert "0 coloured, 1 done before, 0 failed, 2 skipped" in exemplar(*named, "--compare", ref=[reference]).out
    assert exemplar(album, "--dry-run", ref=[refs / "sky.png"]).code == 0
    assert files_in(album).keys() == results | photos | {f"{name}.compare.jpg" for name in results}
    assert "3 coloured, 0 done before, 0 failed, 4 skipped" in auto(album, out=tmp_path / "auto").out
    (album / "a.colorized.jpg").write_bytes(b"mine")
    assert exemplar(album, "--compare", ref=[reference]).code == 3
    assert (album / "a.colorized.jpg").read_bytes() == b"mine"


def test_a_colorized_photo_of_elsewhere_is_a_photo(tmp_path: Path, refs: Path, exemplar: Call, put_photo: Call) -> None:
    """Oracle: no ledger beside it, so this tool did not make it; named as a reference a result of ours is one."""
    put_photo(tmp_path / "in" / "b.colorized.jpg")
    assert "1 coloured" in exemplar(tmp_path / "in", ref=[refs / "cup.jpg"], out=tmp_path / "out").out
    put_photo(tmp_path / "album" / "a.jpg")
    assert exemplar(tmp_path / "album", ref=[refs / "cup.jpg"]).code == 0
    result = tmp_path / "album" / "a.colorized.jpg"
    assert "1 coloured" in exemplar(tmp_path / "in", ref=[result], out=tmp_path / "out").out


def test_nothing_but_references_exits_2(refs: Path, tmp_path: Path, exemplar: Call) -> None:
    """Oracle: exit 2 with a reason: a person who names a photo as both would else see nothing happen."""
    answer = exemplar(refs / "cup.jpg", ref=[refs / "cup.jpg"], out=tmp_path / "out")
    assert answer.code == 2 and "the references themselves" in answer.err


def test_strength_blends_with_auto(
    photos: Path,
    refs: Path,
    tmp_path: Path,
    exemplar: Call,
    auto: Call,
    tiny_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Oracle: strength 0 has the pixels of `auto` at that size, 1 needs no automatic weights, and the mean ab of 0.5
    is the mean of the two, within 0.5 (8 bits; at a fifth of the chroma all is in gamut); provenance names both
    methods; another strength redoes it."""
    how = ("--precision", "fp32", "--size", "64", "--saturation", "0.2")
    monkeypatch.setattr(store, "shipped_folder", lambda name: tmp_path / "shipped" / name)
    folder = tmp_path / "shipped" / "weights"
    folder.mkdir(parents=True)
    write_manifest(folder / "manifest.toml", [])
    ref = [refs / "cup.jpg"]
    assert exemplar(photos, *how, ref=ref, out=tmp_path / "1.0").code == 0
    assert exemplar(photos, "--strength", "0.5", ref=ref, out=tmp_path / "0.5").code == 4
    (folder / "tiny.safetensors").write_bytes(tiny_weights.read_bytes())
    digest = sha256_of(tiny_weights)
    entry = Entry("tiny.safetensors", "smsanet", "compact", digest, tiny_weights.stat().st_size, "MIT", "a test")
    write_manifest(folder / "manifest.toml", [entry])
    for strength in ("0", "0.5"):
        out = tmp_path / strength
        arguments = (photos, *how, "--strength", strength)
        assert exemplar(*arguments, ref=ref, out=out).code == 0
        assert "4 done before" in exemplar(*arguments, ref=ref, out=out).out
        assert "4 coloured" in exemplar(*arguments[:-1], "0.25", ref=ref, out=out).out
        assert "4 coloured" in exemplar(*arguments, ref=ref, out=out).out
    assert auto(photos, *how, out=tmp_path / "auto").code == 0
    square = _NAMES[:3]  # of the fourth the two networks see other sizes: multiples of 8 and of 16
    means = {
        name: [rgb2lab(_pixels(tmp_path / s / name) / 255)[..., 1:].mean((0, 1)) for s in ("0", "0.5", "1.0")]
        for name in square
    }
    for name, (automatic, blend, exemplary) in means.items():
        assert np.array_equal(_pixels(tmp_path / "0" / name), _pixels(tmp_path / "auto" / name))
        assert np.abs(automatic - exemplary).max() > 2
        assert np.allclose(blend, (automatic + exemplary) / 2, atol=0.5)
    packet = bytes(pyvips.Image.new_from_file(str(tmp_path / "0.5" / "coffee.png")).get("xmp-data")).decode()
    assert "Method>color2embed, smsanet<" in packet and f", {digest}</colorize:WeightsSHA256>" in packet


def test_provenance_has_the_references_digest_and_not_its_name(
    photos: Path, refs: Path, tmp_path: Path, exemplar: Call, auto: Call
) -> None:
    """Oracle: sha256sum of the reference; its name is nowhere in the file; --no-provenance says neither; coloured
    again by `auto`, the result has lost it."""
    private = refs / "aunt Berta 1943.jpg"
    (refs / "cup.jpg").rename(private)
    assert exemplar(photos / "coffee.png", ref=[private], out=tmp_path / "out").code == 0
    result = tmp_path / "out" / "coffee.png"
    told = f"<colorize:ReferenceSHA256>{sha256_of(private)}<"
    packet = bytes(pyvips.Image.new_from_file(str(result)).get("xmp-data")).decode()
    assert told in packet and ">color2embed<" in packet
    assert b"Berta" not in result.read_bytes()
    assert auto(result, out=tmp_path / "again").code == 0
    again = bytes(pyvips.Image.new_from_file(str(tmp_path / "again" / "coffee.png")).get("xmp-data")).decode()
    assert "ReferenceSHA256" not in again and ">smsanet<" in again
    assert exemplar(photos / "coffee.png", "--no-provenance", ref=[private], out=tmp_path / "none").code == 0
    assert "xmp-data" not in pyvips.Image.new_from_file(str(tmp_path / "none" / "coffee.png")).get_fields()


def test_dry_run_foretells(photos: Path, refs: Path, tmp_path: Path, exemplar: Call) -> None:
    """Oracle: the run itself: the same files, results and references; nothing is written before it."""
    both = [refs / "cup.jpg", refs / "sky.png"]
    before = sorted(tmp_path.rglob("*"))
    foretold = exemplar(photos, "--dry-run", "--json", ref=both)
    assert foretold.code == 0 and sorted(tmp_path.rglob("*")) == before
    done = exemplar(photos, "--json", ref=both)
    keys = ("file", "result", "reference")
    told, found = ({tuple(entry[key] for key in keys) for entry in _entries(answer)} for answer in (foretold, done))
    assert len(told) == 8 and told == found
    assert json.loads(done.out.splitlines()[-1])["out"] is None
    again = exemplar(photos, "--dry-run", "--json", ref=both)
    assert {entry["state"] for entry in _entries(again) if "result" in entry} == {"unchanged"}


@pytest.mark.slow
def test_a_killed_run_goes_on(
    tmp_path: Path,
    refs: Path,
    exemplar: Call,
    exemplar_weights: Path,
    put_photo: Call,
    files_in: Call,
    start_colorize: Callable[..., subprocess.Popen[str]],
) -> None:
    """Oracle: kill -9 in the middle, twice: every `.colorized.` file that is there is whole; the third run does only
    what is left, leaves no part behind, and all bytes are those of an undisturbed run with -o."""
    for number in range(24):
        put_photo(tmp_path / "album" / f"{number % 3}" / f"{number}.png", "astronaut", 300 + number, 200)
    ref, command = refs / "cup.jpg", ("exemplar", tmp_path / "album", "--ref", refs / "cup.jpg", "-d", "cpu")
    for count in (2, 6):
        process = start_colorize(*command, "--weights", exemplar_weights, "-j", "1")
        assert process.stderr is not None
        seen = 0
        for line in process.stderr:
            seen += " -> " in line
            if seen >= count:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        for path in (tmp_path / "album").rglob("*.colorized.png"):
            Image.open(path).load()
    there = len(list((tmp_path / "album").rglob("*.colorized.png")))
    answer = exemplar(tmp_path / "album", ref=[ref])
    assert answer.code == 0 and 8 <= there < 24
    made, before = (int(part.split()[0]) for part in answer.out.split(", ")[:2])
    assert made + before == 24 and before >= 8
    assert not [path for path in (tmp_path / "album").rglob(".*") if path.name.endswith(".part")]
    assert exemplar(tmp_path / "album", ref=[ref], out=tmp_path / "out").code == 0
    found = files_in(tmp_path / "album")
    for name, content in files_in(tmp_path / "out").items():
        assert found[name.replace(".png", ".colorized.png")] == content
