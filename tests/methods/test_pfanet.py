"""PFANet: its parts against their description, its loss against scipy, and that it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from scipy import ndimage
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.backbone.network import build as build_backbone
from colorcli.methods.pfanet.network import ChannelAttention, ContextPyramid, PFANet, SpatialAttention
from colorcli.methods.pfanet.objective import Objective, edge_loss, edges
from colorcli.methods.registry import COMPANIONS

TINY: dict[str, Any] = {"widths": (4, 4, 8, 8, 8), "context": 4, "head": 4}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _tiny(**settings: Any) -> PFANet:
    torch.manual_seed(0)
    return PFANet(**{**TINY, **settings})


def _uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _squares(count: int, side: int, seed: int) -> dict[str, Tensor]:
    """Red squares on a dim background, and where they are."""
    generator = torch.Generator().manual_seed(seed)
    rgb, mask = 0.4 * torch.rand(count, 3, side, side, generator=generator), torch.zeros(count, 1, side, side)
    for picture in range(count):
        top, left = (int(v) for v in torch.randint(2, side // 2, (2,), generator=generator))
        mask[picture, :, top : top + side // 3, left : left + side // 3] = 1
    rgb[:, :1] += 0.6 * mask
    return {"rgb": rgb, "mask": mask}


def _by_hand(widths: tuple[int, ...], context: int, head: int) -> int:
    """Parameters of methods.md's description with batch norm in the body."""
    total, inside = 0, 3
    for width, count in zip(widths, (2, 2, 3, 3, 3), strict=True):  # VGG16
        for _ in range(count):
            total += 9 * inside * width + width + 2 * width
            inside = width
    for width in widths[2:]:  # CPFE: 1x1 and three 3x3, no biases, one norm
        total += width * context * (1 + 3 * 9) + 2 * 4 * context
    deep = 12 * context
    total += deep * (deep // 4) + deep // 4 + (deep // 4) * deep + deep  # channel attention
    total += 9 * deep * head + 2 * head  # high
    total += 9 * widths[0] * head + 9 * widths[1] * head + 9 * 2 * head * head + 3 * 2 * head  # low
    total += 2 * (9 * head * (head // 2) + 2 * (head // 2) + 9 * (head // 2) + 1)  # spatial attention
    return total + 9 * 2 * head + 1


@pytest.mark.parametrize("variant", ["paper", "compact"])
def test_parameter_counts(variant: str) -> None:
    """Oracle: methods.md's description added up by hand; exact. Compact: at most 8 M."""
    settings = COMPANIONS["pfanet"].variants[variant]
    with torch.device("meta"):
        network = PFANet(**settings)
    found = sum(p.numel() for p in network.parameters())
    assert found == _by_hand(**settings)
    assert (found <= 8e6) == (variant == "compact")
    if variant == "paper":
        assert network.high[0].in_channels == 384
        assert network.channels.squeeze.out_features == 96


@pytest.mark.parametrize(("norm", "theirs"), [("none", "vgg16"), ("batch", "vgg16_bn")])
def test_the_body_is_vgg16(norm: str, theirs: str) -> None:
    """Oracle: torchvision's vgg16: same names and shapes of its features at the published widths; exact."""
    with torch.device("meta"):
        network, published = PFANet(norm=norm), getattr(torchvision.models, theirs)(weights=None)
    found = {k: v.shape for k, v in network.state_dict().items() if k.startswith("features.")}
    assert found == {k: v.shape for k, v in published.state_dict().items() if k.startswith("features.")}
    assert network.taps == ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


def test_context_pyramid() -> None:
    """Oracle: the reach of its branches: an impulse spreads to the dilation and no further, in its own channels."""
    pyramid = ContextPyramid(1, 2).eval()
    for branch in pyramid.branches:
        nn.init.ones_(branch.weight)
    impulse = torch.zeros(1, 1, 21, 21)
    impulse[0, 0, 10, 10] = 1
    with torch.inference_mode():
        found = pyramid(impulse)[0]
    for branch, reach in enumerate((0, 3, 5, 7)):
        expected = torch.zeros(21, 21, dtype=torch.bool)
        steps = torch.tensor([-reach, 0, reach]) + 10
        expected[steps[:, None], steps[None, :]] = True
        for channel in (2 * branch, 2 * branch + 1):
            assert torch.equal(found[channel] > 0, expected)


def test_channel_attention() -> None:
    """Oracle: squeeze and excite in numpy; 1e-5."""
    torch.manual_seed(0)
    attention = ChannelAttention(8)
    features = _uniform(2, 8, 3, 5)
    state = {k: v.numpy() for k, v in attention.state_dict().items()}
    pooled = features.numpy().mean((2, 3))
    hidden = np.maximum(pooled @ state["squeeze.weight"].T + state["squeeze.bias"], 0)
    weights = 1 / (1 + np.exp(-(hidden @ state["excite.weight"].T + state["excite.bias"])))
    with torch.inference_mode():
        found = attention(features).numpy()
    assert hidden.shape == (2, 2)
    assert np.abs(found - features.numpy() * weights[:, :, None, None]).max() < 1e-5


def test_spatial_attention() -> None:
    """Oracle: an impulse moves the weight inside the 9x9 window around it and nowhere else; weights in (0, 1)."""
    torch.manual_seed(0)
    attention = SpatialAttention(4).eval()
    flat = torch.zeros(1, 4, 25, 25)
    impulse = flat.clone()
    impulse[0, :, 12, 12] = torch.tensor([5.0, -5.0, 3.0, 4.0])
    with torch.inference_mode():
        moved = (attention(impulse) - attention(flat)).abs()[0, 0] > 0
        weights = attention(impulse)
    inside = torch.zeros(25, 25, dtype=torch.bool)
    inside[8:17, 8:17] = True
    assert bool(moved.any())
    assert not bool((moved & ~inside).any())
    assert bool(moved[8, 8:17].any() and moved[8:17, 8].any())  # both paths reach their corners' rows and columns
    assert weights.shape == (1, 1, 25, 25)
    assert 0 < float(weights.min()) <= float(weights.max()) < 1


@pytest.mark.parametrize("body", ["vgg16", "vgg19"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 50), (64, 40)])
def test_any_size(body: str, height: int, width: int) -> None:
    """Oracle: the contract: saliency 0..1 at the picture's own size, the sigmoid of the logits; exact."""
    network = _tiny(body=body).eval()
    rgb = _uniform(2, 3, height, width)
    with torch.inference_mode():
        saliency, logits = network(rgb), network.logits(rgb)
    assert saliency.shape == (2, 1, height, width)
    assert torch.equal(saliency, torch.sigmoid(logits))
    assert float(saliency.std()) > 0


def test_wrong_inputs_and_settings_are_named() -> None:
    """Oracle: house rule 9."""
    network = _tiny().eval()
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\), got \(1, 1, 32, 32\)"):
        network(_uniform(1, 1, 32, 32))
    with pytest.raises(ValueError, match=r"sides must be at least 16, got \(8, 32\): enlarge"):
        network(_uniform(1, 3, 8, 32))
    for settings, message in (
        ({"norm": "layer"}, "norm must be batch or none"),
        ({"body": "vgg11"}, "vgg16, vgg19"),
        ({"widths": (4, 4)}, "five positive numbers"),
        ({"context": 0}, "context and head"),
    ):
        with pytest.raises(ValueError, match=message):
            _tiny(**settings)
    for wrong in ({"alpha": 1.5}, {"start": "here"}, {"beta": 1}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            Objective(network, wrong)


def test_edges() -> None:
    """Oracle: scipy.ndimage.convolve with the eight-neighbour Laplacian and the border repeated, |tanh|; 1e-5. A square
    has edges along its border; one that touches the picture's border has none there."""
    maps = _uniform(2, 1, 9, 11)
    kernel = -np.ones((3, 3))
    kernel[1, 1] = 8
    for picture, found in zip(maps[:, 0].numpy(), edges(maps)[:, 0].numpy(), strict=True):
        expected = np.abs(np.tanh(ndimage.convolve(picture.astype(float), kernel, mode="nearest")))
        assert np.abs(found - expected).max() < 1e-5
    corner = torch.zeros(1, 1, 8, 8)
    corner[..., :4, :4] = 1
    found = edges(corner)[0, 0]
    assert not found[:3, :3].any()
    assert bool((found[3, :4] > 0.9).all())


def test_edge_loss() -> None:
    """Oracle: binary cross entropy of the two edge maps in numpy, the found one kept 1e-3 from 0 and 1; 1e-5."""
    mask, saliency = _squares(2, 24, seed=0)["mask"], _uniform(2, 1, 24, 24)
    wanted, found = edges(mask).double().numpy(), 0.001 + 0.998 * edges(saliency).double().numpy()
    expected = -(wanted * np.log(found) + (1 - wanted) * np.log(1 - found)).mean()
    assert float(edge_loss(saliency, mask)) == pytest.approx(expected, rel=1e-5)


class _Answers(nn.Module):
    """Gives these logits, whatever it sees."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = nn.Parameter(answer)

    def logits(self, rgb: Tensor) -> Tensor:
        assert rgb.shape[1] == 3
        return self.answer


def _loss(answer: Tensor, batch: dict[str, Tensor], **settings: Any) -> dict[str, Tensor]:
    return Objective(_Answers(answer), settings)("network", batch)  # type: ignore[arg-type]


def test_loss_and_its_minimum() -> None:
    """Oracle: scikit-free closed forms: alpha x BCE of the sigmoid in numpy (1e-5); a perfect answer has a saliency
    loss near 0, an edge loss near the entropy of the mask's own edges, and is better than every other answer tried."""
    batch = _squares(2, 24, seed=1)
    logits = torch.randn(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    p, t = 1 / (1 + np.exp(-logits.double().numpy())), batch["mask"].numpy()
    bce = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    found = _loss(logits, batch)
    assert float(found["saliency"].detach()) == pytest.approx(0.7 * bce, rel=1e-5)
    assert float(found["edges"].detach()) == pytest.approx(0.3 * float(edge_loss(torch.sigmoid(logits), batch["mask"])))
    e = edges(batch["mask"]).double().clamp(1e-12, 1 - 1e-12)
    entropy = float(-(e * e.log() + (1 - e) * (1 - e).log()).mean())
    perfect = _loss(40 * (batch["mask"] - 0.5), batch)
    assert float(perfect["saliency"].detach()) < 1e-6
    assert float(perfect["edges"].detach()) == pytest.approx(0.3 * entropy, abs=2e-3)
    best = float(sum(perfect.values()).detach())
    for worse in (logits, torch.zeros_like(logits), -40 * (batch["mask"] - 0.5), 3 * (batch["mask"] - 0.5)):
        assert float(sum(_loss(worse, batch).values()).detach()) > best + 0.02


def test_wrong_certainty_keeps_finite_gradients() -> None:
    """Oracle: finiteness at logits of +-100, right and wrong, and in bf16, where a probability rounds to 0 or 1."""
    batch = _squares(1, 16, seed=2)
    for sign in (1, -1):
        for kind in (torch.float32, torch.bfloat16):
            answer = (200 * sign * (batch["mask"] - 0.5)).to(kind)
            objective = Objective(_Answers(answer), {})  # type: ignore[arg-type]
            total = sum(objective("network", batch).values())
            total.backward()
            assert torch.isfinite(total)
            assert torch.isfinite(objective.network.answer.grad).all()


def test_losses_are_float32_under_autocast() -> None:
    """Oracle: the same logits outside autocast; exact, so that nothing between logits and loss is rounded to bf16."""
    batch = _squares(2, 24, seed=3)
    logits = torch.randn(2, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    plain = _loss(logits, batch)
    with torch.autocast("cpu", torch.bfloat16):
        rough = _loss(logits, batch)
        through = Objective(_tiny(), {})("network", batch)
    assert all(torch.equal(plain[name], rough[name]) for name in ("saliency", "edges"))
    assert all(value.dtype is torch.float32 and torch.isfinite(value) for value in through.values())


@pytest.mark.parametrize("settings", [{}, {"body": "vgg19"}])
def test_it_learns(settings: dict[str, Any]) -> None:
    """Oracle: red squares on a dim background from scratch: both losses fall, and unseen squares are found better than
    by a blank answer (mean absolute error below the mask's share)."""
    objective = Objective(_tiny(**settings), {})
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-2)
    batch, losses = _squares(8, 32, seed=4), []
    for _ in range(40):
        optimizer.zero_grad()
        values = objective("network", batch)
        sum(values.values()).backward()
        optimizer.step()
        losses.append({name: float(value.detach()) for name, value in values.items()})
    assert losses[-1]["saliency"] < 0.5 * losses[0]["saliency"]
    assert losses[-1]["edges"] < losses[0]["edges"]
    unseen = _squares(4, 32, seed=5)
    with torch.inference_mode():
        found = objective.eval().network(unseen["rgb"])
    assert float((found - unseen["mask"]).abs().mean()) < 0.8 * float(unseen["mask"].mean())


def test_body_from_a_backbone() -> None:
    """Oracle: the backbone's own features, exact, also its statistics; a backbone of other widths, or none, is refused;
    the recipe's need and the note name it."""
    settings = {"start": "backbone"}
    backbone = build_backbone("vgg19", 1 / 16, classes=3)
    backbone.features[1].running_mean.fill_(0.25)
    network = _tiny(widths=(4, 8, 16, 32, 32), body="vgg19")
    objective = Objective(network, settings, {"backbone": backbone})
    state = backbone.features.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in network.features.state_dict().items())
    assert objective.notes() == {"body from": "vgg19"}
    assert not any(name.startswith("companions") for name in objective.state_dict())
    assert Objective.needs(settings) == {"backbone"}
    assert Objective.needs({}) == frozenset()
    assert Objective(network, {}).notes() == {}
    for given, other in ((backbone, _tiny()), (backbone, _tiny(widths=(4, 8, 16, 32, 32)))):
        with pytest.raises(UsageError, match=r"do not fit pfanet's body: with network.body = vgg19"):
            Objective(other, settings, {"backbone": given})
    with pytest.raises(UsageError, match="needs a backbone: --backbone FILE"):
        Objective(network, settings)
