"""refer: each photo its reference's embedding, each reference once, the nearest of many, and none that is gray."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from colorcli.errors import PhotoError, Stopped, UsageError
from colorcli.items import Failure, Job, Photo, PhotoHeader, Reference
from colorcli.stages import refer as module
from colorcli.stages.refer import References, read_reference

_HEADER = PhotoHeader(10, 10, "L 8-bit", 8, False)


def _reference(path: Path) -> Reference:
    return Reference(path, path.name, path.name)


def _plain(path: Path, color: tuple[int, int, int]) -> Reference:
    Image.new("RGB", (40, 30), color).save(path)
    return _reference(path)


def _photo(reference: Reference | None = None, number: int = 0, level: float = 50.0) -> Photo:
    job = Job(Path("in.jpg"), Path(f"out/{number}.jpg"), f"{number}.jpg", reference=reference)
    return Photo(job, _HEADER, torch.full((1, 16, 32), level))


def _mean_color(rgb: Tensor) -> Tensor:
    """(1, 3, h, w) -> (1, 3)."""
    return rgb.mean((2, 3))


def _direction(lightness: Tensor) -> Tensor:
    """(1, 1, h, w) -> (1, 2), of length 1: near for photos of like mean lightness."""
    angle = lightness.mean((1, 2, 3)) / 100
    return torch.stack((angle.cos(), angle.sin()), dim=1)


def test_each_photo_has_its_references_colours(tmp_path: Path) -> None:
    """Oracle: the plain colour of each file; two 8-bit steps (JPEG). The photo is else as it was."""
    red, blue = _plain(tmp_path / "r.png", (200, 30, 40)), _plain(tmp_path / "b.jpg", (10, 20, 220))
    references = References(_mean_color, _direction, multiple=16)
    for reference, color in ((red, (200, 30, 40)), (blue, (10, 20, 220)), (red, (200, 30, 40))):
        photo = replace(_photo(reference), notes=("a note",))
        found = references.refer(photo)
        assert isinstance(found, Photo) and found.embedding is not None
        assert torch.allclose(255 * found.embedding, torch.tensor(color).float(), atol=2)
        assert found.job == photo.job and found.lightness is photo.lightness and found.notes == ("a note",)


def test_once_by_any_number_of_threads(tmp_path: Path) -> None:
    """Oracle: the count of calls: eight threads ask at once for two references, while each answer takes long."""
    both = [_plain(tmp_path / f"{i}.png", (200, 30 * i, 40)) for i in range(2)]
    counts: Counter[float] = Counter()
    begun = threading.Barrier(8)

    def slow(rgb: Tensor) -> Tensor:
        counts[round(float(rgb[0, 1].mean()), 2)] += 1
        threading.Event().wait(0.2)
        return _mean_color(rgb)

    references = References(slow, _direction, multiple=16)
    found: dict[int, Photo | Failure] = {}

    def ask(number: int) -> None:
        begun.wait()
        found[number] = references.refer(_photo(both[number % 2], number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts.values()) == [1, 1]
    for number, photo in found.items():
        assert isinstance(photo, Photo) and photo.embedding is not None
        assert abs(float(photo.embedding[1]) - 30 * (number % 2) / 255) < 0.01


def test_no_more_than_the_latest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the count of calls with room for two of 12 bytes: the one asked for least lately is made again."""
    monkeypatch.setattr(module, "_KEPT", 24)
    a, b, c = (_plain(tmp_path / f"{name}.png", (200, 30, 40)) for name in "abc")
    calls: list[int] = []
    references = References(lambda rgb: calls.append(1) or _mean_color(rgb), _direction, multiple=16)  # type: ignore
    for reference, made in ((a, 1), (b, 2), (a, 2), (c, 3), (a, 3), (b, 4)):
        references.refer(_photo(reference))
        assert len(calls) == made


def test_the_latest_is_kept_whatever_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the count of calls with room for less than one: the last one made is not made again, another is; those
    that cannot be made leave, too."""
    monkeypatch.setattr(module, "_KEPT", 5)
    a, b = (_plain(tmp_path / f"{name}.png", (200, 30, 40)) for name in "ab")
    calls: list[int] = []
    references = References(lambda rgb: calls.append(1) or _mean_color(rgb), _direction, multiple=16)  # type: ignore
    gone = _reference(tmp_path / "gone.png")
    for reference, made in ((a, 1), (a, 1), (b, 2), (b, 2), (a, 3), (gone, 3), (gone, 3), (a, 4)):
        references.refer(_photo(reference))
        assert len(calls) == made


def test_the_nearest_is_chosen_per_photo(tmp_path: Path) -> None:
    """Oracle: the references' lightness by scikit-image; the job names the choice, a note tells it with its cosine;
    equals go to the first."""
    choices = [_plain(tmp_path / f"{v}.png", (v, v, min(255, v + 30))) for v in (50, 125, 220)]
    references = References(_mean_color, _direction, multiple=16, choices=choices)
    for level, index in ((10.0, 0), (50.0, 1), (95.0, 2), (30.0, 0)):
        found = references.refer(_photo(level=level))
        assert isinstance(found, Photo) and found.job.reference == choices[index]
        assert found.notes[0].startswith(f"its reference is {choices[index].name}, of 3 (similarity ")
        expected = float(_direction(torch.full((1, 1, 1, 1), level))[0] @ _direction(_lightness(choices[index]))[0])
        assert abs(float(found.notes[0].rpartition(" ")[2].rstrip(")")) - expected) < 0.02
    same = [_plain(tmp_path / f"{name}.png", (90, 60, 30)) for name in "xy"]
    first = References(_mean_color, _direction, multiple=16, choices=same).refer(_photo())
    assert isinstance(first, Photo) and first.job.reference == same[0]


def _lightness(reference: Reference) -> Tensor:
    from skimage.color import rgb2lab

    pixels = np.asarray(Image.open(reference.path)) / 255
    return torch.from_numpy(rgb2lab(pixels)[..., 0]).float()[None, None]


def test_the_network_sees_contents_in_their_aspect(tmp_path: Path) -> None:
    """Oracle: the sizes that `content` is given: near 256 x 256 pixels, multiples of 16, as wide as the photo, also of
    photos that the run sees at another size."""
    seen: list[tuple[int, ...]] = []
    choice = _plain(tmp_path / "a.png", (90, 60, 30))  # 4:3

    def content(lightness: Tensor) -> Tensor:
        seen.append(tuple(lightness.shape))
        return _direction(lightness)

    References(_mean_color, content, multiple=16, choices=[choice]).refer(_photo())  # 2:1
    assert seen == [(1, 1, 224, 288), (1, 1, 176, 368)]


def test_what_cannot_be_a_reference_fails_its_photo(tmp_path: Path) -> None:
    """Oracle: the contract: gray, damaged and missing ones by name; the other photos have theirs."""
    red = _plain(tmp_path / "r.png", (200, 30, 40))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    gray = _plain(tmp_path / "gray.png", (99, 99, 99))
    references = References(_mean_color, _direction, multiple=16)
    for reference, words in (
        (gray, "its reference gray.png is gray; expected a photo in colour"),
        (_reference(tmp_path / "bad.png"), "its reference bad.png: "),
        (_reference(tmp_path / "nowhere.png"), "its reference nowhere.png: the file cannot be opened"),
    ):
        for _ in range(2):
            failure = references.refer(_photo(reference))
            assert isinstance(failure, Failure) and (failure.name, failure.stage) == ("0.jpg", "decode")
            assert failure.reason.startswith(words)
    assert isinstance(references.refer(_photo(red)), Photo)


def test_choices_that_cannot_be_one_are_told_once(tmp_path: Path) -> None:
    """Oracle: the contract; where nothing is left it is a UsageError."""
    gray, red = _plain(tmp_path / "gray.png", (99, 99, 99)), _plain(tmp_path / "r.png", (200, 30, 40))
    said: list[str] = []
    references = References(_mean_color, _direction, multiple=16, choices=[gray, red], say=said.append)
    for _ in range(2):
        found = references.refer(_photo())
        assert isinstance(found, Photo) and found.job.reference == red
    assert len(said) == 1 and said[0].startswith("left out: reference gray.png is gray")
    with pytest.raises(UsageError, match="none of the references can be used"):
        References(_mean_color, _direction, multiple=16, choices=[gray]).refer(_photo())


@pytest.mark.parametrize("kind", ["L", "RGB", "sepia", "noise"])
def test_gray_is_told_from_faint_colour(kind: str, tmp_path: Path, photograph: Callable[..., np.ndarray]) -> None:
    """Oracle: how the file was made: gray of one band and of three as JPEG, also with noise of one step between
    the bands; a sepia print has colour."""
    gray = np.asarray(Image.fromarray(photograph("coffee", 80, 60)).convert("L")).astype(float)
    tint = np.array([1.0, 0.9, 0.75]) if kind == "sepia" else np.ones(3)
    pixels = gray[..., None] * tint
    if kind == "noise":
        pixels += np.random.default_rng(0).integers(-1, 2, pixels.shape)
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    (picture.convert("L") if kind == "L" else picture).save(tmp_path / "a.jpg", quality=85)
    reference = _reference(tmp_path / "a.jpg")
    if kind == "sepia":
        assert read_reference(reference).shape[0] == 3
    else:
        with pytest.raises(PhotoError, match=r"its reference a\.jpg is gray"):
            read_reference(reference)
    with pytest.raises(PhotoError, match="megapixels"):
        read_reference(reference, max_pixels=4799)


def test_a_stopped_run_looks_at_no_further_reference(tmp_path: Path) -> None:
    """Oracle: how many were looked at when the run is stopped during the second of forty."""
    choices = [_plain(tmp_path / f"{number}.png", (200, 30, 3 * number)) for number in range(40)]
    looked: list[float] = []

    def content(lightness: Tensor) -> Tensor:
        looked.append(float(lightness.mean()))
        if len(looked) == 2:
            references.stop()
        return _direction(lightness)

    references = References(_mean_color, content, multiple=16, choices=choices)
    with pytest.raises(Stopped):
        references.refer(_photo())
    assert len(looked) == 2
