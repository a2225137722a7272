"""Stylization of colour photos as a change of Lab."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.methods.registry import METHODS, PARTS, stylizer
from colorcli.methods.stylization.restyler import Restyler
from colorcli.methods.stylization.stylist import Stylist
from colorcli.methods.stylization.transfer import TransferNet


def _network() -> TransferNet:
    torch.manual_seed(0)
    return TransferNet((4, 6, 8, 12)).eval()


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("transform", ["adain", "wct"])
def test_the_change_leads_to_the_stylists_picture(transform: str) -> None:
    """Oracle: the stylist itself, whose reference has the size that references are brought to: Lab of what the network
    gives back unchanged, and the change, are its picture, 1e-3 (sRGB, there and back); half the gain, half the change.
    """
    content, style = _random(2, 3, 32, 24), _random(1, 3, 32, 32, seed=1)
    restyler = Restyler(_network(), transform=transform, reference_side=32)
    lab, z = rgb_to_lab(content), restyler.embed(style)
    change = restyler(lab, z)
    painted = Stylist(_network(), transform).stylize(lab_to_rgb(lab), style)
    assert change.shape == (2, 3, 32, 24) and change.dtype is torch.float32
    with torch.inference_mode():
        plain = rgb_to_lab(_network()(lab_to_rgb(lab)).clamp(0, 1))
    assert torch.allclose(lab_to_rgb(plain + change), painted, atol=1e-3)
    half = Restyler(_network(), 0.5, transform=transform, reference_side=32)
    assert torch.allclose(half(lab, z), 0.5 * change, atol=1e-4)
    assert torch.equal(restyler.stylize(content, style), Stylist(_network(), transform).stylize(content, style))


@pytest.mark.parametrize("transform", ["adain", "wct"])
def test_regions(transform: str) -> None:
    """Oracle: the stylist itself, given the same maps, as above."""
    content, style = _random(1, 3, 32, 24), _random(1, 3, 32, 32, seed=1)
    here, there = torch.zeros(1, 32, 24, dtype=torch.uint8), torch.zeros(1, 50, 40, dtype=torch.uint8)
    here[:, :20], there[:, :, 11:] = 1, 1
    restyler, lab = Restyler(_network(), transform=transform, reference_side=32), rgb_to_lab(content)
    change = restyler(lab, restyler.embed(style, there, 2), here)
    painted = Stylist(_network(), transform).stylize(lab_to_rgb(lab), style, (here, there))
    with torch.inference_mode():
        plain = rgb_to_lab(_network()(lab_to_rgb(lab)).clamp(0, 1))
    assert torch.allclose(lab_to_rgb(plain + change), painted, atol=1e-3)
    assert not torch.allclose(change, restyler(lab, restyler.embed(style)), atol=0.5)


def test_other_shapes_name_what_was_expected() -> None:
    """Oracle: house rule 9."""
    restyler = Restyler(_network(), reference_side=32)
    z = restyler.embed(_random(1, 3, 16, 16))
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\), got \(1, 1, 16, 16\)"):
        restyler(_random(1, 1, 16, 16), z)


def test_there_is_one_stylizer() -> None:
    """Oracle: the registry's facts: it sees colour, is no method by itself, and its predictor is this."""
    assert [spec for spec in PARTS if spec.sees_color] == [stylizer()]
    assert not [spec for spec in METHODS if spec.sees_color]
    assert stylizer().load("predictor") is Restyler
