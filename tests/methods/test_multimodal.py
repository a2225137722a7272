"""Multimodal: guidance by matches, its networks' settings, its predictor, its recipes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.methods.multimodal import SPEC
from colorcli.methods.multimodal.guidance import from_reference, places, similarities, there_and_back
from colorcli.methods.multimodal.network import Multimodal
from colorcli.methods.multimodal.patchmatch.match import Match, Matches
from colorcli.methods.multimodal.predictor import Predictor

TINY: dict[str, Any] = {"widths": (4, 4, 8, 8, 8), "similarity": 0.125, "reference_side": 48}


def _tiny(**settings: Any) -> Multimodal:
    torch.manual_seed(0)
    return Multimodal(**{**TINY, **settings}).eval()


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def _smooth(batch: int, side: int, seed: int = 0) -> Tensor:
    """A picture without noise: (batch, 3, side, side) sRGB 0..1."""
    small = _random(batch, 3, 6, 6, seed=seed)
    return torch.nn.functional.interpolate(small, (side, side), mode="bicubic").clamp(0, 1)


def _identity(height: int, width: int) -> Tensor:
    return torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"))[None]


def test_chroma_comes_from_the_field() -> None:
    """Oracle: closed form: a field of half the size that mirrors left and right brings the mirrored chroma, in pairs
    of columns, and the way there and back by that field and itself brings the picture; exact."""
    mirrored = _identity(4, 6)
    mirrored[:, 1] = 5 - mirrored[:, 1]
    way = Match(mirrored, torch.ones(1, 4, 6))
    chroma = _random(1, 2, 8, 12)
    found = [Matches(way, way)]
    pairs = chroma.unflatten(3, (6, 2)).flip(3).flatten(3)
    assert torch.equal(from_reference(found, chroma, (8, 12)), pairs)
    assert torch.equal(there_and_back(found, chroma), chroma)


def test_places_are_shares_of_the_reference() -> None:
    """Oracle: closed form: first and last row and column are 0 and 1, the middle 0.5, each twice as wide as in the
    field; in a reference of one row all are 0.5."""
    field = torch.tensor([[[0, 2], [4, 1]], [[0, 6], [3, 6]]])[None]
    for sides, rows in (((5, 7), [[0, 0.5], [1, 0.25]]), ((1, 7), [[0.5, 0.5], [0.5, 0.5]])):
        back = Match(torch.zeros(1, 2, *sides, dtype=torch.int64), torch.ones(1, *sides))
        found = places([Matches(Match(field, torch.ones(1, 2, 2)), back)], (4, 4))
        expected = torch.tensor([rows, [[0, 1], [0.5, 1]]]).repeat_interleave(2, 1).repeat_interleave(2, 2)
        assert torch.equal(found, expected[None])


def test_ten_maps_of_similarity() -> None:
    """Oracle: closed form: constant maps stay constant, T -> R of the five levels first, then the way back's."""
    levels = [(8, 8), (4, 4), (2, 2), (1, 1), (1, 1)]
    found = [
        Matches(
            Match(_identity(*size), torch.full((1, *size), 0.1 * number)),
            Match(_identity(*size), torch.full((1, *size), -0.1 * number)),
        )
        for number, size in enumerate(levels)
    ]
    maps = similarities(found, (16, 16))
    expected = torch.tensor([0, 0.1, 0.2, 0.3, 0.4, 0, -0.1, -0.2, -0.3, -0.4])
    assert torch.allclose(maps, expected[None, :, None, None].expand(1, 10, 16, 16))


def test_a_reference_that_is_the_photo_gives_its_own_colours() -> None:
    """Oracle: the photo's own chroma: a photo finds itself, so that what is warped is its ab, but for the two pixels
    that a feature stands for (mean of 1 ab on a smooth picture), and every similarity is 1 (1e-4)."""
    network = _tiny(reference_side=64, similarity=0.5)  # with few channels some features are all 0
    rgb = _smooth(1, 64)
    predictor = Predictor(network)
    lab = rgb_to_lab(rgb)
    guide = predictor.guidance(lab[:, :1], predictor.embed(rgb))
    assert float((guide.chroma - lab[:, 1:]).abs().mean()) < 1
    assert torch.allclose(guide.similarities, torch.ones(1, 10, 64, 64), atol=1e-4)


def test_own_colour_comes_back() -> None:
    """Oracle: by a reference that is the photo every place comes back to itself, but for the two pixels that a feature
    stands for: mean of 1 ab on a smooth picture; without matches there is no way."""
    rgb = _smooth(1, 64)
    lab = rgb_to_lab(rgb)
    predictor = Predictor(_tiny(reference_side=64, similarity=0.5))
    back = predictor.there_and_back(lab[:, :1], predictor.embed(rgb), lab[:, 1:])
    assert back is not None and float((back - lab[:, 1:]).abs().mean()) < 1
    off = Predictor(_tiny(matches="off"))
    assert off.there_and_back(lab[:, :1], off.embed(rgb), lab[:, 1:]) is None


@pytest.mark.parametrize(("height", "width"), [(48, 48), (7, 400), (300, 20), (1, 1)])
def test_references_of_any_size(height: int, width: int) -> None:
    """Oracle: torchvision's antialiased bilinear resize to the network's square, then Lab, as a row; 1e-3."""
    from torchvision.transforms.v2.functional import resize

    reference = _random(2, 3, height, width)
    z = Predictor(_tiny()).embed(reference)
    expected = rgb_to_lab(resize(reference, [48, 48], antialias=True).clamp(0, 1)).flatten(1)
    assert z.shape == (2, 3 * 48 * 48) and torch.allclose(z, expected, atol=1e-3)


@pytest.mark.parametrize("reference", [torch.full((1, 3, 5, 5), 0.5), torch.zeros(1, 3, 9, 9), torch.ones(1, 3, 1, 1)])
@pytest.mark.parametrize("size", [(16, 16), (16, 48)])
def test_flat_references_and_small_photos(reference: Tensor, size: tuple[int, int]) -> None:
    """Oracle: the predictor's contract: finite chroma within its range."""
    predictor = Predictor(_tiny())
    chroma = predictor(100 * _random(1, 1, *size), predictor.embed(reference))
    assert chroma.shape == (1, 2, *size) and torch.isfinite(chroma).all() and float(chroma.abs().max()) <= 110


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("whose", ["photo", "reference"])
def test_features_that_are_not_finite(whose: str, value: float) -> None:
    """Oracle: the contract: no finite colour, nor similarity, for that photo; its neighbours' as without it (1e-4)."""
    predictor = Predictor(_tiny())
    lightness, z = 100 * _random(3, 1, 32, 32), predictor.embed(_smooth(3, 48)).clone()
    sound = predictor.with_matches(lightness[[0, 2]], z[[0, 2]])
    if whose == "photo":
        lightness[1, :, 5, 7] = value
    else:
        z[1, 11] = value
    found = predictor.with_matches(lightness, z)
    assert not torch.isfinite(found[0][1]).any() and torch.isnan(found[2][1]).all()
    for given, expected in zip(found, sound, strict=True):
        assert torch.allclose(given[[0, 2]], expected, atol=1e-4)


def test_other_references_other_colours() -> None:
    """Oracle: each photo alone with its own reference, 0.01 ab; another reference changes the answer, but not where
    matches are off; one reference for all photos is the same as its copies."""
    predictor = Predictor(_tiny())
    lightness, z = 100 * _random(3, 1, 32, 32), predictor.embed(_smooth(3, 48))
    together = predictor(lightness, z)
    alone = torch.cat([predictor(lightness[i : i + 1], z[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=0.01)
    assert not torch.allclose(together, predictor(lightness, z.flip(0)), atol=0.01)
    assert torch.allclose(predictor(lightness, z[:1]), predictor(lightness, z[:1].expand(3, -1)), atol=0.01)
    off = Predictor(_tiny(matches="off"))
    assert torch.equal(off(lightness, z), off(lightness, z.flip(0)))


def test_without_matches_the_further_planes_are_zero() -> None:
    """Oracle: what the U-Net is given: standardised lightness and twelve planes of zero; with matches they are not."""
    for matches, zero in (("off", True), ("on", False)):
        network = _tiny(matches=matches)
        seen: list[Tensor] = []
        network.colorization.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        predictor = Predictor(network)
        lightness = 100 * _random(1, 1, 16, 16)
        predictor(lightness, predictor.embed(_random(1, 3, 20, 20)))
        assert seen[0].shape == (1, 13, 16, 16)
        assert torch.allclose(seen[0][:, :1], (lightness - 45.4391) / 26.2266, atol=1e-5)
        assert bool(seen[0][:, 1:].any()) is not zero


@pytest.mark.parametrize("shape", [(3, 6912), (2, 256), (6912,), (0, 6912)])
def test_embeddings_of_other_shapes(shape: tuple[int, ...]) -> None:
    """Oracle: the contract: what is expected and what came."""
    with pytest.raises(ValueError, match=r"expected embeddings \(2, 6912\) or \(1, 6912\), not \("):
        Predictor(_tiny())(torch.zeros(2, 1, 16, 16), torch.zeros(shape))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": (8, 8, 8)}, "widths must be five positive numbers"),
        ({"matches": "maybe"}, "matches must be on or off, not 'maybe'"),
        ({"reach": -1}, "reach must be 0 or more"),
        ({"reference_side": 8}, "reference_side must be at least 16"),
        ({"similarity": 0.0}, "scale must be above 0"),
    ],
)
def test_networks_that_do_not_exist(settings: dict[str, Any], message: str) -> None:
    """Oracle: the contract: ValueError, which training and loading turn into their own."""
    with pytest.raises(ValueError, match=message):
        Multimodal(**{**TINY, **settings})


def test_compact_fits_its_file_and_takes_our_similarity_net() -> None:
    """Oracle: methods.md: under 16 MiB in fp16; the companion's own variant fits name by name, and keeps its batch norm
    in training."""
    from colorcli.methods.backbone.network import ResNet
    from colorcli.methods.registry import COMPANIONS

    network = Multimodal(**SPEC.variants["compact"])
    assert 2 * sum(value.numel() for value in network.state_dict().values()) < 16 * 2**20
    backbone = COMPANIONS["backbone"]
    trained = backbone.load("network")(**{**backbone.variants["resnet34-lightness-compact"], "classes": 5})
    assert isinstance(trained, ResNet)
    network.start_from(trained)
    assert torch.equal(network.similarity.layer4[2].conv2.weight, trained.layer4[2].conv2.weight)
    assert not network.train().similarity.training and network.colorization.training
    with pytest.raises(ValueError, match="its layers are not those"):
        _tiny().start_from(trained)


def test_published_widths() -> None:
    """Oracle: by hand: 13 -> 64 .. 1024 and back, two 3x3 without bias and two batch norms in each of nine blocks, four
    2x2 doublings with bias, 1x1 to two planes; ResNet34 on one plane without its head is torchvision's 21,797,672 less
    the head's 513,000 and two input planes of 7x7x64."""
    with torch.device("meta"):
        network = Multimodal(**SPEC.variants["paper"])
    widths = [64, 128, 256, 512, 1024]
    blocks = [*zip([13, *widths], widths, strict=False), *((2 * width, width) for width in widths[:-1])]
    expected = sum(9 * inside * width + 9 * width**2 + 4 * width for inside, width in blocks)
    expected += sum(4 * below * width + width for width, below in itertools.pairwise(widths)) + 64 * 2 + 2
    assert sum(parameter.numel() for parameter in network.colorization.parameters()) == expected
    trunk = sum(parameter.numel() for parameter in network.similarity.parameters())
    assert trunk == 21_797_672 - 513_000 - 2 * 7 * 7 * 64


@pytest.mark.parametrize("recipe", ["default", "published", "no-matches"])
def test_recipes(recipe: str) -> None:
    """Oracle: sections 3.3, 4.2 and 5: 128 px, AdamW, a warm-up that begins at 1e-5, both losses; the network and the
    objective know every setting; and which other networks they ask for."""
    from colorcli.checkpoints.store import shipped_folder
    from colorcli.methods.multimodal.objective import Objective
    from colorcli.train.config import build_config, read_recipe

    config = build_config("multimodal", read_recipe(shipped_folder("training") / "multimodal" / f"{recipe}.toml"))
    asked = {"default": {"similarity"}, "published": {"similarity", "backbone"}, "no-matches": set()}[recipe]
    assert Objective.needs(config.objective) == asked
    with torch.device("meta"):
        network = Multimodal(**{**SPEC.variants[config.variant], **config.network})
    assert network.matches == (recipe != "no-matches")
    assert config.optimizer == "adamw" and config.stages[-1].size == 128
    if recipe != "default":
        assert config.rate / config.warmup == pytest.approx(1e-5)
        assert config.steps == 150 * -(-3900 // 96) and config.stages[0].batch == 96
