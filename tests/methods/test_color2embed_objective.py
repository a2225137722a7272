"""What training Color2Embed minimises, and how it is validated."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from skimage import color
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.backbone.network import Backbone, build
from colorcli.methods.color2embed import SPEC, predictor
from colorcli.methods.color2embed.augment import Augmentation, self_reference
from colorcli.methods.color2embed.network import Color2Embed
from colorcli.methods.color2embed.objective import Objective
from colorcli.train.data import Example
from colorcli.train.validation import validate

TINY: dict[str, Any] = {"widths": (8, 8, 8, 8), "encoder": (4, 4, 8, 8, 8), "hidden": 8, "reference_side": 32}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """Networks this small lose their time to the hand-over between threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class _Constant(nn.Module):
    """Answers one chroma everywhere, and keeps what it saw."""

    def __init__(self, chroma: float, reference_side: int = 32) -> None:
        super().__init__()
        self.reference_side = reference_side
        self.chroma = nn.Parameter(torch.tensor(chroma))

    def forward(self, inputs: Tensor, reference: Tensor) -> Tensor:
        self.seen = (inputs, reference)
        return self.chroma.expand(len(inputs), 2, *inputs.shape[2:])


def _batch(count: int = 2, side: int = 32) -> dict[str, Tensor]:
    rgb = 0.3 + 0.4 * torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))
    return {"rgb": rgb, "seed": torch.arange(count)}


def _backbone(**settings: Any) -> Backbone:
    torch.manual_seed(1)
    return build(**{"scale": 1 / 16, "classes": 3, **settings}).eval()


def _objective(network: nn.Module, backbone: nn.Module | None = None, **settings: Any) -> Objective:
    return Objective(network, settings, {"backbone": backbone} if backbone else None)  # type: ignore[arg-type]


def test_reconstruction() -> None:
    """Oracle: eq. 8 in numpy on scikit-image's ab / 110, d^2 / 2 below 1, |d| - 1/2 above, the mean; times its weight;
    1e-4 (skimage's rounded constants). A chroma of 2 is beyond what the network gives, for the outer branch."""
    batch = _batch()
    lab = color.rgb2lab(batch["rgb"].permute(0, 2, 3, 1).numpy())
    for chroma in (0.2, 2.0):
        network = _Constant(chroma)
        found = _objective(network, reconstruction=3.0)("network", batch)
        assert list(found) == ["reconstruction"]
        distance = np.abs(chroma - lab[..., 1:] / 110)
        expected = 3 * np.where(distance < 1, distance**2 / 2, distance - 0.5).mean()
        assert float(found["reconstruction"].detach()) == pytest.approx(expected, rel=1e-4)
        assert np.abs(network.seen[0][:, 0].numpy() - (lab[..., 0] - 50) / 50).max() < 1e-4


def test_perceptual() -> None:
    """Oracle: eq. 9 by hand: the mean distance of the backbone's relu5_2 maps of the truth and of scikit-image's RGB of
    the truth's L with the answered chroma (inside the gamut); times its weight; 1e-3. Nothing else is there."""
    batch = _batch()
    backbone = _backbone()
    found = _objective(_Constant(0.05), backbone, reconstruction=0.0, perceptual=0.5)("network", batch)
    assert list(found) == ["perceptual"]
    lab = color.rgb2lab(batch["rgb"].permute(0, 2, 3, 1).double().numpy())
    lab[..., 1:] = 5.5
    shown = torch.from_numpy(color.lab2rgb(lab)).permute(0, 3, 1, 2).float()
    maps = [backbone.features(backbone.standardize(rgb), ("relu5_2",))["relu5_2"] for rgb in (batch["rgb"], shown)]  # type: ignore[operator]
    assert float(found["perceptual"].detach()) == pytest.approx(0.5 * float((maps[0] - maps[1]).abs().mean()), rel=1e-3)
    assert float(found["perceptual"].detach()) > 0


def test_the_reference_is_the_augmented_truth() -> None:
    """Oracle: `self_reference` by the settings; exact. With all of it off, section 5's first ablation, the truth."""
    batch = _batch()
    for settings, augmentation in (
        ({}, Augmentation()),
        ({"noise": 9.0, "turn": False}, Augmentation(9.0, True, False)),
        ({"warp": False}, Augmentation(5.0, False, True)),
    ):
        network = _Constant(0.0)
        _objective(network, **settings)("network", batch)
        assert torch.equal(network.seen[1], self_reference(batch["rgb"], batch["seed"], augmentation))
    network = _Constant(0.0)
    _objective(network, noise=0.0, warp=False, turn=False)("network", batch)
    assert torch.equal(network.seen[1], batch["rgb"])


def test_references_have_the_size_of_use() -> None:
    """Oracle: what the predictor shows the network of the same picture, exact; with augmentation, that picture's own
    self-reference; the picture itself keeps its size."""
    batch = _batch(side=32)
    network = _Constant(0.0, reference_side=48)
    shown: list[Tensor] = []
    network.embed = lambda square: shown.append(square) or square  # type: ignore[assignment, func-returns-value]
    predictor.Predictor(network).embed(batch["rgb"])  # type: ignore[arg-type]
    _objective(network, noise=0.0, warp=False, turn=False)("network", batch)
    assert torch.equal(network.seen[1], shown[0])
    _objective(network)("network", batch)
    assert torch.equal(network.seen[1], self_reference(shown[0], batch["seed"], Augmentation()))
    assert network.seen[0].shape[2:] == (32, 32)


def test_gradients_reach_every_parameter() -> None:
    """Oracle: every parameter of both networks has a gradient that is not 0; the backbone has none."""
    torch.manual_seed(0)
    backbone = _backbone()
    objective = _objective(Color2Embed(**TINY), backbone, perceptual=0.1)
    torch.stack(list(objective("network", _batch(2, 64)).values())).sum().backward()
    without = [name for name, p in objective.network.named_parameters() if p.grad is None or not p.grad.any()]
    # a bias before a batch norm cannot be felt but by rounding: it may be there or not
    assert [name for name in without if not name.endswith("bias")] == []
    assert all(p.grad is None for p in backbone.parameters())
    assert not any("backbone" in name or "perception" in name for name in objective.state_dict())


def test_the_embedding_carries_colour() -> None:
    """Oracle: two plain pictures of one lightness and opposite colours: the lightness alone allows at best their mean,
    0.5 of gray's error and more; with references the loss falls below a tenth of gray's. 1 to 2 s."""
    torch.manual_seed(0)
    lab = torch.tensor([[[60.0, 40, 30]], [[60.0, -40, -30]]])
    rgb = torch.from_numpy(color.lab2rgb(lab.double().numpy())).float().permute(0, 2, 1)[..., None]  # (2, 3, 1, 1)
    batch = {"rgb": rgb.expand(2, 3, 32, 32).contiguous(), "seed": torch.arange(2)}
    objective = _objective(Color2Embed(**TINY))
    optimizer = torch.optim.Adam(objective.parameters(), 3e-3)
    gray = (40**2 + 30**2) / 110**2 / 4
    for step in range(100):
        batch["seed"] = batch["seed"] + 2 * step
        loss = objective("network", batch)["reconstruction"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(loss.detach()) < 0.1 * gray


def test_the_encoder_starts_from_the_backbone() -> None:
    """Oracle: the backbone's own tensors up to relu5_2 (numbers by torchvision's list, with batch norm 46 and without
    32 layers); exact. From scratch it stays as it was."""
    for norm, layers in (("batch", 46), ("none", 32)):
        backbone = _backbone(norm=norm)
        network = Color2Embed((8, 8, 8, 8), (4, 8, 16, 32, 32), 8, norm)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        _objective(network)
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        objective = _objective(network, backbone, encoder="backbone")
        own = network.colorEncoder.trunk.state_dict()
        given = backbone.features.state_dict()  # type: ignore[operator]
        assert {int(name.partition(".")[0]) for name in own} == {int(n.partition(".")[0]) for n in given} & set(
            range(layers)
        )
        assert all(torch.equal(value, given[name]) for name, value in own.items())
        assert objective.notes() == {"encoder before --init": "vgg19"}


@pytest.mark.parametrize("encoder", [(4, 8, 16, 32, 16), (4, 4, 8, 8, 8)])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_backbone_of_other_widths_is_refused(encoder: tuple[int, ...], norm: str) -> None:
    """Oracle: the contract: UsageError that names it, and nothing was taken over. Norms must be the same, too."""
    network = Color2Embed((8, 8, 8, 8), encoder, 8, norm)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(UsageError, match="vgg19 cannot start color2embed's encoder: its layers have other widths"):
        _objective(network, _backbone(), encoder="backbone")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_notes_say_what_the_losses_had() -> None:
    """Oracle: the contract: the encoder's start, and the perceptual backbone where there is one."""
    assert _objective(_Constant(0.0)).notes() == {"encoder before --init": "scratch"}
    backbone = _backbone()
    backbone.title = "backbone b.safetensors"
    notes = _objective(_Constant(0.0), backbone, perceptual=0.1).notes()
    assert notes == {"encoder before --init": "scratch", "perceptual": "relu5_2 of backbone b.safetensors"}


@pytest.mark.parametrize(
    ("settings", "companions"),
    [
        ({}, set()),
        ({"perceptual": 0.1}, {"backbone"}),
        ({"encoder": "backbone"}, {"backbone"}),
        ({"warp": False}, set()),
    ],
)
def test_companions(settings: dict[str, Any], companions: set[str]) -> None:
    """Oracle: the contract of `needs`; without the companion, or with one of another shape, UsageError says what is
    needed."""
    assert Objective.needs(settings) == companions
    if companions:
        with pytest.raises(UsageError, match="needs a backbone of VGG19's shape for perceptual and encoder, not none"):
            _objective(_Constant(0.0), **settings)
        with pytest.raises(UsageError, match=r"VGG19's shape .*, not resnet34"):
            _objective(_Constant(0.0), _backbone(shape="resnet34"), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"perceptual": -1}, "perceptual must be 0 or more, not -1"),
        ({"reconstruction": 0}, "are both 0"),
        ({"noise": float("inf")}, "noise must be 0 or more"),
        ({"encoder": "vgg"}, "encoder must be scratch or backbone, not 'vgg'"),
        ({"warp": 2}, "warp of color2embed's objective must be a bool, not 2"),
        ({"tps": True}, "no setting tps; it has: encoder, noise, perceptual, reconstruction, turn, warp"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], message: str) -> None:
    """Oracle: house rule 11."""
    with pytest.raises(UsageError, match=message):
        Objective(_Constant(0.0), settings)  # type: ignore[arg-type]


class _MeanOfTheReference:
    """A predictor that answers the mean chroma of its reference everywhere, in whatever size it is asked."""

    def __init__(self, network: nn.Module) -> None:
        del network

    def embed(self, reference: Tensor) -> Tensor:
        lab = color.rgb2lab(reference.permute(0, 2, 3, 1).numpy())
        return torch.from_numpy(lab[..., 1:].mean((1, 2))).float()

    def __call__(self, lightness: Tensor, z: Tensor) -> Tensor:
        return z[:, :, None, None].expand(-1, -1, *lightness.shape[2:])


@pytest.mark.parametrize("settings", [{}, {"noise": 0.0, "warp": False, "turn": False}])
def test_validation_gives_a_reference(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: plain pictures of different colours and the mean colour of each reference: nearly the truth (above 35 dB,
    noise apart), where one colour for all would not be; the same figures again, whatever the training's settings."""
    monkeypatch.setattr(predictor, "Predictor", _MeanOfTheReference)
    colours = [(150, 90, 70), (60, 110, 140), (90, 140, 80)]
    plain = [torch.tensor(c, dtype=torch.uint8)[:, None, None].expand(3, 256, 256).contiguous() for c in colours]
    objective = _objective(Color2Embed(**TINY), **settings)
    figures = [
        validate(SPEC, objective, objective.network, [Example(p) for p in plain], 32, nullcontext) for _ in range(2)
    ]
    assert figures[0] == figures[1]
    assert figures[0]["psnr"] > 35 > figures[0]["gray"] + 10


def test_validation_reference_is_warped_and_noised() -> None:
    """Oracle: `self_reference` with the paper's noise and spline, without turns; exact, also with an objective that
    trains without augmentation: ablations are measured alike."""
    seen: list[Tensor] = []

    class Watching(_MeanOfTheReference):
        def embed(self, reference: Tensor) -> Tensor:
            seen.append(reference)
            return super().embed(reference)

    truth = _batch()["rgb"]
    for settings in ({}, {"noise": 0.0, "warp": False, "turn": False}):
        _objective(_Constant(0.0), **settings).predict(Watching(_Constant(0.0)), torch.zeros(2, 1, 16, 16), truth)
    expected = self_reference(truth, torch.arange(2), Augmentation(turn=False))
    assert torch.equal(seen[0], expected) and torch.equal(seen[1], expected)
