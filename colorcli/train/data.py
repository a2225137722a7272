"""Training photographs: read from folders and tar shards, held in memory as 8-bit, served as random crops."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image, ImageOps
from torch import Tensor

from colorcli.errors import UsageError

_PHOTO_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_SHARD_ENDINGS = (".tar", ".tar.gz", ".tgz")
_LONGEST_ASPECT = 2.0  # wider or taller pictures are cropped to this around their centre
_SMALLEST_REGION = 0.75  # a crop covers at least this part of the picture's side
_READ_AHEAD = 256  # pictures read before they are decoded
_HELD_OUT = 50  # without an index, every 50th name (by its checksum) is for validation


@dataclass(slots=True)
class Photos:
    """Pictures in memory.

    train, validation: (3, h, w) uint8 RGB each. damaged: names and reasons of what could not be read.
    """

    train: list[Tensor] = field(default_factory=list)
    validation: list[Tensor] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def to(self, device: torch.device) -> Photos:
        """The same pictures on another device."""
        return Photos([p.to(device) for p in self.train], [p.to(device) for p in self.validation], self.damaged)


def decode(data: bytes, side: int) -> Tensor:
    """A picture file as (3, h, w) uint8 RGB, short side at most `side`, at most 2:1. Raises OSError or ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            opened = Image.open(io.BytesIO(data))
            opened.draft("RGB", (side, side))  # JPEG: decodes at a half or a quarter where that is enough
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        except (Image.DecompressionBombWarning, Image.DecompressionBombError, SyntaxError) as error:
            raise ValueError(str(error)) from error
    width, height = picture.size
    if width > _LONGEST_ASPECT * height or height > _LONGEST_ASPECT * width:
        columns, rows = min(width, int(_LONGEST_ASPECT * height)), min(height, int(_LONGEST_ASPECT * width))
        left, top = (width - columns) // 2, (height - rows) // 2
        picture = picture.crop((left, top, left + columns, top + rows))
    scale = side / min(picture.size)
    if scale < 1:
        size = (max(round(picture.width * scale), side), max(round(picture.height * scale), side))
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()  # (h, w, 3) -> (3, h, w)


def _splits(shard: Path) -> dict[str, str]:
    """Member -> "train" or "val", from the index.csv.gz beside a shard; empty where there is none."""
    index = shard.parent / "index.csv.gz"
    if not index.exists():
        return {}
    with gzip.open(index, "rt", encoding="utf-8", newline="") as rows:
        return {row["member"]: row["split"] for row in csv.DictReader(rows) if row["shard"] == shard.name}


def _chosen(name: str) -> bool:
    """Whether a picture without an index is for validation."""
    return zlib.crc32(name.encode(errors="surrogateescape")) % _HELD_OUT == 0


def _members(source: Path) -> Iterator[tuple[str, Callable[[], bytes], bool]]:
    """Name, reader of the bytes and whether it is held out, for every picture of a folder or shard."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.name.endswith(_SHARD_ENDINGS):
                yield from _members(path)
            if path.suffix.lower() not in _PHOTO_ENDINGS or not path.is_file():
                continue
            name = path.relative_to(source).as_posix()
            yield name, path.read_bytes, _chosen(name)
    elif source.name.endswith(_SHARD_ENDINGS):
        splits = _splits(source)
        with tarfile.open(source) as shard:
            for member in shard:
                stream = shard.extractfile(member) if member.isfile() else None
                if stream is None or Path(member.name).suffix.lower() not in _PHOTO_ENDINGS:
                    continue
                split = splits.get(member.name)
                held_out = split == "val" if split else _chosen(member.name)
                yield member.name, partial(bytes, stream.read()), held_out
    elif source.suffix.lower() in _PHOTO_ENDINGS:
        yield source.name, source.read_bytes, False
    else:
        raise UsageError(f"{source} is neither a folder of photos nor a tar shard")


def _until_damage(source: Path, damaged: list[str]) -> Iterator[tuple[str, Callable[[], bytes], bool]]:
    """The members of a folder or shard up to where it cannot be read any further, which is noted in `damaged`."""
    try:
        yield from _members(source)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        damaged.append(f"{source.name}: the rest is unreadable: {type(error).__name__}: {error}")


def read_photos(
    sources: Sequence[Path], side: int, workers: int = 2, report: Callable[[int, int], None] | None = None
) -> Photos:
    """Every picture of the folders and shards, in a fixed order, short side at most `side`.

    A damaged picture is listed, never fatal. report(read, damaged) is called now and then.
    No readable picture at all raises UsageError.
    """
    photos = Photos()

    def attempt(item: tuple[str, Callable[[], bytes], bool]) -> tuple[str, bool, Tensor | str]:
        name, read, held_out = item
        try:
            return name, held_out, decode(read(), side)
        except (OSError, ValueError) as error:
            return name, held_out, f"{type(error).__name__}: {error}"

    for source in sources:
        if not source.exists():
            raise UsageError(f"{source} does not exist")
        members = _until_damage(source, photos.damaged)
        with ThreadPoolExecutor(workers) as pool:
            while chunk := list(islice(members, _READ_AHEAD)):
                for name, held_out, picture in pool.map(attempt, chunk):
                    if isinstance(picture, str):
                        photos.damaged.append(f"{source.name}/{name}: {picture}")
                    else:
                        (photos.validation if held_out else photos.train).append(picture)
                if report:
                    report(len(photos.train) + len(photos.validation), len(photos.damaged))
    if not photos.train and photos.validation:
        photos.train.append(photos.validation.pop())  # the checksum held them all out
    if not photos.validation and len(photos.train) > 1:
        photos.validation.append(photos.train.pop())  # too few for the checksum to have chosen one
    if not photos.train:
        raise UsageError(f"no readable photo in {', '.join(map(str, sources))} ({len(photos.damaged)} damaged)")
    return photos


class Crops:
    """Random crops of the training pictures, for ever, each picture once before any comes again.

    The order and the crops follow from the seed; `state` and `restore` carry them over an interruption.
    """

    def __init__(self, pictures: Sequence[Tensor], seed: int) -> None:
        self._pictures = pictures
        self._generator = torch.Generator().manual_seed(seed)
        self._queue: list[int] = []

    def state(self) -> dict[str, Any]:
        """Where the stream is."""
        return {"generator": self._generator.get_state(), "queue": list(self._queue)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; pictures that are no longer there are left out."""
        self._generator.set_state(state["generator"])
        self._queue = [index for index in state["queue"] if index < len(self._pictures)]

    def batch(self, count: int, size: int) -> Tensor:
        """(count, 3, size, size) float RGB 0..1. Pictures with a short side under `size` are passed over.

        No picture of that size raises UsageError.
        """
        crops: list[Tensor] = []
        passed_over = 0
        while len(crops) < count:
            if not self._queue:
                self._queue = torch.randperm(len(self._pictures), generator=self._generator).tolist()
            picture = self._pictures[self._queue.pop()]
            if min(picture.shape[1:]) < size:
                passed_over += 1
                if passed_over > 2 * len(self._pictures) and not crops:
                    raise UsageError(f"no training photo has a short side of {size} pixels or more")
                continue
            crops.append(self._crop(picture, size))
        return torch.stack(crops)  # count x (3, size, size) -> (count, 3, size, size)

    def _crop(self, picture: Tensor, size: int) -> Tensor:
        """A region between a square and the whole picture's shape, stretched to the square, perhaps mirrored."""
        height, width = picture.shape[1:]
        stretch, zoom, y, x, flip = torch.rand(5, generator=self._generator).tolist()
        side = min(height, width)
        zoom = 1 - (1 - _SMALLEST_REGION) * zoom
        rows = max(round(zoom * side * (height / side) ** stretch), 1)
        columns = max(round(zoom * side * (width / side) ** stretch), 1)
        top, left = int(y * (height - rows + 1)), int(x * (width - columns + 1))
        region = picture[:, top : top + rows, left : left + columns].float() / 255
        crop = F.interpolate(region[None], (size, size), mode="bilinear", antialias=True)[0]  # (3, r, c) -> (3, s, s)
        return crop.flip(2) if flip < 0.5 else crop
