"""What training the transfer sub-net minimises; both parts in the registry, their recipes, and a run of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.checkpoints.load import read_checkpoint
from colorcli.checkpoints.store import shipped_folder
from colorcli.errors import UsageError
from colorcli.loader import build_network
from colorcli.methods.backbone.network import Backbone, build
from colorcli.methods.registry import COMPANIONS, METHODS, PARTS
from colorcli.methods.stylization.stylist import Stylist
from colorcli.methods.stylization.transfer import TransferNet
from colorcli.methods.stylization.transfer_objective import Objective, Settings
from colorcli.train.config import Stage, TrainConfig, build_config, read_recipe
from colorcli.train.data import Example, Photos
from colorcli.train.distributed import Team
from colorcli.train.export import export_network
from colorcli.train.loop import Run
from colorcli.train.session import find_spec

WIDTHS = (4, 8, 16, 32)  # of the tiny backbone's first four blocks
NETWORKS: dict[str, dict[str, Any]] = {
    "stylization-transfer": {"widths": WIDTHS},
    "stylization-colorization": {"widths": (4, 4, 6, 8), "growth": 2},
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> object:
    """Networks this small lose their time to the hand-over between threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class _Darker(nn.Module):
    """Gives three quarters of the picture."""

    def forward(self, rgb: Tensor) -> Tensor:
        return 0.75 * rgb


def _batch(count: int = 2, side: int = 32) -> dict[str, Tensor]:
    return {"rgb": torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))}


def _backbone(**settings: Any) -> Backbone:
    torch.manual_seed(1)
    return build(**{"scale": 1 / 16, "classes": 3, **settings}).eval()


def _objective(network: nn.Module, backbone: nn.Module | None = None, **settings: Any) -> Objective:
    return Objective(network, settings, {"backbone": backbone} if backbone else None)  # type: ignore[arg-type]


def test_losses() -> None:
    """Oracle: by hand: a sixteenth of the picture's mean square; the mean squared distance of the backbone's relu4_1
    maps; times their weights; 1e-5. One of weight 0 is not there."""
    batch, backbone = _batch(), _backbone()
    found = _objective(_Darker(), backbone, perceptual=0.2)("network", batch)
    assert float(found["reconstruction"]) == pytest.approx(0.8 * float(batch["rgb"].square().mean()) / 16, rel=1e-5)
    maps = [
        backbone.features(backbone.standardize(rgb), ("relu4_1",))["relu4_1"]  # type: ignore[operator]
        for rgb in (batch["rgb"], 0.75 * batch["rgb"])
    ]
    assert float(found["perceptual"]) == pytest.approx(0.2 * float(F.mse_loss(*maps)), rel=1e-5)
    assert list(_objective(_Darker())("network", batch)) == ["reconstruction"]
    assert list(_objective(_Darker(), backbone, reconstruction=0, perceptual=1)("network", batch)) == ["perceptual"]


def test_gradients() -> None:
    """Oracle: the contract: every parameter has one from scratch; the backbone none, and it is no part of the
    checkpoint."""
    torch.manual_seed(0)
    backbone = _backbone()
    objective = _objective(TransferNet(WIDTHS), backbone, perceptual=0.2)
    torch.stack(list(objective("network", _batch()).values())).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in objective.network.parameters())
    assert all(p.grad is None for p in backbone.parameters())
    assert not any("backbone" in name or "perception" in name for name in objective.state_dict())


def test_validation_sees_what_the_network_loses() -> None:
    """Oracle: scikit-image's ab of what the stylist makes of a picture in its own style, at that size; 0.01."""
    from skimage import color
    from torchvision.transforms.v2.functional import resize

    network, truth = TransferNet(WIDTHS).eval(), _batch(side=48)["rgb"]
    found = _objective(network).predict(Stylist(network), torch.zeros(2, 1, 24, 16), truth)
    small = resize(truth, [24, 16], antialias=True)
    painted = Stylist(network).stylize(small, small)
    expected = color.rgb2lab(painted.permute(0, 2, 3, 1).double().numpy())[..., 1:]
    assert float((found.permute(0, 2, 3, 1) - torch.from_numpy(expected)).abs().max()) < 0.01


@pytest.mark.parametrize(
    ("settings", "companions"),
    [({}, set()), ({"perceptual": 0.2}, {"backbone"}), ({"encoder": "backbone"}, {"backbone"})],
)
def test_companions(settings: dict[str, Any], companions: set[str]) -> None:
    """Oracle: the contract of `needs`; without the companion, with one of another shape or of other widths, UsageError
    says what is needed."""
    assert Objective.needs(settings) == companions
    if not companions:
        return
    with pytest.raises(UsageError, match="needs a backbone of VGG19's shape for perceptual and encoder, not none"):
        _objective(_Darker(), **settings)
    with pytest.raises(UsageError, match=r"VGG19's shape .*, not resnet34"):
        _objective(_Darker(), _backbone(shape="resnet34"), **settings)
    if "encoder" in settings:
        with pytest.raises(UsageError, match=r"vgg19 cannot start stylization-transfer's encoder: .* other widths"):
            _objective(TransferNet((4, 4, 4, 4)), _backbone(), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"perceptual": -1}, "perceptual must be 0 or more, not -1"),
        ({"reconstruction": 0}, "are both 0"),
        ({"encoder": "vgg"}, "encoder must be scratch or backbone, not 'vgg'"),
        ({"fixed": True}, "no setting fixed; it has: encoder, perceptual, reconstruction"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], message: str) -> None:
    """Oracle: house rule 11."""
    with pytest.raises(UsageError, match=message):
        _objective(_Darker(), **settings)


def _run(name: str, folder: Path, companions: dict[str, nn.Module] | None = None, **settings: Any) -> Run:
    folder.mkdir()
    noise = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    smooth = F.interpolate(noise, (24, 24), mode="bilinear").mul(255).to(torch.uint8)
    config = TrainConfig(
        name,
        steps=3,
        rate=1e-3,
        warmup=0,
        stages=(Stage(16, 1.0, 4),),
        precision="fp32",
        validation_size=16,
        network=NETWORKS[name],
        **settings,
    )
    photos = Photos([Example(picture) for picture in smooth[:4]], [Example(smooth[4])])
    return Run(PARTS[name], config, photos, folder, Team(0, 1, torch.device("cpu")), lambda _: None, companions)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_engine_trains_it(name: str, tmp_path: Path) -> None:
    """Oracle: the engine: three steps change every weight that is trained, validation has figures, and the exported
    file gives the same network back, to fp16."""
    run = _run(name, tmp_path / "run")
    before = {key: value.clone() for key, value in run.network.named_parameters()}
    run.train()
    assert all(not torch.equal(value, before[key]) for key, value in run.network.named_parameters())
    figures = run.validate()
    assert figures["photos"] == 1 and 0 < figures["psnr"] < 100
    averaged = run.average.network()
    path = export_network(run.folder, averaged, {"method": name, "network": run.settings})
    again = build_network(PARTS[name], read_checkpoint(path), "it").state_dict()
    for key, value in averaged.state_dict().items():
        assert torch.allclose(again[key].float(), value.float(), rtol=2e-3, atol=1e-6) or "num_batches" in key


def test_an_encoder_of_the_backbone_stays(tmp_path: Path) -> None:
    """Oracle: its tensors before and after; exact. The decoder's change, and only they have an optimiser."""
    run = _run(
        "stylization-transfer",
        tmp_path / "run",
        {"backbone": _backbone()},
        objective={"perceptual": 0.2, "encoder": "backbone"},
    )
    before = {key: value.clone() for key, value in run.network.state_dict().items()}
    run.train()
    for key, value in run.network.state_dict().items():
        assert torch.equal(value, before[key]) is key.startswith("encoder.")
    assert sum(p.numel() for p in run.trained["network"]) == sum(p.numel() for p in run.network.decoder.parameters())  # type: ignore[union-attr]
    assert run.objective.notes() == {"encoder before --init": "vgg19", "perceptual": "relu4_1 of vgg19"}


def test_parts_are_found_and_are_no_methods() -> None:
    """Oracle: the registry's own lines: what is trained by itself is not offered for colouring by itself."""
    assert [spec.name for spec in PARTS] == list(NETWORKS)
    for spec in PARTS:
        assert find_spec(spec.name) is spec
        assert spec.name not in METHODS and spec.name not in COMPANIONS
        assert {"paper", "compact"} == set(spec.variants)
    with pytest.raises(UsageError, match=r"there are: .*backbone, pfanet, stylization-transfer, stylization-coloriz"):
        find_spec("stylization-decoder")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("recipe", ["default", "published"])
def test_recipes(name: str, recipe: str) -> None:
    """Oracle: the paper's implementation details; the default needs no other file; every setting is known."""
    config = build_config(name, read_recipe(shipped_folder("training") / name / f"{recipe}.toml"))
    objective: Any = PARTS[name].load("objective")
    settings = objective.read(config.objective)
    assert bool(objective.needs(config.objective)) == (name.endswith("transfer") and recipe == "published")
    if recipe == "default":
        return
    assert (config.optimizer, config.variant, config.weight_decay) == ("adam", "paper", 0.0)
    if name.endswith("transfer"):
        assert config.rate == 1e-4 and settings == Settings(0.8, 0.2, "backbone")
    else:
        assert config.rate == 1e-5 and (settings.emphasis, settings.stop) == (10.0, 1 / 8)
