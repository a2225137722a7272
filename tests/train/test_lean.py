"""Crops that are turned and slanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.train.config import TrainConfig
from colorcli.train.crops import Crops
from colorcli.train.data import Example
from colorcli.train.lean import Lean, leaned

Picture = Callable[..., Tensor]


def _ramp(side: int) -> Tensor:
    """(2, side, side): each pixel's own x and y, -1..1 between the outer borders."""
    axis = (2 * torch.arange(side) + 1) / side - 1
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"))


def test_none_is_the_crop_itself() -> None:
    """Oracle: identity."""
    crop = torch.rand(3, 8, 8)
    assert leaned(crop, Lean(), 5) is crop


@pytest.mark.parametrize(("lean", "kind"), [(Lean(turn=40), "turn"), (Lean(shear=20), "shear")])
def test_where_pixels_come_from(lean: Lean, kind: str) -> None:
    """Oracle: closed form on coordinates, in the middle half, where nothing is mirrored: a turn keeps lengths and
    angles, a slant the middle; over 200 seeds angles are spread up to the limit and not beyond (0.5 degrees)."""
    angles = []
    for seed in range(200):
        x, y = leaned(_ramp(32), lean, seed)[:, 12:20, 12:20].double()
        across = torch.stack(((x[:, -1] - x[:, 0]).mean(), (y[:, -1] - y[:, 0]).mean()))
        down = torch.stack(((x[-1] - x[0]).mean(), (y[-1] - y[0]).mean()))
        assert abs(float(x.mean())) < 1e-5 and abs(float(y.mean())) < 1e-5
        if kind == "turn":
            assert abs(float(across @ down)) < 1e-5
            assert float(across.norm()) == pytest.approx(7 * 2 / 32, abs=1e-5)
        else:
            assert float(across[0]) == pytest.approx(7 * 2 / 32, abs=1e-5)
            assert float(down[1]) == pytest.approx(7 * 2 / 32, abs=1e-5)
        angles.append(float(torch.rad2deg(torch.atan2(across[1], across[0]))))
    spread = torch.tensor(angles)
    most = lean.turn or lean.shear
    assert -most - 0.5 < float(spread.min()) < -0.9 * most and 0.9 * most < float(spread.max()) < most + 0.5
    assert abs(float(spread.mean())) < 0.15 * most


def test_what_comes_from_outside_is_mirrored() -> None:
    """Oracle: the contract: values stay within the crop's own, and a crop of one colour stays that (1e-6)."""
    crop = torch.rand(3, 16, 16)
    turned = leaned(crop, Lean(180, 30), 3)
    assert turned.shape == crop.shape and float(turned.min()) >= float(crop.min()) - 1e-6
    assert float(turned.max()) <= float(crop.max()) + 1e-6 and not torch.allclose(turned, crop, atol=0.1)
    assert torch.allclose(leaned(torch.full((1, 9, 9), 0.3), Lean(180, 30), 4), torch.tensor(0.3))


def test_a_stream_of_crops_leans(picture: Picture) -> None:
    """Oracle: the stream without: the same pictures and seeds, each leaned by its own seed, a mask as its picture;
    references are others than their pictures' and lean by other angles; the same seed gives the same; exact."""
    lean = Lean(30, 10)
    half = (torch.rand(1, 40, 40, generator=torch.Generator().manual_seed(1)) > 0.5).to(torch.uint8) * 255
    examples = [Example(half.expand(3, -1, -1).contiguous(), mask=half)]
    plain, leant = (Crops(examples, 4, "masked", lean=how).batch(6, 16) for how in (Lean(), lean))
    assert torch.equal(plain["seed"], leant["seed"])
    for before, after, seed in zip(plain["rgb"], leant["rgb"], leant["seed"].tolist(), strict=True):
        assert torch.equal(leaned(before, lean, seed), after) and not torch.equal(before, after)
    assert torch.equal(leant["mask"], (leant["rgb"][:, :1] >= 0.5).float())
    pair = [Example(picture(0, 24, 24), label=1), Example(picture(0, 24, 24), label=1)]
    batch, again = (Crops(pair, 2, "paired", smallest=1.0, lean=lean).batch(4, 16) for _ in range(2))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    for rgb, reference, seed in zip(batch["rgb"], batch["reference"], batch["seed"].tolist(), strict=True):
        whole = Crops(pair, 2, "paired", smallest=1.0).batch(1, 16)["rgb"][0]
        ways = [leaned(one, lean, seed) for one in (whole, whole.flip(2))]
        assert any(torch.equal(rgb, way) for way in ways) and not any(torch.equal(reference, way) for way in ways)


@pytest.mark.parametrize(("name", "value"), [("turn", -1.0), ("turn", 181.0), ("shear", 31.0), ("shear", float("nan"))])
def test_limits(name: str, value: float) -> None:
    """Oracle: refused by name and range."""
    with pytest.raises(UsageError, match=f"{name} must be from 0 to"):
        TrainConfig("backbone", steps=1, **{name: value})
