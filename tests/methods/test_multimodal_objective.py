"""What training Multimodal minimises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.color.lab import open_rgb, rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.backbone.network import Backbone, build
from colorcli.methods.multimodal.network import Multimodal
from colorcli.methods.multimodal.objective import Objective
from colorcli.methods.multimodal.predictor import Predictor

TINY: dict[str, Any] = {"widths": (4, 4, 8, 8, 8), "similarity": 0.125, "reference_side": 32}


def _network(**settings: Any) -> Multimodal:
    torch.manual_seed(0)
    return Multimodal(**{**TINY, **settings})


def _backbone(channels: int, scale: float = 0.125) -> Backbone:
    torch.manual_seed(1)
    return build("resnet34", scale, in_channels=channels, classes=2)


def _batch(count: int, seeds: list[int]) -> dict[str, Tensor]:
    rgb = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    return {"rgb": rgb, "reference": rgb.roll(1, 0).flip(3), "seed": torch.tensor(seeds)}


def _seen(objective: Objective, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    """The losses, and the U-Net's input."""
    seen: list[Tensor] = []
    hook = objective.network.colorization.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    losses = objective("network", batch)
    hook.remove()
    return losses, seen[0]


def test_the_two_halves() -> None:
    """Oracle: by hand, from the same U-Net input: chrominance is the MSE on ab / 110 of the even seeds' pictures, the
    perceptual loss the MSE of layer4 of the odd one's, each summed, over the batch of three, doubled; 1e-5."""
    network = _network().eval()
    backbone = _backbone(3)
    objective = Objective(network, {"perceptual": 0.5}, {"backbone": backbone}).eval()
    batch = _batch(3, [2, 5, 8])
    losses, inputs = _seen(objective, batch)
    lab = rgb_to_lab(batch["rgb"])
    with torch.no_grad():
        predicted = network.colorization(inputs)
        distance = (predicted - lab[:, 1:] / 110).square().mean((1, 2, 3))
        shown = open_rgb(torch.cat((lab[:, :1], 110 * predicted), dim=1))[1:2]
        maps = [
            backbone.features(backbone.standardize(rgb), ("layer4",))["layer4"] for rgb in (shown, batch["rgb"][1:2])
        ]
    assert losses["chrominance"].item() == pytest.approx(float(2 * (distance[0] + distance[2]) / 3), rel=1e-5)
    assert losses["perceptual"].item() == pytest.approx(float(2 * 0.5 * F.mse_loss(*maps) / 3), rel=1e-4)


def test_what_each_half_is_given() -> None:
    """Oracle: values: for odd seeds chroma comes from the reference, for even ones it is their own: pictures of one
    colour each show whose it is (1e-4 of ab / 110)."""
    objective = Objective(_network().eval(), {"perceptual": 1.0}, {"backbone": _backbone(3)})
    colours = torch.tensor([[0.8, 0.3, 0.2], [0.2, 0.6, 0.3], [0.3, 0.3, 0.9]])
    rgb = colours[:, :, None, None].expand(3, 3, 32, 32).contiguous()
    batch = {"rgb": rgb, "reference": rgb.roll(1, 0), "seed": torch.tensor([1, 2, 3])}
    _, inputs = _seen(objective, batch)
    own = rgb_to_lab(batch["rgb"])[:, 1:] / 110
    for picture, source in ((0, 2), (1, 1), (2, 1)):
        assert torch.allclose(inputs[picture, 1:3], own[source], atol=1e-4)


def test_gradients_reach_the_unet_alone() -> None:
    """Oracle: autograd: every parameter of the U-Net gets one, also from a batch without an odd seed, none of the
    similarity net's, whose batch norms stay as they were."""
    network = _network()
    objective = Objective(network, {"perceptual": 1.0}, {"backbone": _backbone(3)}).train()
    statistics = network.similarity.bn1.running_mean.clone()
    for seeds in ([1, 2], [2, 4], [1, 3]):
        network.zero_grad()
        losses = objective("network", _batch(2, seeds))
        assert set(losses) == {"chrominance", "perceptual"}
        torch.stack(list(losses.values())).sum().backward()
        assert all(parameter.grad is not None for parameter in network.colorization.parameters())
        assert all(parameter.grad is None for parameter in network.similarity.parameters())
    assert torch.equal(network.similarity.bn1.running_mean, statistics)
    assert all(name.startswith("similarity.") for name, p in network.named_parameters() if p.grad is None)


def test_without_matches_all_is_chrominance() -> None:
    """Oracle: the mean squared error of all pictures, by hand; 1e-5; no perceptual loss, twelve planes of zero."""
    network = _network(matches="off").eval()
    objective = Objective(network, {"perceptual": 1.0}, {"backbone": _backbone(3)})
    batch = _batch(2, [1, 2])
    losses, inputs = _seen(objective, batch)
    assert set(losses) == {"chrominance"} and not inputs[:, 1:].any()
    with torch.no_grad():
        expected = F.mse_loss(network.colorization(inputs), rgb_to_lab(batch["rgb"])[:, 1:] / 110)
    assert losses["chrominance"].item() == pytest.approx(float(expected), rel=1e-5)


def test_a_picture_alone_and_bf16() -> None:
    """Oracle: the contract: finite losses in float32."""
    objective = Objective(_network().eval(), {"perceptual": 1.0}, {"backbone": _backbone(3)})
    with torch.autocast("cpu", torch.bfloat16):
        losses = objective("network", _batch(1, [1]))
    assert all(loss.dtype is torch.float32 and torch.isfinite(loss) for loss in losses.values())


def test_starting_from_a_similarity_net() -> None:
    """Oracle: the companion's weights, and what the notes say."""
    trained = _backbone(1)
    objective = Objective(_network(), {"similarity": "companion"}, {"similarity": trained})
    assert torch.equal(objective.network.similarity.conv1.weight, trained.get_parameter("conv1.weight"))
    assert objective.notes() == {"similarity net before --init": "resnet34"}


@pytest.mark.parametrize(
    ("settings", "companions", "message"),
    [
        ({"perceptual": 1.0}, {}, "needs a backbone of ResNet34's shape on RGB for perceptual, not none"),
        ({"perceptual": 1.0}, {"backbone": 1}, "needs a backbone of ResNet34's shape on RGB"),
        ({"similarity": "companion"}, {"similarity": 3}, "needs a similarity of ResNet34's shape on lightness"),
        ({"similarity": "random"}, {}, "similarity must be scratch or companion"),
        ({"perceptual": -1.0}, {}, "perceptual must be 0 or more"),
        ({"alpha": 1.0}, {}, "no setting alpha"),
    ],
)
def test_objectives_that_cannot_be(settings: dict[str, Any], companions: dict[str, int], message: str) -> None:
    """Oracle: the contract: UsageError with what is needed."""
    given: dict[str, nn.Module] = {name: _backbone(channels) for name, channels in companions.items()}
    with pytest.raises(UsageError, match=message):
        Objective(_network(), settings, given)


def test_a_similarity_net_of_other_widths() -> None:
    """Oracle: the contract."""
    with pytest.raises(UsageError, match="cannot be multimodal's similarity net"):
        Objective(_network(), {"similarity": "companion"}, {"similarity": _backbone(1, 0.25)})


def test_validation_is_on_the_mirrored_truth() -> None:
    """Oracle: the predictor with that reference; exact."""
    predictor = Predictor(_network().eval())
    batch = _batch(2, [0, 1])
    lightness = rgb_to_lab(batch["rgb"])[:, :1]
    found = Objective(predictor.network, {}).predict(predictor, lightness, batch["rgb"])
    assert torch.equal(found, predictor(lightness, predictor.embed(batch["rgb"].flip(3))))
