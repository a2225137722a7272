"""infer: safe against too little memory and against non-finite half precision."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from colorcli.items import Batch, Colored, Failure, Job, Photo, PhotoHeader
from colorcli.stages.batch import make_batch
from colorcli.stages.infer import infer

_HEADER = PhotoHeader(10, 10, "L 8-bit", 8, False)


def _batch(count: int) -> Batch:
    photos = []
    for number in range(count):
        job = Job(Path(f"{number}.jpg"), Path(f"out/{number}.jpg"), f"{number}.jpg")
        photos.append(Photo(job, _HEADER, torch.full((1, 8, 16), float(number))))
    return make_batch(photos)


def _double(lightness: Tensor) -> Tensor:
    """(B, 1, h, w) -> (B, 2, h, w): each photo's own number, so that a mix-up shows."""
    return torch.cat((lightness, 2 * lightness), dim=1)


def _never(lightness: Tensor) -> Tensor:
    raise AssertionError(f"fp32 was asked for {lightness.shape}")


def _limited(fits: int, error: Callable[[], Exception]) -> Callable[[Tensor], Tensor]:
    def predict(lightness: Tensor) -> Tensor:
        if len(lightness) > fits:
            raise error()
        return _double(lightness)

    return predict


def _assert_colored(outcomes: list[Colored | Failure], numbers: range) -> None:
    assert [type(outcome) for outcome in outcomes] == [Colored] * len(numbers)
    for outcome, number in zip(outcomes, numbers, strict=True):
        assert isinstance(outcome, Colored)
        assert outcome.photo.job.name == f"{number}.jpg"
        assert outcome.chroma.shape == (2, 8, 16)
        assert bool((outcome.chroma[0] == number).all()) and bool((outcome.chroma[1] == 2 * number).all())


def test_each_photo_gets_its_own_chroma() -> None:
    """Oracle: the closed form of _double; exact. Nothing is said when nothing went wrong."""
    said: list[str] = []
    _assert_colored(list(infer(_batch(5), _double, _never, said.append)), range(5))
    assert said == []


_OUT_OF_MEMORY = {
    "CUDA": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "CPU": lambda: RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
    "MPS": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
}


@pytest.mark.parametrize("kind", _OUT_OF_MEMORY)
def test_out_of_memory_halves_the_batch_and_says_so(kind: str) -> None:
    """Oracle: all photos come out, in order; 7 photos with room for 2 need 7 -> 3+4 -> 1+2, 2+2: three halvings."""
    said: list[str] = []
    _assert_colored(list(infer(_batch(7), _limited(2, _OUT_OF_MEMORY[kind]), _never, said.append)), range(7))
    assert len(said) == 3
    assert said[0] == "out of memory with 7 photos at once: going on with 3"


def test_out_of_memory_tells_the_size_of_later_batches() -> None:
    """Oracle: 8 photos with room for 2: 8 -> 4 + 4, each 4 -> 2 + 2; the last told is what fits."""
    told: list[int] = []
    outcomes = list(infer(_batch(8), _limited(2, _OUT_OF_MEMORY["CUDA"]), _never, lambda _: None, told.append))
    _assert_colored(outcomes, range(8))
    assert told == [4, 2, 2]


def test_one_photo_that_does_not_fit_is_a_failure() -> None:
    """Oracle: the contract; the reason names the size and two ways out."""
    outcomes = list(infer(_batch(2), _limited(0, _OUT_OF_MEMORY["CUDA"]), _never, lambda _: None))
    assert [(type(outcome), getattr(outcome, "name", "")) for outcome in outcomes] == [
        (Failure, "0.jpg"),
        (Failure, "1.jpg"),
    ]
    for outcome in outcomes:
        assert isinstance(outcome, Failure) and outcome.stage == "infer"
        assert "16x8" in outcome.reason and "--size" in outcome.reason and "--device cpu" in outcome.reason


class _Activations:
    """Stands for the tensors of a network that is being run."""


def test_the_failed_attempt_is_freed_before_the_next() -> None:
    """Oracle: a weak reference. While an exception is handled its frames, and a GPU's tensors in them, stay alive."""
    held: list[weakref.ref[_Activations]] = []

    def predict(lightness: Tensor) -> Tensor:
        if len(lightness) > 1:
            activations = _Activations()
            held.append(weakref.ref(activations))
            raise torch.OutOfMemoryError("CUDA out of memory")
        assert held and all(reference() is None for reference in held)
        return _double(lightness)

    _assert_colored(list(infer(_batch(4), predict, _never, lambda _: None)), range(4))


def test_other_runtime_errors_are_not_taken_for_memory() -> None:
    """Oracle: the contract; a shape error must not be hidden by halving."""

    def broken(_: Tensor) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        list(infer(_batch(2), broken, _never, lambda _: None))


@torch.inference_mode()
def _half(lightness: Tensor) -> Tensor:
    """As real predictors are: under inference mode, whose tensors refuse changes; photos 1 and 2 overflow."""
    chroma = _double(lightness)
    chroma[lightness[:, 0, 0, 0] == 1] = torch.inf
    chroma[lightness[:, 0, 0, 0] == 2, 0, 3, 3] = torch.nan  # a single pixel is enough
    return chroma


def test_non_finite_photos_are_redone_in_fp32() -> None:
    """Oracle: fp32's values for just the photos that were non-finite; exact. It is said once."""
    said: list[str] = []
    asked: list[list[float]] = []

    @torch.inference_mode()
    def exact(lightness: Tensor) -> Tensor:
        asked.append(lightness[:, 0, 0, 0].tolist())
        return _double(lightness)

    _assert_colored(list(infer(_batch(4), _half, exact, said.append)), range(4))
    assert asked == [[1.0, 2.0]]
    assert said == ["2 photo(s) came out non-finite in half precision and are redone in fp32"]


def test_still_non_finite_is_a_failure_of_that_photo_alone() -> None:
    """Oracle: the contract; no black or NaN picture is ever written."""

    def exact(lightness: Tensor) -> Tensor:
        chroma = _double(lightness)
        chroma[lightness[:, 0, 0, 0] == 2] = torch.nan
        return chroma

    outcomes = list(infer(_batch(4), _half, exact, lambda _: None))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert [(failure.name, failure.stage) for failure in failures] == [("2.jpg", "infer")]
    assert "non-finite" in failures[0].reason and "fp32" in failures[0].reason
    _assert_colored([outcome for outcome in outcomes if isinstance(outcome, Colored)][:2], range(2))
    assert len(outcomes) == 4


def test_fp32_that_does_not_fit_is_halved_too() -> None:
    """Oracle: as for the first attempt: two photos redone at once do not fit, one does."""
    said: list[str] = []
    exact = _limited(1, _OUT_OF_MEMORY["CUDA"])
    _assert_colored(list(infer(_batch(4), _half, exact, said.append)), range(4))
    assert "out of memory with 4 photos at once: going on with 2" in said


def _hinted(count: int) -> Batch:
    """Photos 1, 3, ... have hints: their own number and ten times that, and a mask."""
    photos = []
    for number, photo in enumerate(_batch(count).photos):
        planes = torch.tensor([float(number), 10.0 * number, 1.0])[:, None, None].expand(3, 8, 16)
        photos.append(replace(photo, hints=planes if number % 2 else None))
    return make_batch(photos)


def _echo(lightness: Tensor, hints: Tensor) -> Tensor:
    assert lightness.shape[2:] == hints.shape[2:] and len(lightness) == len(hints)
    return hints[:, :2]


def test_hints_stay_with_their_photo_through_halving_and_redoing() -> None:
    """Oracle: the closed form of _echo, zero for photos without hints; 5 photos with room for 2, of which photo 1 comes
    out non-finite and is redone in fp32."""

    @torch.inference_mode()
    def rough(lightness: Tensor, hints: Tensor | None = None) -> Tensor:
        if len(lightness) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        chroma = torch.zeros(len(lightness), 2, 8, 16) if hints is None else _echo(lightness, hints).clone()
        chroma[lightness[:, 0, 0, 0] == 1] = torch.nan
        return chroma

    outcomes = list(infer(_hinted(5), rough, _echo, lambda _: None))
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, Colored) and outcome.photo.job.name == f"{number}.jpg"
        expected = torch.tensor([number, 10.0 * number] if number % 2 else [0.0, 0.0])
        assert torch.equal(outcome.chroma, expected[:, None, None].expand(2, 8, 16))
        assert outcome.shown is None
    assert len(outcomes) == 5


@pytest.mark.parametrize("further", [1, 14])
def test_further_planes_are_shown(further: int) -> None:
    """Oracle: closed form, by photo; the chroma has two planes as ever."""

    def predict(lightness: Tensor) -> Tensor:
        return torch.cat((_double(lightness), *[lightness / 10] * further), dim=1)

    outcomes = list(infer(_batch(3), predict, _never, lambda _: None))
    _assert_colored(outcomes, range(3))
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, Colored) and outcome.shown is not None
        assert torch.equal(outcome.shown, torch.full((further, 8, 16), float(number)) / 10)


def test_embeddings_go_with_their_photos() -> None:
    """Oracle: the closed form, each photo's own embedding times its own number: whole, halved by too little memory, and
    redone in fp32 where the half gives infinity."""
    photos = [replace(photo, embedding=torch.full((3,), 10.0 * n)) for n, photo in enumerate(_batch(5).photos)]

    def predict(lightness: Tensor, z: Tensor) -> Tensor:
        if len(lightness) > 3:
            raise torch.OutOfMemoryError("too many")
        return torch.cat((lightness, lightness), dim=1) + z[:, :2, None, None]

    def half(lightness: Tensor, z: Tensor) -> Tensor:
        chroma = predict(lightness, z)
        chroma[lightness[:, 0, 0, 0] % 2 == 1] = float("inf")
        return chroma

    outcomes = list(infer(make_batch(photos), half, predict, lambda _: None))
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, Colored) and outcome.photo.job.name == f"{number}.jpg"
        assert bool((outcome.chroma == 11.0 * number).all())


def test_what_the_network_is_told() -> None:
    """Oracle: the order of `Predict`: embeddings with segments or None, hints or None, seeds; no place for segments
    without embeddings, nothing in the place of what comes last; in
    fp32 the same of the photos that are redone."""
    told: list[tuple[Tensor | None, ...]] = []

    def predict(lightness: Tensor, *given: Tensor | None) -> Tensor:
        told.append(given)
        chroma = _double(lightness)
        chroma[1 if len(lightness) > 1 else 0 : 2] = torch.nan if len(lightness) > 1 else 0.0
        return chroma

    def batch(embedding: bool, segments: bool, hints: bool, seed: bool) -> Batch:
        photos = []
        for number, photo in enumerate(_batch(3).photos):
            job = replace(photo.job, seed=7 + number if seed else None)
            drawn = torch.full((3, 8, 16), float(number)) if hints else None
            z = torch.tensor([float(number)]) if embedding else None
            regions = torch.full((8, 16), number, dtype=torch.uint8) if segments else None
            photos.append(replace(photo, job=job, hints=drawn, embedding=z, segments=regions))
        return make_batch(photos)

    for has, expected in (  # embedding, segments, hints, seed: what is given, "." where it is None
        ("", ""),
        ("h", "h"),
        ("z", "z"),
        ("zd", "z..d"),
        ("zs", "zs"),
        ("zsd", "zs.d"),
        ("zh", "z.h"),
        ("zshd", "zshd"),
    ):
        told.clear()
        assert len(list(infer(batch(*(one in has for one in "zshd")), predict, predict, lambda _: None))) == 3
        assert [given is None for given in told[0]] == [one == "." for one in expected]
        first, again = told
        for all_of_them, one in zip(first, again, strict=True):
            assert (all_of_them is one is None) or torch.equal(all_of_them[1:2], one)  # type: ignore[index]
        if has == "zshd":
            assert first[3] is not None and first[3].tolist() == [7, 8, 9]


@pytest.mark.parametrize("further", [0, 2])
def test_a_change_of_lab_has_three_planes(further: int) -> None:
    """Oracle: closed form: a photo in colour is seen in Lab and gets three planes; what is shown follows these."""

    def predict(lab: Tensor) -> Tensor:
        return torch.cat((lab + 1, *[lab[:, :1]] * further), dim=1)

    photos = [replace(photo, chroma=torch.full((2, 8, 16), 50.0)) for photo in _batch(2).photos]
    for number, colored in enumerate(infer(make_batch(photos), predict, _never, lambda _: None)):
        assert isinstance(colored, Colored)
        assert colored.chroma[:, 0, 0].tolist() == [number + 1, 51, 51]
        assert (None if colored.shown is None else len(colored.shown)) == (further or None)
