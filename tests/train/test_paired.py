"""Pictures with references: what "paired" training data are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorcli.train.crops import Crops
from colorcli.train.data import Example, read_photos


def _flat(value: int, label: int, side: int = 32) -> Example:
    """A picture whose red says which it is."""
    rgb = torch.full((3, side, side), 90, dtype=torch.uint8)
    rgb[0] = value
    return Example(rgb, label=label)


def _which(pictures: Tensor) -> list[int]:
    return (255 * pictures[:, 0].mean((1, 2))).round().int().tolist()


def test_references_are_others_of_the_same_label() -> None:
    """Oracle: the pictures' reds: tens are the label, units the picture; every other picture of a label comes."""
    label_of = {10: 0, 11: 0, 12: 0, 20: 1, 21: 1}
    crops = Crops([_flat(value, label) for value, label in label_of.items()], 0, "paired")
    pairs = set()
    for _ in range(20):
        batch = crops.batch(5, 16)
        assert batch["reference"].shape == batch["rgb"].shape == (5, 3, 16, 16)
        pairs |= set(zip(_which(batch["rgb"]), _which(batch["reference"]), strict=True))
    assert pairs == {(a, b) for a in label_of for b in label_of if a != b and label_of[a] == label_of[b]}


def test_without_another_of_the_label_any_other() -> None:
    """Oracle: as above: a label of one picture, and one whose others are too small, take any that is large enough; a
    picture alone is its own reference."""
    pictures = [_flat(10, 0), _flat(20, 1), _flat(21, 1, side=8), _flat(30, 2)]
    crops = Crops(pictures, 0, "paired")
    pairs = set()
    for _ in range(20):
        batch = crops.batch(3, 16)
        pairs |= set(zip(_which(batch["rgb"]), _which(batch["reference"]), strict=True))
    assert pairs == {(a, b) for a in (10, 20, 30) for b in (10, 20, 30) if a != b}
    assert _which(Crops([_flat(10, 0)], 0, "paired").batch(1, 16)["reference"]) == [10]


def test_references_do_not_depend_on_who_shares_a_batch() -> None:
    """Oracle: one process; exact."""
    pictures = [_flat(value, value // 10) for value in (10, 11, 12, 20, 21, 22)]
    whole = Crops(pictures, 3, "paired").batch(4, 16)["reference"]
    parts = [Crops(pictures, 3, "paired").batch(4, 16, rank, 2)["reference"] for rank in range(2)]
    assert torch.equal(torch.cat(parts), whole)


def test_labels_are_read_and_gray_is_left_out(tmp_path: Path) -> None:
    """Oracle: the folders: pictures of one are of one label; gray ones are counted, as of "photos"; no network is told
    of classes."""
    for number, folder in enumerate(("daisy", "daisy", "rose", "rose", "rose")):
        (tmp_path / folder).mkdir(exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / folder / f"{number}.png")
    Image.fromarray(np.full((24, 24), 90, dtype=np.uint8)).save(tmp_path / "rose" / "gray.png")
    photos = read_photos([str(tmp_path)], 16, "paired")
    labels = {example.name: example.label for example in (*photos.train, *photos.validation)}
    assert len(labels) == 5 and photos.gray == 1 and photos.classes == ()
    assert len({(name.split("/")[0], label) for name, label in labels.items()}) == 2
