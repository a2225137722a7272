"""Batcher: like shapes together, bounded waiting, nothing lost, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from colorcli.items import Batch, Job, Photo, PhotoHeader
from colorcli.stages.batch import Batcher, make_batch

_SHAPES = ((8, 8), (8, 16), (16, 8), (16, 16), (24, 8), (8, 24))
_HEADER = PhotoHeader(10, 10, "L 8-bit", 8, False)


def _photo(number: int, shape: tuple[int, int]) -> Photo:
    job = Job(Path(f"{number}.jpg"), Path(f"out/{number}.jpg"), f"{number}.jpg")
    return Photo(job, _HEADER, torch.full((1, *shape), float(number)))


@settings(deadline=None, max_examples=200)  # no deadline: torch's first call takes long
@given(size=st.integers(1, 5), shapes=st.lists(st.sampled_from(_SHAPES), max_size=60))
def test_every_photo_once_in_batches_of_one_shape(size: int, shapes: list[tuple[int, int]]) -> None:
    """Oracle: the photos that went in; and the bound of 4 x size waiting photos from the docstring."""
    batcher = Batcher(size)
    photos = [_photo(number, shape) for number, shape in enumerate(shapes)]
    batches: list[Batch] = []
    for count, photo in enumerate(photos, start=1):
        batches += batcher.add(photo)
        waiting = count - sum(len(batch.photos) for batch in batches)
        assert 0 <= waiting < 4 * size
    batches += batcher.rest()
    assert list(batcher.rest()) == []
    given_back = [photo for batch in batches for photo in batch.photos]
    assert sorted(photo.job.name for photo in given_back) == sorted(photo.job.name for photo in photos)
    for batch in batches:
        assert 1 <= len(batch.photos) <= size
        assert batch.lightness.shape == (len(batch.photos), *batch.photos[0].lightness.shape)
        for photo, row in zip(batch.photos, batch.lightness, strict=True):
            assert torch.equal(photo.lightness, row)  # the row is this photo's, not a neighbour's


def test_a_full_group_leaves_at_once() -> None:
    """Oracle: the contract: a batch is given when it is full."""
    batcher = Batcher(2)
    assert list(batcher.add(_photo(0, (8, 8)))) == []
    assert list(batcher.add(_photo(1, (8, 16)))) == []
    (batch,) = batcher.add(_photo(2, (8, 8)))
    assert [photo.job.name for photo in batch.photos] == ["0.jpg", "2.jpg"]


def test_the_oldest_shape_leaves_when_too_many_wait() -> None:
    """Oracle: 4 x size photos may wait; with size 2 the eighth of eight different shapes pushes the first out."""
    batcher = Batcher(2)
    batches = [list(batcher.add(_photo(number, (8, 8 * (number + 1))))) for number in range(8)]
    assert batches[:7] == [[]] * 7
    assert [photo.job.name for photo in batches[7][0].photos] == ["0.jpg"]


def test_make_batch_refuses_different_shapes() -> None:
    """Oracle: torch.stack; a batch of two shapes has no meaning."""
    with pytest.raises(RuntimeError):
        make_batch([_photo(0, (8, 8)), _photo(1, (8, 16))])


def test_photos_without_hints_get_none_of_their_neighbours() -> None:
    """Oracle: the contract: each photo's own hints, zeros for a photo without; None where no photo has any."""
    photos = [_photo(number, (8, 16)) for number in range(3)]
    assert make_batch(photos).hints is None
    own = torch.rand(3, 8, 16)
    batch = make_batch([photos[0], replace(photos[1], hints=own), photos[2]])
    assert batch.hints is not None and batch.hints.shape == (3, 3, 8, 16)
    assert torch.equal(batch.hints[1], own) and not batch.hints[[0, 2]].any()


def test_each_photo_keeps_its_own_embedding() -> None:
    """Oracle: the contract: row by row, in the photos' order; None where the photos have none."""
    own = torch.rand(3, 5)
    photos = [replace(_photo(number, (8, 16)), embedding=own[number]) for number in range(3)]
    batch = make_batch(photos[::-1])
    assert batch.embeddings is not None and torch.equal(batch.embeddings, own.flip(0)) and batch.hints is None
    assert make_batch([_photo(0, (8, 16))]).embeddings is None


def test_each_photo_keeps_its_own_regions() -> None:
    """Oracle: as above."""
    own = torch.arange(3 * 8 * 16, dtype=torch.uint8).reshape(3, 8, 16)
    photos = [replace(_photo(number, (8, 16)), segments=own[number]) for number in range(3)]
    batch = make_batch(photos[::-1])
    assert batch.segments is not None and torch.equal(batch.segments, own.flip(0))
    assert make_batch([_photo(0, (8, 16))]).segments is None
