"""Random crops of the training pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.train import crops as crops_module
from colorcli.train.crops import Crops
from colorcli.train.data import Example, read_photos

Picture = Callable[..., Tensor]


def _crops(pictures: list[Tensor], seed: int, kind: str = "photos") -> Crops:
    return Crops([Example(picture) for picture in pictures], seed, kind)


def test_crops_are_of_the_size_and_range(picture: Picture) -> None:
    """Oracle: the contract: (count, 3, size, size) float32 in 0..1, and not one the same as another."""
    crops = _crops([picture(seed, 40, 56) for seed in range(3)], seed=0).batch(6, 16)["rgb"]
    assert crops.shape == (6, 3, 16, 16)
    assert crops.dtype is torch.float32
    assert 0 <= float(crops.min()) < float(crops.max()) <= 1
    assert len({tuple(crop.flatten().tolist()) for crop in crops}) == 6


def test_each_picture_comes_once_before_any_comes_again() -> None:
    """Oracle: plain pictures numbered by their gray: every run of 7 is a permutation, over batches of 3; exact."""
    crops = _crops([torch.full((3, 20, 20), 30 * number, dtype=torch.uint8) for number in range(7)], seed=1)
    grays = torch.cat([crops.batch(3, 16)["rgb"][:, 0, 0, 0] for _ in range(7)])
    numbers = (255 * grays / 30).round().to(torch.int).reshape(3, 7)  # 21 crops -> 3 rounds of 7
    assert numbers.sort(1).values.tolist() == [list(range(7))] * 3
    assert len({tuple(row) for row in numbers.tolist()}) == 3


def test_small_pictures_are_enlarged_as_far_as_allowed() -> None:
    """Oracle: closed form: plain grays of 20, 40 and 64 pixels and crops of 60: without enlarging the 64 alone, at 1.5
    the 40 too, at 3 all; exact."""
    pictures = [Example(torch.full((3, side, side), side, dtype=torch.uint8)) for side in (20, 40, 64)]
    for enlarge, sides in ((1.0, {64}), (1.49, {64}), (1.5, {40, 64}), (3.0, {20, 40, 64})):
        crops = Crops(pictures, 0, enlarge=enlarge)
        assert crops.fitting(60) == {"rgb": len(sides)}
        assert set((255 * crops.batch(12, 60)["rgb"]).round().int().unique().tolist()) == sides


def test_crop_is_a_region_of_the_picture() -> None:
    """Oracle: closed form on two ramps: the crop covers three quarters of the short side or more, keeps the direction
    downwards, mirrors about half of the time, and is stretched from a square to at most the whole shape."""
    picture = torch.zeros(3, 128, 254, dtype=torch.uint8)
    picture[0] = torch.arange(254)  # column
    picture[1] = 2 * torch.arange(128)[:, None]  # 2 x row
    crops = 255 * _crops([picture], seed=2).batch(200, 16)["rgb"]
    columns = crops[:, 0, 0, -1] - crops[:, 0, 0, 0]
    rows = (crops[:, 1, -1, 0] - crops[:, 1, 0, 0]) / 2
    inside = 15 / 16  # between the centres of the first and the last pixel
    assert 0.35 < float((columns < 0).double().mean()) < 0.65
    assert float(rows.min()) > 0.75 * 128 * inside - 3  # 3: the enlargement's window at the borders
    assert float(rows.max()) <= 128 * inside + 1
    assert float(columns.abs().min()) > 0.75 * 128 * inside - 3
    assert float(columns.abs().max()) > 1.3 * 128
    assert float(columns.abs().max()) <= 254 * inside + 1


def test_smaller_crops_where_the_recipe_wants_them() -> None:
    """Oracle: closed form on a ramp of rows: crops of a square cover 0.3 to 1 of its side, and some less than half."""
    picture = Example((2 * torch.arange(120, dtype=torch.uint8))[None, :, None].expand(3, 120, 120).contiguous())
    crops = 255 * Crops([picture], 3, smallest=0.3).batch(300, 16)["rgb"]
    covered = (crops[:, 0, -1, 0] - crops[:, 0, 0, 0]) / 2 / 120 * 16 / 15  # first and last pixels' centres
    assert 0.27 < float(covered.min()) < 0.35
    assert 0.95 < float(covered.max()) < 1.02
    assert 0.2 < float((covered < 0.5).double().mean()) < 0.4


def test_same_seed_gives_the_same_crops(picture: Picture) -> None:
    """Oracle: a second stream; exact. Another seed gives others."""
    pictures = [picture(seed, 32, 48) for seed in range(4)]
    first, second, other = (_crops(pictures, seed).batch(9, 16)["rgb"] for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_state_carries_the_stream_over(picture: Picture) -> None:
    """Oracle: the unbroken stream; exact, from the middle of a round; the state taken does not change later."""
    pictures = [picture(seed, 32, 48) for seed in range(5)]
    crops = _crops(pictures, 7)
    crops.batch(3, 16)
    state = crops.state()
    expected = crops.batch(8, 16)["rgb"]
    for _ in range(2):
        later = _crops(pictures, 0)
        later.restore(state)
        assert torch.equal(later.batch(8, 16)["rgb"], expected)


def test_restore_with_fewer_pictures(picture: Picture) -> None:
    """Oracle: the contract: pictures that are gone are left out, the rest goes on."""
    crops = _crops([picture(seed) for seed in range(9)], 0)
    crops.batch(1, 16)
    later = _crops([picture(0)], 0)
    later.restore(crops.state())
    assert later.batch(3, 16)["rgb"].shape == (3, 3, 16, 16)


def test_small_pictures_are_passed_over() -> None:
    """Oracle: the contract: only the large one comes; with none, UsageError names the size."""
    small, large = torch.zeros(3, 15, 40, dtype=torch.uint8), torch.full((3, 16, 40), 255, dtype=torch.uint8)
    assert float(_crops([small, large, small], 0).batch(5, 16)["rgb"].min()) > 0.999
    with pytest.raises(UsageError, match="no training photo has a short side of 16 pixels or more"):
        _crops([small, small], 0).batch(1, 16)


@pytest.mark.parametrize("ranks", [2, 3])
def test_processes_share_a_batch(picture: Picture, ranks: int) -> None:
    """Oracle: the batch of one process, cut in its order; exact, over several batches."""
    pictures = [picture(seed, 32, 48) for seed in range(7)]
    whole = _crops(pictures, 3)
    shares = [_crops(pictures, 3) for _ in range(ranks)]
    for _ in range(3):
        expected = whole.batch(6, 16)
        parts = [crops.batch(6, 16, rank, ranks) for rank, crops in enumerate(shares)]
        for name, value in expected.items():
            assert torch.equal(torch.cat([part[name] for part in parts]), value)


def test_every_crop_has_a_number_of_its_own(picture: Picture) -> None:
    """Oracle: the contract of Batch: int64, and no two the same among 64."""
    seeds = _crops([picture(0)], 0).batch(64, 16)["seed"]
    assert seeds.dtype is torch.int64
    assert len(set(seeds.tolist())) == 64


def test_labels_and_masks_go_with_the_crop() -> None:
    """Oracle: plain pictures whose gray is their label; masks that are the picture itself, under the same crop."""
    examples = []
    for label in range(4):
        plain = torch.full((3, 24, 24), 60 * label, dtype=torch.uint8)
        examples.append(Example(plain, label=label))
    batch = Crops(examples, 0, "labelled").batch(8, 16)
    assert (255 * batch["rgb"][:, 0, 0, 0] / 60).round().long().tolist() == batch["label"].tolist()
    half = torch.zeros(1, 24, 40, dtype=torch.uint8)
    half[:, :, 13:] = 255
    batch = Crops([Example(half.expand(3, -1, -1).contiguous(), mask=half)], 0, "masked").batch(20, 16)
    assert batch["mask"].shape == (20, 1, 16, 16)
    assert torch.equal(batch["mask"], (batch["rgb"][:, :1] >= 0.5).float())
    assert set(batch["mask"].unique().tolist()) == {0.0, 1.0}


def test_crops_of_the_side_that_was_read_for_are_not_enlarged(
    tmp_path: Path, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the contract of read_photos' side: every region, before it is stretched, has that side or more."""
    (tmp_path / "a.png").write_bytes(encoded(0, 90, 120))
    photos = read_photos([tmp_path], 46)
    regions: list[tuple[int, ...]] = []
    original = crops_module.F.interpolate

    def watched(region: Tensor, *rest: Any, **options: Any) -> Tensor:
        regions.append(tuple(region.shape[2:]))
        return original(region, *rest, **options)

    monkeypatch.setattr(crops_module.F, "interpolate", watched)
    Crops(photos.train, 0).batch(200, 46)
    assert len(regions) == 200
    assert 46 <= min(min(region) for region in regions) <= 48  # the smallest are drawn
    assert max(max(region) for region in regions) > 60


def test_fitting_counts_what_a_batch_can_take(picture: Picture) -> None:
    """Oracle: the short sides by hand, each domain's own; a size that none has is the one that batch refuses."""
    sizes = [(16, 40), (20, 16), (24, 24), (15, 99)]
    crops = _crops([picture(seed, *size) for seed, size in enumerate(sizes)], 0)
    assert [crops.fitting(size) for size in (15, 16, 17, 25)] == [{"rgb": 4}, {"rgb": 3}, {"rgb": 1}, {"rgb": 0}]
    with pytest.raises(UsageError, match="no training photo has a short side of 25 pixels or more"):
        crops.batch(1, 25)
    examples = [Example(picture(seed, *size), gray=seed < 2) for seed, size in enumerate(sizes)]
    crops = Crops(examples, 0, "unpaired")
    assert crops.fitting(17) == {"rgb": 1, "gray": 0}
    with pytest.raises(UsageError):
        crops.batch(1, 17)
    examples = [Example(picture(seed, *size)) for seed, size in enumerate(sizes)]
    assert Crops(examples, 0, "unpaired").fitting(16) == {"rgb": 3, "gray": 3}
    examples = [Example(picture(seed, *size), gray=seed < 2, grayed=seed > 1) for seed, size in enumerate(sizes)]
    assert Crops(examples, 0, "unpaired").fitting(16) == {"rgb": 1, "gray": 3}


def test_unpaired_domains(picture: Picture) -> None:
    """Oracle: pictures of the gray domain, whatever their tint, are never in the colour one; colour pictures that are
    to be grayed are in both; where there are neither, both domains are the same pictures in an order of their own; only
    gray ones raise UsageError."""
    plain = [torch.full((3, 24, 24), 50 + 40 * i, dtype=torch.uint8) for i in range(3)]
    sepia = torch.tensor([200, 160, 90], dtype=torch.uint8)[:, None, None].expand(3, 24, 24).contiguous()
    gray = [Example(rgb, gray=True) for rgb in (*plain, sepia)]
    colour = [Example(picture(seed)) for seed in range(3)]
    batch = Crops([*gray, *colour], 0, "unpaired").batch(8, 16)
    assert {tuple((255 * crop[:, 8, 8]).round().long().tolist()) for crop in batch["gray"]} == {
        tuple(example.rgb[:, 0, 0].tolist()) for example in gray
    }
    assert float(batch["rgb"].flatten(2).std(2).mean(1).min()) > 0.01  # none of the plain ones
    both = [*gray, *(replace(example, grayed=True) for example in colour)]
    batch = Crops(both, 0, "unpaired").batch(7, 16)
    coloured = batch["gray"].flatten(2).std(2).mean(1) > 0.01
    assert int(coloured.sum()) == 3
    assert float(batch["rgb"].flatten(2).std(2).mean(1).min()) > 0.01
    batch = Crops(colour, 0, "unpaired").batch(6, 16)
    assert float((batch["gray"].amax(1) - batch["gray"].amin(1)).flatten(1).mean(1).min()) > 0.05
    assert not torch.equal(batch["gray"], batch["rgb"])
    with pytest.raises(UsageError, match="every training photo is gray"):
        Crops(gray, 0, "unpaired")
