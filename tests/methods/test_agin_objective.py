"""What training AGIN minimises: eq. 4 to 9 in closed form, whose turn it is, what a checkpoint holds."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from colorcli.checkpoints.store import shipped_folder
from colorcli.errors import UsageError
from colorcli.methods.agin.discriminator import Verdict
from colorcli.methods.agin.gray import grayed
from colorcli.methods.agin.network import AGIN, Generator, Painting
from colorcli.methods.agin.objective import Objective, Settings
from colorcli.methods.objective import read_settings
from colorcli.train.config import build_config, read_recipe

SIDE = 96  # the smallest
WEIGHTS = ("adversarial", "cycle", "content", "cam", "cam_discriminators")  # of eq. 9


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def pictures(colors: int = 1, grays: int = 1, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rgb, gray = (torch.rand(count, 3, 6, 6, generator=generator) for count in (colors, grays))
    # (B, 3, 6, 6) -> (B, 3, SIDE, SIDE): smooth, like photos
    return {
        "rgb": nn.functional.interpolate(rgb, (SIDE, SIDE), mode="bilinear"),
        "gray": nn.functional.interpolate(gray, (SIDE, SIDE), mode="bilinear"),
    }


def small(seed: int = 0, **settings: Any) -> Objective:
    torch.manual_seed(seed)
    return Objective(Generator(2, 1, **settings), {})


class _Painter(nn.Module):
    """A generator that always paints one value, with one answer of its auxiliary classifier."""

    def __init__(self, value: float, logit: float) -> None:
        super().__init__()
        self.value, self.logit = value, logit

    def forward(self, rgb: Tensor) -> Painting:
        return Painting(torch.full_like(rgb, self.value), torch.full((len(rgb), 2), self.logit), None)


class _Judge(nn.Module):
    """Discriminators that take a picture's mean for its worth, on two scales; the attention says twice as much."""

    def forward(self, rgb: Tensor) -> list[Verdict]:
        worth = rgb.mean((1, 2, 3))
        patches = worth[:, None, None, None].expand(-1, 1, 2, 2)
        return [Verdict(patches, 2 * worth[:, None].expand(-1, 2))] * 2


def constant(settings: dict[str, Any]) -> tuple[Objective, dict[str, Tensor]]:
    """Color paints 0.25 with logit 1, gray -0.5 with logit -2; photos are 0.75 in colour and -1 (black) in gray."""
    objective = Objective(Generator(2, 1), settings)
    objective.generators["color"], objective.generators["gray"] = _Painter(0.25, 1), _Painter(-0.5, -2)
    objective.discriminators["color"] = objective.discriminators["gray"] = _Judge()
    batch = {"rgb": torch.full((2, 3, SIDE, SIDE), 0.875), "gray": torch.zeros(1, 3, SIDE, SIDE)}
    return objective, batch


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


# what the closed form gives for `constant`, before the weights of eq. 9
GENERATORS = {
    # eq. 4, two scales: (1 - made)^2; eq. 8's part the same on twice the mean
    "adversarial": 2 * ((1 - 0.25) ** 2 + (1 - 0.5) ** 2) + 2 * ((1 + 0.5) ** 2 + (1 + 1) ** 2),
    # eq. 5: gray photo -1 comes back as -0.5, colour photo 0.75 as 0.25
    "cycle": 0.5 + 0.5,
    # eq. 6: the colour generator makes 0.25 of 0.75, the gray one -0.5 of -1
    "content": 0.5 + 0.5,
    # eq. 7: -log sigmoid(logit) on the own domain, -log(1 - sigmoid(logit)) on the other
    "cam": softplus(-1) + softplus(1) + softplus(2) + softplus(-2),
}
DISCRIMINATORS = {
    # eq. 4, two scales: real to 1, made to 0
    "discriminators": 2 * ((0.75 - 1) ** 2 + 0.25**2) + 2 * ((-1 - 1) ** 2 + 0.5**2),
    # eq. 8: the same on twice the mean
    "discriminators cam": 2 * ((1.5 - 1) ** 2 + 0.5**2) + 2 * ((-2 - 1) ** 2 + 1.0**2),
}


def test_losses_in_closed_form() -> None:
    """Oracle: eq. 4-9 by hand on constant networks, with the paper's weights 1, 9, 9, 999; 1e-5 relative."""
    objective, batch = constant({})
    weights = {"adversarial": 1, "cycle": 9, "content": 9, "cam": 999, "discriminators": 1, "discriminators cam": 999}
    for player, expected in (("generators", GENERATORS), ("discriminators", DISCRIMINATORS)):
        found = objective(player, batch)
        assert list(found) == list(expected)
        for name, loss in found.items():
            assert loss.dim() == 0
            assert float(loss) == pytest.approx(weights[name] * expected[name], rel=1e-5), (player, name)


@pytest.mark.parametrize("name", WEIGHTS)
def test_each_weight_scales_its_loss(name: str) -> None:
    """Oracle: eq. 9 is linear: a weight of 3 gives three times the unweighted loss, others are as they were."""
    objective, batch = constant({"cycle": 1, "content": 1, "cam": 1, "cam_discriminators": 1, name: 3})
    generators, discriminators = objective("generators", batch), objective("discriminators", batch)
    for key, expected in GENERATORS.items():
        assert float(generators[key]) == pytest.approx(expected * (3 if key == name else 1), rel=1e-5)
    for key, expected in DISCRIMINATORS.items():
        tripled = name == {"discriminators": "adversarial", "discriminators cam": "cam_discriminators"}[key]
        assert float(discriminators[key]) == pytest.approx(expected * (3 if tripled else 1), rel=1e-5)


def test_paired_alone_is_the_distance_from_the_photo() -> None:
    """Oracle: by hand: 0.25 is painted where the photo is 0.75; nobody else has a turn."""
    objective, batch = constant({**dict.fromkeys(WEIGHTS, 0.0), "paired": 3.0})
    found = objective("generators", batch)
    assert list(found) == ["paired"] and float(found["paired"]) == pytest.approx(3 * 0.5)
    assert objective("discriminators", batch) == {}
    beside, batch = constant({"paired": 3.0})
    assert list(beside("generators", batch)) == [*GENERATORS, "paired"]


def test_gray_pictures_may_be_coloured() -> None:
    """Oracle: the same batch with the gray domain grayed by the sRGB value of its L; 1e-3 relative (round trip)."""
    objective, batch = small().eval(), pictures()  # eval: spectral norm rests
    plain = {**batch, "gray": (grayed(batch["gray"]) + 1) / 2}
    for player in objective.players:
        first, second = objective(player, batch), objective(player, plain)
        for name in first:
            assert float(first[name].detach()) == pytest.approx(float(second[name].detach()), rel=1e-3)


def test_domains_may_differ_in_number() -> None:
    """Oracle: the losses are means: a gray picture given three times changes nothing; 1e-4 relative."""
    objective, batch = small().eval(), pictures()
    tripled = {**batch, "gray": batch["gray"].repeat(3, 1, 1, 1)}
    for player in objective.players:
        first, second = objective(player, batch), objective(player, tripled)
        for name in first:
            assert float(first[name].detach()) == pytest.approx(float(second[name].detach()), rel=1e-4)


# whose turn it is


def test_the_players_share_nothing_and_leave_nothing_out() -> None:
    """Oracle: set algebra on the parameters' identities."""
    objective = small()
    sets = [{id(p) for p in objective.get_submodule(player).parameters()} for player in objective.players]
    assert not sets[0] & sets[1]
    assert sets[0] | sets[1] == {id(p) for p in objective.parameters()}


def test_a_checkpoint_holds_each_weight_once() -> None:
    """Oracle: every tensor of the state dict has its own storage, and `network` is a generator of it."""
    objective = small()
    state = objective.state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)
    assert {name.partition(".")[0] for name in state} == set(objective.players)
    assert objective.network is objective.generators["color"]
    assert torch.equal(objective.network.state_dict()["out.weight"], state["generators.color.out.weight"])
    other = small(seed=1)
    other.load_state_dict(state)
    assert torch.equal(other.network.out.weight, objective.network.out.weight)


@pytest.mark.parametrize("player", ["generators", "discriminators"])
def test_a_turn_moves_only_its_player(player: str) -> None:
    """Oracle: gradients after the engine's freezing of the other player: all of the one, none of the other."""
    objective = small()
    other = next(name for name in objective.players if name != player)
    objective.get_submodule(other).requires_grad_(False)
    torch.stack(list(objective(player, pictures()).values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in objective.get_submodule(other).parameters())
    moved = [p.grad is not None and bool(p.grad.any()) for p in objective.get_submodule(player).parameters()]
    assert all(p.grad is not None for p in objective.get_submodule(player).parameters())
    assert sum(moved) > 0.8 * len(moved)  # a ReLU may shut a few off in so narrow a network


def test_fakes_carry_no_gradient_to_the_generators() -> None:
    """Oracle: the same without any freezing: in the discriminators' turn the generators get none."""
    objective = small()
    torch.stack(list(objective("discriminators", pictures()).values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in objective.generators.parameters())


def test_rho_is_clipped_after_a_step() -> None:
    """Oracle: eq. 3, in both generators: what was pushed out of 0..1 comes back, the rest stays."""
    objective = small()
    layers = [layer for layer in objective.generators.modules() if isinstance(layer, AGIN)]
    assert len(layers) == 2 * 10
    for layer in layers:
        assert isinstance(layer.rho, nn.Parameter)
        nn.init.constant_(layer.rho, 1.5)
        with torch.no_grad():
            layer.rho[0] = -0.5
            layer.rho[1] = 0.5
    objective.after_step()
    for layer in layers:
        assert isinstance(layer.rho, nn.Parameter)
        assert layer.rho[:2].tolist() == [0, 0.5]
        assert (layer.rho[2:] == 1).all()


@pytest.mark.parametrize("settings", [{}, {"attention": "none"}, {"norm": "gn"}, {"norm": "in"}])
def test_ablations_train(settings: dict[str, str]) -> None:
    """Oracle: the contract: finite losses, no `cam` without attention, and a step's clipping does no harm."""
    objective = small(**settings)
    for player in objective.players:
        losses = objective(player, pictures())
        assert any("cam" in name for name in losses) == (settings.get("attention") != "none")
        assert all(math.isfinite(float(loss.detach())) for loss in losses.values())
    objective.after_step()


def test_losses_are_exact_under_autocast() -> None:
    """Oracle: the same in float32: losses stay float32, and within 5 % (bf16 networks)."""
    objective, batch = small().eval(), pictures()
    for player in objective.players:
        exact = objective(player, batch)
        with torch.autocast("cpu", torch.bfloat16):
            rough = objective(player, batch)
        for name, loss in rough.items():
            assert loss.dtype is torch.float32
            assert float(loss.detach()) == pytest.approx(float(exact[name].detach()), rel=0.05)


def test_training_lowers_the_cycle_loss() -> None:
    """Oracle: itself before: both players taking turns with the paper's Adam and weights, 15 steps on one pair: the
    cycle loss falls by a fifth at least, and that of the auxiliary classifiers falls."""
    torch.manual_seed(0)
    objective, batch = Objective(Generator(4, 2), {}), pictures()
    optimizers = {
        player: torch.optim.Adam(objective.get_submodule(player).parameters(), lr=2e-3, betas=(0.5, 0.999))
        for player in objective.players
    }
    history = []
    for _ in range(15):
        for player, optimizer in optimizers.items():
            for name in objective.players:
                objective.get_submodule(name).requires_grad_(name == player)
            losses = objective(player, batch)
            if player == "generators":
                history.append({name: float(loss.detach()) for name, loss in losses.items()})
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        objective.after_step()
    assert history[-1]["cycle"] < 0.8 * history[0]["cycle"]
    assert history[-1]["cam"] < history[0]["cam"]


@pytest.mark.parametrize("name", ["default", "published"])
def test_recipes(name: str) -> None:
    """Oracle: sections 3.2.5 and 4.2: Adam 2e-4, betas 0.5 and 0.999, weights 1, 9, 9, 999; published: one picture of
    256 px in a step. And every stage is large enough."""
    config = build_config("agin", read_recipe(shipped_folder("training") / "agin" / f"{name}.toml"))
    assert (config.optimizer, config.rate, config.betas) == ("adam", 2e-4, (0.5, 0.999))
    assert (config.weight_decay, config.clip) == (0, 0)
    assert read_settings(Settings, config.objective, "agin") == Settings(1, 9, 9, 999, 999) == Settings()
    assert all(stage.size >= SIDE for stage in config.stages)
    if name == "published":
        assert [(stage.size, stage.batch) for stage in config.stages] == [(256, 1)]


# bad input


def test_small_pictures_name_the_remedy() -> None:
    """Oracle: house rule 9."""
    batch = {name: picture[:, :, :64, :64] for name, picture in pictures().items()}
    with pytest.raises(UsageError, match=r"at least 96 px, not \(64, 64\): use larger stages"):
        small()("generators", batch)


def test_unknown_player_is_named() -> None:
    """Oracle: house rule 9."""
    with pytest.raises(ValueError, match="players are generators, discriminators, not 'network'"):
        small()("network", pictures())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gan": 1}, "agin's objective has no setting gan; it has: adversarial, cam, cam_discriminators, content, cyc"),
        ({"cycle": -1}, "cycle must be a number from 0 on, not -1"),
        ({"cam": math.inf}, "cam must be a number from 0 on, not inf"),
        ({"cam": "much"}, "cam of agin's objective must be a float, not 'much'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    """Oracle: house rule 11."""
    with pytest.raises(UsageError, match=message):
        Objective(Generator(2, 1), settings)
