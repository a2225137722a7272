"""Random crops of the training pictures: what one step sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.train.data import SMALLEST_CROP, Example
from colorcli.train.lean import STRAIGHT, Lean, leaned

_SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class _Draw:
    """One crop to be made: which picture, and the random numbers of its region."""

    picture: int
    region: tuple[float, ...]  # stretch, zoom, y, x, flip; each 0..1
    seed: int


@dataclass(frozen=True, slots=True)
class Draws:
    """A part of a batch that is drawn and not yet made."""

    size: int  # side of the crops, pixels
    domains: dict[str, list[_Draw]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the stream of crops."""

    generator: Tensor
    rounds: dict[str, tuple[list[int], int]]  # of each domain: an order of its pictures, and how many of it are left


class Crops:
    """Random crops of the training pictures, for ever, each picture once before any comes again.

    The order and the crops follow from the seed alone; `state` and `restore` carry them over an interruption. Every
    process of a run draws the same whole batch and makes only its own part of it.
    """

    def __init__(
        self,
        pictures: Sequence[Example],
        seed: int,
        kind: str = "photos",
        *,
        enlarge: float = 1.0,
        smallest: float = SMALLEST_CROP,
        lean: Lean = STRAIGHT,
    ) -> None:
        """kind: `Objective.data`. For "unpaired" the colour domain is the pictures without `Example.gray`, the gray
        domain those with it and those with `Example.grayed`, to be seen in gray, in an order of its own; where none has
        either, all pictures. enlarge: how many times a picture may be enlarged to give a crop of the size asked for.
        smallest: share of a picture's side that a crop covers at least. lean: how far crops are turned and slanted; a
        mask leans as its picture does, a reference on its own.

        Errors: UsageError where all are of the gray domain."""
        self._pictures = pictures
        self._kind = kind
        self._enlarge, self._smallest, self._lean = enlarge, smallest, lean
        self._generator = torch.Generator().manual_seed(seed)
        self._members: dict[str, list[int]] = {"rgb": list(range(len(pictures)))}
        if kind == "unpaired":
            colour = [index for index, example in enumerate(pictures) if not example.gray]
            gray = [index for index, example in enumerate(pictures) if example.gray or example.grayed]
            if not colour:
                raise UsageError("every training photo is gray: there is no colour to learn")
            self._members = {"rgb": colour, "gray": gray or colour}
        self._alike: dict[int, list[int]] = {}  # of each label its pictures; of "paired"
        for index, example in enumerate(pictures if kind == "paired" else ()):
            self._alike.setdefault(example.label, []).append(index)
        self._rounds: dict[str, tuple[list[int], int]] = {domain: ([], 0) for domain in self._members}

    def fitting(self, size: int) -> dict[str, int]:
        """How many pictures of each domain ("rgb", and "gray" of "unpaired") are large enough for crops of `size`.

        Where one has none, `batch` of that size raises UsageError.
        """
        return {domain: sum(self._suits(index, size) for index in indices) for domain, indices in self._members.items()}

    def _suits(self, picture: int, size: int) -> bool:
        return min(self._pictures[picture].rgb.shape[1:]) * self._enlarge >= size

    def mark(self) -> Mark:
        """Where the stream is, for `go_back` and `state`; it costs little."""
        return Mark(self._generator.get_state(), dict(self._rounds))

    def go_back(self, mark: Mark) -> None:
        """Go on where `mark` was taken of this stream."""
        self._generator.set_state(mark.generator)
        self._rounds = dict(mark.rounds)

    def state(self, mark: Mark | None = None) -> dict[str, Any]:
        """Where the stream is, or was at `mark`, for a file."""
        mark = mark or self.mark()
        queues = {domain: order[:left] for domain, (order, left) in mark.rounds.items()}
        return {"generator": mark.generator, "queues": queues}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; pictures that are no longer there are left out."""
        self._generator.set_state(state["generator"])
        for domain, queue in state["queues"].items():
            order = [index for index in queue if index < len(self._pictures)]
            self._rounds[domain] = (order, len(order))

    def batch(self, count: int, size: int, rank: int = 0, ranks: int = 1) -> dict[str, Tensor]:
        """The part of process `rank` of the next `count` crops of size x size; see `colorcli.methods.objective.Batch`.

        Pictures whose short side is under `size` / `enlarge` are passed over; if all are, UsageError.
        """
        return self.make(self.draw(count, size, rank, ranks))

    def draw(self, count: int, size: int, rank: int = 0, ranks: int = 1) -> Draws:
        """`batch`'s first half: the stream goes on, no pixel is read."""
        share = slice(rank * count // ranks, (rank + 1) * count // ranks)
        return Draws(size, {domain: self._draws(domain, count, size)[share] for domain in self._members})

    def make(self, draws: Draws) -> dict[str, Tensor]:
        """`batch`'s second half. It changes nothing: another thread may do it."""
        size = draws.size
        batch = {
            domain: torch.stack([self._crop(self._pictures[d.picture].rgb, d, size) for d in drawn])
            for domain, drawn in draws.domains.items()
        }  # n x (3, size, size) -> (n, 3, size, size)
        own = draws.domains["rgb"]
        batch["seed"] = torch.tensor([draw.seed for draw in own])
        if self._kind == "labelled":
            batch["label"] = torch.tensor([self._pictures[draw.picture].label for draw in own])
        if self._kind == "paired":
            batch["reference"] = torch.stack([self._reference(draw, size) for draw in own])
        if self._kind == "masked":
            batch["mask"] = torch.stack([self._mask(draw, size) for draw in own])
        return batch

    def _draws(self, domain: str, count: int, size: int) -> list[_Draw]:
        draws: list[_Draw] = []
        passed_over = 0
        members = self._members[domain]
        order, left = self._rounds[domain]
        while len(draws) < count:
            if not left:
                order = [members[index] for index in torch.randperm(len(members), generator=self._generator).tolist()]
                left = len(order)
            left -= 1
            picture = order[left]
            if not self._suits(picture, size):
                passed_over += 1
                if passed_over > 2 * len(members) and not draws:
                    raise UsageError(f"no training photo has a short side of {size} pixels or more")
                continue
            region = tuple(torch.rand(5, generator=self._generator).tolist())
            seed = int(torch.randint(_SEEDS, (1,), generator=self._generator))
            draws.append(_Draw(picture, region, seed))
        self._rounds[domain] = (order, left)
        return draws

    def _crop(self, picture: Tensor, draw: _Draw, size: int) -> Tensor:
        """A region between a square and the whole picture's shape, stretched to the square, perhaps mirrored."""
        height, width = picture.shape[1:]
        stretch, zoom, y, x, flip = draw.region
        side = min(height, width)
        zoom = 1 - (1 - self._smallest) * zoom
        rows = max(round(zoom * side * (height / side) ** stretch), 1)
        columns = max(round(zoom * side * (width / side) ** stretch), 1)
        top, left = int(y * (height - rows + 1)), int(x * (width - columns + 1))
        region = picture[:, top : top + rows, left : left + columns].float() / 255
        crop = F.interpolate(region[None], (size, size), mode="bilinear", antialias=True)[0]  # (c, r, c) -> (c, s, s)
        return leaned(crop.flip(2) if flip < 0.5 else crop, self._lean, draw.seed)

    def _reference(self, draw: _Draw, size: int) -> Tensor:
        """A crop of another picture, of the same label where there is one large enough; all follows from the seed."""
        generator = torch.Generator().manual_seed(draw.seed)
        alike = self._alike[self._pictures[draw.picture].label]
        chosen = draw.picture  # where there is no other
        for pictures in (alike, self._members["rgb"]):
            first = int(torch.randint(len(pictures), (1,), generator=generator))
            turned = (pictures[(first + step) % len(pictures)] for step in range(len(pictures)))
            other = next((one for one in turned if one != draw.picture and self._suits(one, size)), None)
            if other is not None:
                chosen = other
                break
        region = tuple(torch.rand(5, generator=generator).tolist())
        seed = int(torch.randint(_SEEDS, (1,), generator=generator))
        return self._crop(self._pictures[chosen].rgb, _Draw(chosen, region, seed), size)

    def _mask(self, draw: _Draw, size: int) -> Tensor:
        mask = self._pictures[draw.picture].mask
        assert mask is not None  # read_photos left out those without
        return (self._crop(mask, draw, size) >= 0.5).float()
