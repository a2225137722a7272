"""What a training run is, from a recipe and the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from colorcli.checkpoints.store import shipped_folder
from colorcli.errors import UsageError
from colorcli.train.config import Stage, TrainConfig, build_config, defaults, parse_assignments, read_recipe


def test_later_layers_win() -> None:
    """Oracle: the contract: defaults, then the recipe, then the command line; tables are merged key by key."""
    recipe = {"steps": 10, "rate": 1e-5, "network": {"attention": "cbam", "widths": [4, 4, 8, 8]}}
    config = build_config("smsanet", recipe, {"rate": 3e-4, "network": {"attention": "none"}})
    assert (config.method, config.steps, config.rate, config.ema) == ("smsanet", 10, 3e-4, 0.999)
    assert config.network == {"attention": "none", "widths": [4, 4, 8, 8]}


def test_defaults_are_those_of_a_config() -> None:
    """Oracle: a config of which nothing was said but its end, as JSON: all settings, but for the method."""
    plain = {key: json.dumps(value) for key, value in build_config("smsanet", {"steps": 1}).as_dict().items()}
    assert {**defaults(), "method": '"smsanet"', "steps": "1"} == plain


@pytest.mark.parametrize(
    ("layer", "name"),
    [({"learning_rate": 1}, "learning_rate"), ({"method": "agin"}, "method"), ({"Steps": 3}, "Steps")],
)
def test_unknown_keys_are_refused(layer: dict[str, Any], name: str) -> None:
    """Oracle: house rule 11; the message lists what there is."""
    with pytest.raises(UsageError, match=rf"unknown training setting '{name}'; there are: .*weight_decay"):
        build_config("smsanet", {"steps": 1}, layer)


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("steps", "7", 7),
        ("steps", 1e4, 10_000),
        ("rate", "3e-4", 3e-4),
        ("rate", 1, 1.0),
        ("variant", "compact", "compact"),
        ("freeze_norm", "true", True),
        ("freeze_norm", "False", False),
        ("freeze_norm", True, True),
        ("betas", "0.9,0.99", (0.9, 0.99)),
        ("betas", [0.5, 0.999], (0.5, 0.999)),
        ("train_only", "model8,model9", ("model8", "model9")),
        ("train_only", ["attention"], ("attention",)),
        ("stages", "64:0.25:8,128:0.75:4", (Stage(64, 0.25, 8), Stage(128, 0.75, 4))),
        ("stages", [{"size": 64, "share": 1, "batch": 8}], (Stage(64, 1.0, 8),)),
    ],
)
def test_coercion(key: str, given: Any, expected: Any) -> None:
    """Oracle: the field's annotated type; exact, and of that very type."""
    found = getattr(build_config("smsanet", {"steps": 1}, {key: given}), key)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("steps", "many"),
        ("steps", 2.5),
        ("steps", True),
        ("steps", [1]),
        ("rate", "fast"),
        ("rate", False),
        ("freeze_norm", "yes"),
        ("freeze_norm", 1),
        ("betas", 0.9),
        ("betas", "a,b"),
        ("stages", "64:1"),
        ("stages", "64:half:8"),
        ("stages", [{"size": 64, "share": 1.0}]),
        ("stages", [{"size": "big", "share": 1.0, "batch": 1}]),
        ("stages", 64),
    ],
)
def test_what_cannot_be_coerced_is_named(key: str, given: Any) -> None:
    """Oracle: the contract: UsageError with the key and the value."""
    with pytest.raises(UsageError) as caught:
        build_config("smsanet", {"steps": 1}, {key: given})
    assert f"{key} = {given!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "set steps or minutes"),
        ({"steps": -1}, "set steps or minutes"),
        ({"stages": "64:0.5:8"}, "shares of the stages must add up to 1"),
        ({"stages": ()}, "shares of the stages must add up to 1"),
        ({"stages": "60:1:8"}, "multiple of 8"),
        ({"stages": "8:1:8"}, "multiple of 8"),
        ({"stages": "64:1:0"}, "batch of at least 1"),
        ({"stages": [{"size": 64, "share": 1, "batch": 1, "rate": 1}]}, "unknown key in a stage: rate"),
        ({"schedule": "step"}, "schedule must be one of linear, cosine, constant, not 'step'"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamw, muon, not 'sgd'"),
        ({"precision": "fp16"}, "precision must be one of auto, fp32, bf16, not 'fp16'"),
        ({"hold": "disk"}, "hold must be one of auto, memory, file, not 'disk'"),
        ({"ema": 1.0}, r"ema must be in \[0, 1\)"),
        ({"ema": -0.1}, r"ema must be in \[0, 1\)"),
        ({"rate": 0}, "rate must be above 0"),
        ({"rate": "nan"}, "rate must be above 0"),
        ({"betas": "0.9"}, "betas must be two numbers"),
        ({"betas": "0.9,1"}, "betas must be two numbers"),
        ({"minutes": float("nan")}, "minutes must be 0 or more, not nan"),
        ({"clip": -1.0}, "clip must be 0 or more"),
        ({"steps": -1, "minutes": 1}, "steps must be 0 or more, not -1"),
        ({"validation_limit": -1}, "validation_limit must be 0 or more, not -1"),
        ({"seed": -1}, "seed must be 0 or more and less than 4294967296, not -1"),
        ({"seed": 10**20}, "seed must be 0 or more and less than 4294967296"),
        ({"stages": "64:0:8,64:1:8"}, "a share above 0"),
        ({"accumulate": 0}, "accumulate must be at least 1"),
        ({"validation_size": 100}, "validation_size must be a multiple of 8"),
        ({"network": "smsa"}, "network is a table of settings"),
        ({"objective": 1}, "objective is a table of settings"),
    ],
)
def test_values_that_make_no_run(settings: dict[str, Any], message: str) -> None:
    """Oracle: the comments of the dataclass's fields, checked before anything is read."""
    with pytest.raises(UsageError, match=message):
        build_config("smsanet", {"steps": 1}, settings)


def test_minutes_alone_are_an_end() -> None:
    """Oracle: the field's comment."""
    assert build_config("smsanet", {"minutes": 0.5}).steps == 0


def test_stage_shares() -> None:
    """Oracle: cumulative shares by hand: 55, 35 and 10 percent; a share's end belongs to the next stage."""
    config = TrainConfig("smsanet", steps=100)
    reached = {0.0: 64, 0.549: 64, 0.551: 128, 0.899: 128, 0.901: 256, 1.0: 256, 1.7: 256}
    assert {progress: config.stage_at(progress).size for progress in reached} == reached
    assert TrainConfig("smsanet", steps=1, stages=(Stage(64, 0.5, 1), Stage(128, 0.5, 1))).stage_at(0.5).size == 128


def test_assignments() -> None:
    """Oracle: the contract: texts at the top (coerced later by type), numbers where they look like one in tables; a
    value may hold an equals sign."""
    given = ["rate=3e-4", "network.attention=none", "network.depth=3", "objective.delta=0.5", "variant=a=b"]
    assert parse_assignments(given) == {
        "rate": "3e-4",
        "network": {"attention": "none", "depth": 3},
        "objective": {"delta": 0.5},
        "variant": "a=b",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["rate"], "--set takes key=value, not 'rate'"),
        (["network=a", "network.b=1"], "network has the value 'a' already"),
    ],
)
def test_wrong_assignments(given: list[str], message: str) -> None:
    """Oracle: the contract."""
    with pytest.raises(UsageError, match=message):
        parse_assignments(given)


def test_recipe_files(tmp_path: Path) -> None:
    """Oracle: TOML's own tables; a file that is missing, or is none, is named."""
    path = tmp_path / "recipe.toml"
    path.write_text('steps = 3\n[[stages]]\nsize = 16\nshare = 1.0\nbatch = 2\n[network]\nattention = "none"\n')
    config = build_config("smsanet", read_recipe(path))
    assert (config.steps, config.stages, config.network) == (3, (Stage(16, 1.0, 2),), {"attention": "none"})
    path.write_text("steps = \n")
    with pytest.raises(UsageError, match=r"recipe\.toml is not valid TOML"):
        read_recipe(path)
    path.write_bytes(b"steps = 3  # caf\xe9\n")  # Latin-1, where TOML is UTF-8
    with pytest.raises(UsageError, match=r"recipe\.toml is not valid TOML: .*can't decode byte 0xe9"):
        read_recipe(path)
    with pytest.raises(UsageError, match=r"cannot read the recipe .*gone\.toml: No such file"):
        read_recipe(tmp_path / "gone.toml")


def test_published_recipe_is_the_papers() -> None:
    """Oracle: the paper's section 3.2: Adam, 1e-5, 0.9 and 0.999, 40,000 iterations, 256 x 256, delta 1, eq. 7's weight
    of the salient loss 1; exact."""
    config = build_config("smsanet", read_recipe(shipped_folder("training") / "smsanet" / "published.toml"))
    assert (config.optimizer, config.rate, config.betas, config.steps) == ("adam", 1e-5, (0.9, 0.999), 40_000)
    assert {stage.size for stage in config.stages} == {256}
    assert (config.schedule, config.weight_decay, config.warmup) == ("constant", 0.0, 0)
    assert config.objective == {"delta": 1.0, "salience": 1.0}
    assert (config.smallest_crop, config.enlarge >= 4) == (1.0, True)  # the whole picture


def test_recipes_leave_no_picture_to_one_stage_alone() -> None:
    """Oracle: pictures of 64 px, by hand: every stage of the backbone's recipe takes them; the papers that resize whole
    pictures do so whatever their size, AGIN's to 286 px of which 256 are seen."""
    folder = shipped_folder("training")
    recipe = build_config("backbone", read_recipe(folder / "backbone" / "default.toml"))
    assert all(64 * recipe.enlarge >= stage.size for stage in recipe.stages)
    for method, pattern, smallest in (("color2embed", "[ap]*", 1.0), ("agin", "published", 256 / 286)):
        for path in (folder / method).glob(f"{pattern}.toml"):
            recipe = build_config(method, read_recipe(path))
            assert recipe.smallest_crop == pytest.approx(smallest, abs=1e-3)
            assert 64 * recipe.enlarge >= 256


@pytest.mark.parametrize("path", sorted((shipped_folder("training")).glob("*/*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_build(path: Path) -> None:
    """Oracle: the validation itself: every key is known and every value allowed."""
    assert build_config(path.parent.name, read_recipe(path)).stages


def test_config_cannot_change() -> None:
    """Oracle: house rule 11, frozen dataclasses; and the plain form holds every field."""
    config = TrainConfig("smsanet", steps=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.steps = 2  # type: ignore[misc]
    assert config.as_dict()["stages"][0] == {"size": 64, "share": 0.55, "batch": 64}
    assert set(config.as_dict()) == {field.name for field in dataclasses.fields(TrainConfig)}
