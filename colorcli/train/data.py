"""Training pictures: read from folders and tar shards, near or remote, and held in memory as 8-bit."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from colorcli.errors import UsageError

PHOTO_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_SHARD_ENDINGS = (".tar", ".tar.gz", ".tgz")
_MASK_ENDING = ".mask.png"
_CLASS_ENDING = ".cls"  # WebDataset's: the class as a number or a name
_LONGEST_ASPECT = 2.0  # wider or taller pictures are cropped to this around their centre
_READ_AHEAD = 256  # pictures read before they are decoded
_HELD_OUT = 50  # without an index, every 50th name (by its checksum) is for validation
_GRAY_SPREAD = 2.0  # 8-bit steps between the largest and smallest of R, G, B; JPEG noise of a gray photo is below


@dataclass(frozen=True, slots=True)
class Example:
    """A picture and what is known of it."""

    rgb: Tensor  # (3, h, w) uint8
    label: int = -1  # index into Photos.classes
    mask: Tensor | None = None  # (1, h, w) uint8, 0 or 255

    def to(self, device: torch.device) -> Example:
        """The same on another device."""
        mask = None if self.mask is None else self.mask.to(device)
        return replace(self, rgb=self.rgb.to(device), mask=mask)


@dataclass(slots=True)
class Photos:
    """Pictures in memory. damaged: names and reasons of what could not be read."""

    train: list[Example] = field(default_factory=list)
    validation: list[Example] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    classes: tuple[str, ...] = ()  # names of the labels, sorted

    def to(self, device: torch.device) -> Photos:
        """The same pictures on another device."""
        return replace(
            self, train=[e.to(device) for e in self.train], validation=[e.to(device) for e in self.validation]
        )


def is_gray(rgb: Tensor) -> bool:
    """Whether a picture, (3, h, w) uint8, says nothing of colour."""
    return float((rgb.amax(0) - rgb.amin(0)).float().mean()) <= _GRAY_SPREAD


@dataclass(slots=True)
class _Member:
    """A file of a source, not yet read."""

    name: str  # inside the source
    read: Callable[[], bytes]
    held_out: bool
    label: str = ""
    mask: Callable[[], bytes] | None = None


def decode(data: bytes, side: int) -> Tensor:
    """A picture file as (3, h, w) uint8 RGB, short side at most `side`, at most 2:1. Raises OSError or ValueError."""
    picture = _fitted(_opened(data, side), side, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()  # (h, w, 3) -> (3, h, w)


def decode_mask(data: bytes, side: int) -> Tensor:
    """A mask file as (1, h, w) uint8, 0 or 255, split at the half; sized as `decode` does. OSError or ValueError."""
    picture = _fitted(_opened(data, side).convert("L"), side, Image.Resampling.BOX)
    split = np.array(picture) >= 128
    return torch.from_numpy(split[None].astype(np.uint8) * 255)  # (h, w) -> (1, h, w)


def _opened(data: bytes, side: int) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            opened = Image.open(io.BytesIO(data))
            opened.draft("RGB", (side, side))  # JPEG: decodes at a half or a quarter where that is enough
            return ImageOps.exif_transpose(opened).convert("RGB")
        except (Image.DecompressionBombWarning, Image.DecompressionBombError, SyntaxError) as error:
            raise ValueError(str(error)) from error


def _fitted(picture: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    width, height = picture.size
    if width > _LONGEST_ASPECT * height or height > _LONGEST_ASPECT * width:
        columns, rows = min(width, int(_LONGEST_ASPECT * height)), min(height, int(_LONGEST_ASPECT * width))
        left, top = (width - columns) // 2, (height - rows) // 2
        picture = picture.crop((left, top, left + columns, top + rows))
    scale = side / min(picture.size)
    if scale >= 1:
        return picture
    size = (max(round(picture.width * scale), side), max(round(picture.height * scale), side))
    return picture.resize(size, resampling)


def _index(stream: IO[bytes], shard: str) -> dict[str, tuple[str, str]]:
    """Member -> split ("train" or "val") and label, of one shard, from an index.csv.gz."""
    with gzip.open(stream, "rt", encoding="utf-8", newline="") as rows:
        return {
            row["member"]: (row["split"], f"{row['source']}/{row['label']}" if row.get("label") else "")
            for row in csv.DictReader(rows)
            if row["shard"] == shard
        }


def _chosen(name: str) -> bool:
    """Whether a picture without an index is for validation."""
    return zlib.crc32(name.encode(errors="surrogateescape")) % _HELD_OUT == 0


def _is_photo(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PHOTO_ENDINGS and not name.endswith(_MASK_ENDING)


def _in_shard(shard: IO[bytes], index: dict[str, tuple[str, str]]) -> Iterator[_Member]:
    """The pictures of a shard, with what stands beside them under the same key (WebDataset's layout)."""
    beside: dict[str, bytes] = {}  # masks and classes of the current key, whichever comes first
    pending: list[_Member] = []
    key = ""

    def finished() -> Iterator[_Member]:
        for member in pending:
            if (mask := beside.get(_MASK_ENDING)) is not None:
                member.mask = partial(bytes, mask)
            if _CLASS_ENDING in beside:
                member.label = beside[_CLASS_ENDING].decode(errors="replace").strip()
            yield member
        pending.clear()
        beside.clear()

    with tarfile.open(fileobj=shard, mode="r|*") as members:
        for item in members:
            stream = members.extractfile(item) if item.isfile() else None
            if stream is None:
                continue
            path = PurePosixPath(item.name)
            ending = next((e for e in (_MASK_ENDING, _CLASS_ENDING) if item.name.endswith(e)), path.suffix)
            if (found := item.name.removesuffix(ending)) != key:
                yield from finished()
                key = found
            if ending in (_MASK_ENDING, _CLASS_ENDING):
                beside[ending] = stream.read()
            elif _is_photo(item.name):
                split, label = index.get(item.name, ("", ""))
                held_out = split == "val" if split else path.parts[0] == "val" or _chosen(item.name)
                folder = path.parent.name if path.parent.name not in ("", "train", "val") else ""
                pending.append(_Member(item.name, partial(bytes, stream.read()), held_out, label or folder))
    yield from finished()


def _in_folder(source: Path) -> Iterator[_Member]:
    for path in sorted(source.rglob("*")):
        if path.name.endswith(_SHARD_ENDINGS):
            yield from _members(str(path))
        if not _is_photo(path.name) or not path.is_file():
            continue
        name = path.relative_to(source).as_posix()
        mask = path.with_name(path.stem + _MASK_ENDING)
        yield _Member(
            name,
            path.read_bytes,
            _chosen(name),
            path.parent.name if path.parent != source else "",
            mask.read_bytes if mask.is_file() else None,
        )


def _remote(source: str) -> Iterator[_Member]:
    """Pictures and shards under a URL that fsspec knows (s3://, gs://, memory://, https://, ...)."""
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(source)
    except (ImportError, ValueError) as error:
        raise UsageError(f"cannot read {source}: {error}") from None
    if not system.exists(root):
        raise UsageError(f"{source} does not exist")
    for path in sorted(system.find(root)) if system.isdir(root) else [root]:
        name = path.removeprefix(root).lstrip("/") or PurePosixPath(path).name
        if path.endswith(_SHARD_ENDINGS):
            beside = f"{path.rpartition('/')[0]}/index.csv.gz"
            rows = _index(io.BytesIO(system.cat_file(beside)), name) if system.exists(beside) else {}
            with system.open(path, "rb") as shard:
                yield from _in_shard(shard, rows)
        elif _is_photo(path):
            mask = path.removesuffix(PurePosixPath(path).suffix) + _MASK_ENDING
            yield _Member(
                name,
                partial(system.cat_file, path),
                _chosen(name),
                PurePosixPath(name).parent.name,
                partial(system.cat_file, mask) if system.exists(mask) else None,
            )


def _members(source: str) -> Iterator[_Member]:
    """Every picture of a folder, shard, single file or URL."""
    if "://" in source:
        yield from _remote(source)
        return
    path = Path(source)
    if not path.exists():
        raise UsageError(f"{source} does not exist")
    if path.is_dir():
        yield from _in_folder(path)
    elif path.name.endswith(_SHARD_ENDINGS):
        index = path.parent / "index.csv.gz"
        rows = {}
        if index.exists():
            with index.open("rb") as stream:
                rows = _index(stream, path.name)
        with path.open("rb") as shard:
            yield from _in_shard(shard, rows)
    elif _is_photo(path.name):
        yield _Member(path.name, path.read_bytes, False)
    else:
        raise UsageError(f"{source} is neither a folder of photos nor a tar shard")


def _until_damage(source: str, damaged: list[str]) -> Iterator[_Member]:
    """The members of a source up to where it cannot be read any further, which is noted in `damaged`."""
    try:
        yield from _members(source)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        damaged.append(f"{PurePosixPath(source).name}: the rest is unreadable: {type(error).__name__}: {error}")


def read_photos(
    sources: Sequence[str | Path],
    side: int,
    kind: str = "photos",
    workers: int = 2,
    report: Callable[[int, int], None] | None = None,
) -> Photos:
    """Every picture of the folders, shards and URLs, in a fixed order, short side at most `side`.

    kind: what a batch will need (`Objective.data`): pictures without a label are left out of "labelled", without a mask
    out of "masked". A label is the index's, WebDataset's .cls or the folder's name. A damaged picture is listed, never
    fatal. report(read, damaged) is called now and then. No picture that can be used raises UsageError.
    """
    photos = Photos()
    labels: list[str] = []  # of train and validation pictures, in the order of reading
    kept: list[tuple[bool, Example]] = []

    def attempt(member: _Member) -> tuple[_Member, Example | str]:
        try:
            mask = decode_mask(member.mask(), side) if kind == "masked" and member.mask else None
            rgb = decode(member.read(), side)
            if mask is not None and mask.shape[1:] != rgb.shape[1:]:
                raise ValueError(f"the mask is {tuple(mask.shape[1:])}, the picture {tuple(rgb.shape[1:])}")
            return member, Example(rgb, mask=mask)
        except (OSError, ValueError) as error:
            return member, f"{type(error).__name__}: {error}"

    def wanted(member: _Member) -> bool:
        return {"labelled": bool(member.label), "masked": member.mask is not None}.get(kind, True)

    for source in map(str, sources):
        members = filter(wanted, _until_damage(source, photos.damaged))
        with ThreadPoolExecutor(workers) as pool:
            while chunk := list(islice(members, _READ_AHEAD)):
                for member, outcome in pool.map(attempt, chunk):
                    if isinstance(outcome, str):
                        photos.damaged.append(f"{PurePosixPath(source).name}/{member.name}: {outcome}")
                    else:
                        kept.append((member.held_out, outcome))
                        labels.append(member.label)
                if report:
                    report(len(kept), len(photos.damaged))
    if kind == "labelled":
        photos.classes = tuple(sorted(set(labels)))
        number = {name: index for index, name in enumerate(photos.classes)}
        kept = [(out, replace(e, label=number[name])) for (out, e), name in zip(kept, labels, strict=True)]
    photos.train = [example for held_out, example in kept if not held_out]
    photos.validation = [example for held_out, example in kept if held_out]
    if not photos.train and photos.validation:
        photos.train.append(photos.validation.pop())  # the checksum held them all out
    if not photos.validation and len(photos.train) > 1:
        photos.validation.append(photos.train.pop())  # too few for the checksum to have chosen one
    if not photos.train:
        need = {"labelled": " with a label", "masked": " with a mask (NAME.mask.png)"}.get(kind, "")
        where = ", ".join(map(str, sources))
        raise UsageError(f"no readable photo{need} in {where} ({len(photos.damaged)} damaged)")
    return photos


def describe(photos: Photos) -> dict[str, Any]:
    """Numbers for the log."""
    return {"train": len(photos.train), "validation": len(photos.validation), "damaged": len(photos.damaged)}
