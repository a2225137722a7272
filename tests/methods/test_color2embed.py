"""Color2Embed: its networks' settings, its predictor, its recipes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from colorcli.methods.color2embed import SPEC
from colorcli.methods.color2embed.network import Color2Embed
from colorcli.methods.color2embed.predictor import Predictor
from colorcli.train.config import build_config, read_recipe

TINY: dict[str, Any] = {"widths": (8, 8, 8, 8), "encoder": (4, 4, 8, 8, 8), "hidden": 8, "reference_side": 32}


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_compact_takes_our_compact_backbone() -> None:
    """Oracle: the companion's own variant: its layers fit the encoder's, name by name."""
    from colorcli.methods.registry import COMPANIONS

    spec = COMPANIONS["backbone"]
    with torch.device("meta"):
        backbone = spec.load("network")(**spec.variants["compact"])
        trunk = Color2Embed(**SPEC.variants["compact"]).colorEncoder.trunk
    given = backbone.features.state_dict()
    assert all(given[name].shape == value.shape for name, value in trunk.state_dict().items())


def _tiny(**settings: Any) -> Color2Embed:
    torch.manual_seed(0)
    network = Color2Embed(**{**TINY, **settings}).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network


@pytest.mark.parametrize(("height", "width"), [(32, 32), (7, 400), (300, 200), (1, 1)])
def test_references_of_any_size(height: int, width: int) -> None:
    """Oracle: torchvision's antialiased bilinear resize to the network's square, then the network; 1e-5. float32."""
    from torchvision.transforms.v2.functional import resize

    network = _tiny()
    reference = _random(2, 3, height, width)
    z = Predictor(network).embed(reference)
    assert z.shape == (2, 512) and z.dtype is torch.float32
    with torch.inference_mode():
        expected = network.embed(resize(reference, [32, 32], antialias=True))
    assert torch.allclose(z, expected, atol=1e-5)


def test_the_published_square_is_256() -> None:
    """Oracle: methods.md; what the encoder is given."""
    network = _tiny(reference_side=256)
    seen: list[tuple[int, ...]] = []
    network.colorEncoder.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape)))
    Predictor(network).embed(_random(1, 3, 20, 30))
    assert seen == [(1, 3, 256, 256)]
    assert (
        Color2Embed(**TINY | {"reference_side": 256}).reference_side
        == Color2Embed((8,) * 4, (4,) * 5, 8).reference_side
    )


def test_prediction() -> None:
    """Oracle: the network on (L - 50) / 50, times 110 and the gain; exact order of operations, 1e-4 ab."""
    network = _tiny()
    lightness, z = 100 * _random(2, 1, 32, 16), Predictor(network).embed(_random(2, 3, 32, 32, seed=1))
    found = Predictor(network, gain=0.8)(lightness, z)
    with torch.inference_mode():
        expected = 88 * network.paint((lightness - 50) / 50, z)
    assert found.dtype is torch.float32 and found.shape == (2, 2, 32, 16)
    assert torch.allclose(found, expected, atol=1e-4)


def test_references_colour_their_own_photo() -> None:
    """Oracle: each photo alone with its own embedding, 0.01 ab; other references change the answer; one embedding for
    all photos is the same as its copies."""
    predictor = Predictor(_tiny())
    lightness, z = 100 * _random(3, 1, 32, 32), predictor.embed(_random(3, 3, 32, 32, seed=1) ** 3)
    together = predictor(lightness, z)
    alone = torch.cat([predictor(lightness[i : i + 1], z[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=0.01)
    assert not torch.allclose(together, predictor(lightness, z.flip(0)), atol=0.01)
    assert torch.allclose(predictor(lightness, z[:1]), predictor(lightness, z[:1].expand(3, -1)), atol=0.01)


def test_embedding_in_bf16() -> None:
    """Oracle: the same in fp32, a tenth of the largest value (some fifteen roundings to 8 bits); float32 comes out."""
    predictor = Predictor(_tiny())
    reference = _random(1, 3, 40, 40)
    exact = predictor.embed(reference)
    with torch.autocast("cpu", torch.bfloat16):
        rough = predictor.embed(reference)
    assert rough.dtype is torch.float32 and not torch.equal(rough, exact)
    assert float((rough - exact).abs().max()) < 0.1 * float(exact.abs().max())


@pytest.mark.parametrize(
    ("reference", "message"),
    [((1, 1, 32, 32), "expected a reference"), ((3, 32, 32), "expected a reference")],
)
def test_references_of_other_shapes(reference: tuple[int, ...], message: str) -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=message):
        Predictor(_tiny()).embed(torch.zeros(reference))


@pytest.mark.parametrize("shape", [(3, 512), (2, 256), (512,), (2, 512, 1, 1), (0, 512)])
def test_embeddings_of_other_shapes(shape: tuple[int, ...]) -> None:
    """Oracle: the contract: what is expected and what came."""
    with pytest.raises(ValueError, match=r"expected embeddings \(2, 512\) or \(1, 512\), not \("):
        Predictor(_tiny())(torch.zeros(2, 1, 16, 16), torch.zeros(shape))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": (8, 8, 8)}, "widths must be four numbers"),
        ({"widths": (8, 8, 8, 1)}, "widths must be four numbers from 2 on"),
        ({"encoder": (4, 4, 4)}, "widths must be five positive numbers"),
        ({"norm": "layer"}, "norm must be none or batch, not 'layer'"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"reference_side": 8}, "reference_side must be at least 16"),
    ],
)
def test_networks_that_do_not_exist(settings: dict[str, Any], message: str) -> None:
    """Oracle: the contract: ValueError, which training and loading turn into their own."""
    with pytest.raises(ValueError, match=message):
        Color2Embed(**{**TINY, **settings})


def test_the_network_moves_to_channels_last() -> None:
    """Oracle: the same answer, 1e-4: loading and training ask for that layout, which knows four dimensions only."""
    network = _tiny()
    inputs, reference = 2 * _random(2, 1, 32, 32) - 1, _random(2, 3, 32, 32, seed=1)
    with torch.inference_mode():
        expected = network(inputs, reference)
        network.to("cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]
        assert torch.allclose(network(inputs, reference), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("recipe", "differs"),
    [
        ("default", {}),
        ("published", {}),
        ("ablation-no-augmentation", {"noise": 0.0, "warp": False, "turn": False}),
        ("ablation-reconstruction", {"perceptual": 0.0}),
        ("ablation-perceptual", {"reconstruction": 0.0}),
    ],
)
def test_recipes(recipe: str, differs: dict[str, Any]) -> None:
    """Oracle: section 4.1's figures, and section 5's ablations, each one change to them; the objective knows every
    setting."""
    from colorcli.checkpoints.store import shipped_folder
    from colorcli.methods.color2embed.objective import Objective, Settings

    config = build_config("color2embed", read_recipe(shipped_folder("training") / "color2embed" / f"{recipe}.toml"))
    settings = Settings(**config.objective)
    assert bool(Objective.needs(config.objective)) == (recipe != "default")
    if recipe != "default":
        assert settings == Settings(**{"perceptual": 0.1, "encoder": "backbone", **differs})
        assert (config.rate, config.betas, config.optimizer, config.stages[0].batch) == (1e-4, (0.9, 0.99), "adam", 64)
        assert config.stages[0].size == 256 and config.variant == "paper"
