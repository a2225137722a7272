"""Photo -> Batch: photos of one shape go through the network together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from colorcli.items import Batch, Photo

WAITING_BATCHES = 4  # photos of rare shapes wait until this many batches' worth is waiting


class Batcher:
    """Groups photos by shape and gives a batch when one is full, or when too many wait.

    size: photos in a batch. The number of waiting photos is bounded by 4 x size.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._waiting: OrderedDict[tuple[int, ...], list[Photo]] = OrderedDict()

    def add(self, photo: Photo) -> Iterator[Batch]:
        """Take one photo; yields the batches that became ready, the oldest shape first when too many wait."""
        shape = tuple(photo.lightness.shape)
        group = self._waiting.setdefault(shape, [])
        group.append(photo)
        if len(group) >= self.size:
            yield make_batch(self._waiting.pop(shape))
        elif sum(map(len, self._waiting.values())) >= WAITING_BATCHES * self.size:
            _, oldest = self._waiting.popitem(last=False)
            yield make_batch(oldest)

    def rest(self) -> Iterator[Batch]:
        """What still waits, as smaller batches."""
        while self._waiting:
            _, photos = self._waiting.popitem(last=False)
            yield make_batch(photos)


def make_batch(photos: list[Photo]) -> Batch:
    """Photos of one shape as one Batch; of hints where any has some, of what else there is where all have it."""
    lightness = torch.stack([photo.lightness for photo in photos])  # B x (1, h, w) -> (B, 1, h, w)
    embeddings = [photo.embedding for photo in photos if photo.embedding is not None]
    joined = torch.stack(embeddings) if len(embeddings) == len(photos) else None  # B x (E,) -> (B, E)
    drawn = [photo.job.seed for photo in photos if photo.job.seed is not None]
    seeds = torch.tensor(drawn) if len(drawn) == len(photos) else None
    own = [photo.chroma for photo in photos if photo.chroma is not None]
    chroma = torch.stack(own) if len(own) == len(photos) else None  # B x (2, h, w) -> (B, 2, h, w)
    drawings = [photo.segments for photo in photos if photo.segments is not None]
    segments = torch.stack(drawings) if len(drawings) == len(photos) else None  # B x (h, w) -> (B, h, w)
    return Batch(tuple(photos), lightness, _hints(photos), joined, seeds, chroma, segments)


def _hints(photos: Sequence[Photo]) -> Tensor | None:
    """(B, 3, h, w) as in Batch."""
    if all(photo.hints is None for photo in photos):
        return None
    none = torch.zeros(3, *photos[0].lightness.shape[1:])
    return torch.stack([none if photo.hints is None else photo.hints for photo in photos])  # B x (3, h, w)
