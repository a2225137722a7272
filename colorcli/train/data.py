"""Training pictures, decoded to 8-bit and held: told apart, and split."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.train.decoding import decode, decode_mask, decode_on_gpu
from colorcli.train.pixels import Pixels
from colorcli.train.sources import Member, members

SMALLEST_CROP = 0.75  # of a picture's side
_GRAY_SOURCE = "gray="
_READ_AHEAD = 256  # pictures read before they are decoded
_GRAY_SPREAD = 2.0  # 8-bit steps between the largest and smallest of R, G, B; JPEG noise of a gray photo is below


@dataclass(frozen=True, slots=True)
class Example:
    """A picture and what is known of it."""

    rgb: Tensor  # (3, h, w) uint8
    label: int = -1  # of "labelled": index into Photos.classes; of "paired": alike for references of each other
    mask: Tensor | None = None  # (1, h, w) uint8, 0 or 255
    gray: bool = False  # of "unpaired": belongs to the gray domain
    grayed: bool = False  # of "unpaired": a colour picture that the gray domain sees, too, in gray
    name: str = ""  # inside its source

    def to(self, device: torch.device) -> Example:
        """The same on another device."""
        mask = None if self.mask is None else self.mask.to(device)
        return replace(self, rgb=self.rgb.to(device), mask=mask)

    def kept_in(self, pixels: Pixels) -> Example:
        """The same with its pixels where `pixels` keeps them. Errors: those of Pixels.keep."""
        mask = None if self.mask is None else pixels.keep(self.mask)
        return replace(self, rgb=pixels.keep(self.rgb), mask=mask)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A picture that was read, and what its member said of it. Not the member: a shard's holds the file's bytes."""

    example: Example
    label: str
    held_out: bool | None
    chosen: bool
    numbered_by: str


@dataclass(slots=True)
class Photos:
    """Pictures, in memory or in a file that is mapped into it."""

    train: list[Example] = field(default_factory=list)
    validation: list[Example] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)  # names and reasons of what could not be read
    classes: tuple[str, ...] = ()  # names of the labels, sorted
    numbered: tuple[str, ...] = ()  # folders that number their classes each in its own way; empty: one at most
    gray: int = 0  # of "photos" and "paired": how many were left out because they say nothing of colour
    in_file: int = 0  # bytes of pictures that were read into a file, memory being short

    def to(self, device: torch.device) -> Photos:
        """The same pictures on another device."""
        return replace(
            self, train=[e.to(device) for e in self.train], validation=[e.to(device) for e in self.validation]
        )

    def size(self) -> int:
        """Bytes of all pictures and masks."""
        examples = (*self.train, *self.validation)
        return sum(e.rgb.numel() + (0 if e.mask is None else e.mask.numel()) for e in examples)

    def identity(self) -> str:
        """SHA-256 over the pictures' names inside their sources, their splits, labels and domains, in their order.

        The sources' own places do not count, nor do pixels: a copy elsewhere, or decoded larger, is the same data.
        """
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for split, examples in (("train", self.train), ("validation", self.validation)):
            for example in examples:
                domains = [example.gray, *(["grayed"] if example.grayed else [])]
                digest.update(json.dumps([split, example.name, example.label, *domains]).encode())
        return digest.hexdigest()

    def summary(self) -> str:
        """One line for a person."""
        parts = [f"{len(self.train):,} photos to train on", f"{len(self.validation):,} held out"]
        parts += [f"{self.gray:,} gray and left out"] if self.gray else []
        parts += [f"{len(self.damaged):,} damaged and left out"] if self.damaged else []
        return ", ".join(parts)


def is_gray(rgb: Tensor) -> bool:
    """Whether a picture, (3, h, w) uint8, says nothing of colour."""
    return float((rgb.amax(0) - rgb.amin(0)).float().mean()) <= _GRAY_SPREAD


def read_photos(
    sources: Sequence[str | Path],
    side: int,
    kind: str = "photos",
    workers: int = 2,
    report: Callable[[int, int], None] | None = None,
    pixels: Pixels | None = None,
    device: torch.device | None = None,
    *,
    smallest: float = SMALLEST_CROP,
    validated_at: int = 0,
) -> Photos:
    """Every picture of the folders, shards and URLs, in a fixed order, for crops of up to side x side pixels.

    Short sides are at most side / smallest, rounded up, so that no crop of that part of a picture is enlarged: 3 x
    (side / smallest)^2 bytes a square picture; of pictures held out at most `validated_at`, if that is more. Smaller
    pictures stay as they are. A label is WebDataset's .cls, the index's or the folder's name; what is held out, an
    index or a top folder (train, val, validation, test) says, otherwise the checksum of the name, one in fifty; the
    checksum alone where all that they say is what to train on. Numbers in .cls of different sources are different
    classes, unless these are shards of one folder, or its `train` and `val`: nobody knows whether they mean the same.

    kind: what a batch will need (`Objective.data`):
    "photos", "paired": gray pictures would teach that all is gray; they are left out and counted. Labels, where there
        are some, say which pictures are references of each other.
    "unpaired": a source given as `gray=PATH` (folder, shard or URL; a path that begins so: `./gray=...`) is the gray
        domain, whatever its tint, and all others are the colour domain. Without such a source the gray domain is every
        gray picture and, in gray, the colour ones that are trained on. Gray pictures have no true colours to hold out:
        they are trained on, except those that a folder or an index holds out, which are left out.
    "labelled", "masked": pictures without a label, or without a mask (NAME.mask.png), are left out.

    A damaged picture, shard or index is listed in Photos.damaged, never fatal. report(read, damaged) is called now and
    then. pixels: where the pictures are held; None: in memory. device: a CUDA device decodes what JPEGs it can; the
    pictures are on the CPU all the same.

    Errors: UsageError for a source that does not exist, for `gray=` with another kind, and where no picture can be
    used; those of `Pixels`.
    """
    pixels = pixels or Pixels()
    named = [_named(str(source)) for source in sources]
    marked = any(gray for _, gray in named)
    if marked and kind != "unpaired":
        raise UsageError(f"{_GRAY_SOURCE}PATH is for methods that train on unpaired pictures; give the path alone")
    photos = Photos()
    enough = math.ceil(side / smallest)
    shortest = {False: enough, True: max(enough, validated_at)}  # by whether a picture is held out
    kept: list[_Kept] = []
    for path, gray in named:
        found = filter(partial(_wanted, kind), members(path, photos.damaged))
        attempt = partial(_attempt, kind, gray if marked else None)
        with ThreadPoolExecutor(workers) as pool:
            while chunk := list(islice(found, _READ_AHEAD)):
                sides = [shortest[_is_held_out(member)] for member in chunk]
                decoded: list[Tensor | None] = [None] * len(chunk)
                if device is not None and device.type == "cuda":
                    decoded = decode_on_gpu(list(pool.map(_fetched, chunk)), sides, device)
                for member, outcome in zip(chunk, pool.map(attempt, chunk, sides, decoded), strict=True):
                    if isinstance(outcome, str):
                        photos.damaged.append(f"{member.title}: {outcome}")
                    elif outcome.gray and kind in ("photos", "paired"):
                        photos.gray += 1
                    else:
                        example = outcome.kept_in(pixels)
                        kept.append(_Kept(example, member.label, member.held_out, member.chosen, member.numbered_by))
                if report:
                    report(len(kept), len(photos.damaged))
    if kind in ("labelled", "paired"):
        kept, photos.numbered = _told_apart(kept)
        names = sorted({one.label for one in kept})
        photos.classes = tuple(names) if kind == "labelled" else ()  # elsewhere no network tells classes
        number = {name: index for index, name in enumerate(names)}
        kept = [replace(one, example=replace(one.example, label=number[one.label])) for one in kept]
    photos.in_file = pixels.in_file
    _split(photos, kept)
    _refuse_nothing(photos, sources, kind, marked)
    return photos


def _named(source: str) -> tuple[str, bool]:
    """A source's path, and whether the person named it the gray domain."""
    return source.removeprefix(_GRAY_SOURCE), source.startswith(_GRAY_SOURCE)


def _wanted(kind: str, member: Member) -> bool:
    return {"labelled": bool(member.label), "masked": member.mask is not None}.get(kind, True)


def _is_held_out(one: Member | _Kept) -> bool:
    return one.chosen if one.held_out is None else one.held_out


def _fetched(member: Member) -> bytes:
    """The file, which is not read again; empty where it cannot be read, as reading it again will tell."""
    try:
        data = member.read()
    except OSError:
        return b""
    member.read = partial(bytes, data)
    return data


def _attempt(kind: str, gray: bool | None, member: Member, side: int, decoded: Tensor | None) -> Example | str:
    """The picture, or why it cannot be read. gray: its domain, where the person named it. decoded: where it is so."""
    try:
        mask = decode_mask(member.mask(), side) if kind == "masked" and member.mask else None
        rgb = decode(member.read(), side) if decoded is None else decoded
        if mask is not None and mask.shape[1:] != rgb.shape[1:]:
            raise ValueError(f"the mask is {tuple(mask.shape[1:])}, the picture {tuple(rgb.shape[1:])}")
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    grayed = False
    if gray is None:
        gray = kind in ("photos", "paired", "unpaired") and is_gray(rgb)
        grayed = kind == "unpaired" and not gray
    return Example(rgb, mask=mask, gray=gray, grayed=grayed, name=member.name)


def _told_apart(kept: list[_Kept]) -> tuple[list[_Kept], tuple[str, ...]]:
    """Where several folders number their classes, a class is called after both; and those folders' names."""
    folders = sorted({one.numbered_by for one in kept} - {""})
    if len(folders) < 2:
        return kept, ()
    parts = {folder: PurePosixPath(folder).parts for folder in folders}
    longest = max(map(len, parts.values()))
    enough = next(n for n in range(1, longest + 1) if len({own[-n:] for own in parts.values()}) == len(folders))
    names = {folder: "/".join(own[-enough:]) for folder, own in parts.items()}
    apart = [replace(one, label=f"{names[one.numbered_by]}/{one.label}") if one.numbered_by else one for one in kept]
    return apart, tuple(names.values())


def _split(photos: Photos, kept: Sequence[_Kept]) -> None:
    by_checksum = not any(_is_held_out(one) for one in kept if not one.example.gray)
    for one in kept:
        if one.example.gray:
            if not one.held_out:
                photos.train.append(one.example)
        elif one.chosen if by_checksum else _is_held_out(one):
            photos.validation.append(one.example)
        else:
            photos.train.append(one.example)
    coloured = [index for index, example in enumerate(photos.train) if not example.gray]
    if not coloured and photos.validation:
        photos.train.append(photos.validation.pop())  # the checksum held them all out
    if not photos.validation and len(coloured) > 1:
        photos.validation.append(photos.train.pop(coloured[-1]))  # too few for the checksum to have chosen one


def _refuse_nothing(photos: Photos, sources: Sequence[str | Path], kind: str, marked: bool) -> None:
    where = ", ".join(map(str, sources))
    damaged = f"({len(photos.damaged)} damaged)" + (f"; the first: {photos.damaged[0]}" if photos.damaged else "")
    if photos.gray and not photos.train:
        raise UsageError(f"every readable photo in {where} is gray ({photos.gray}): there is no colour to learn")
    if not photos.train:
        need = {"labelled": " with a label", "masked": " with a mask (NAME.mask.png)"}.get(kind, "")
        raise UsageError(f"no readable photo{need} in {where} {damaged}")
    if all(example.gray for example in photos.train):
        raise UsageError(f"every training photo in {where} is of the gray domain: there is no colour to learn")
    if marked and not any(example.gray for example in photos.train):
        raise UsageError(f"no readable photo to train on in the {_GRAY_SOURCE} sources of {where} {damaged}")
