"""What lasts of a training run."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from colorcli.errors import ColorizeError
from colorcli.train.checkpoint import load_state, norm_statistics_are_finite, recalibrate_norm, save_state

IDENTITY = {"method": "smsanet", "rate": 1e-3, "network": {"widths": [4, 4, 8, 8]}}


def test_round_trip(tmp_path: Path) -> None:
    """Oracle: the state itself; exact, and nothing else is left in the folder."""
    state = {"identity": IDENTITY, "weights": torch.arange(5.0), "queue": [3, 1], "minutes": 1.5}
    save_state(tmp_path / "state.pt", state)
    found = load_state(tmp_path / "state.pt", IDENTITY)
    assert torch.equal(found.pop("weights"), state["weights"])
    assert found == {key: value for key, value in state.items() if key != "weights"}
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("where", ["write", "flush", "rename"])
def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Oracle: the bytes before. The disk is full (ENOSPC) while torch writes, which hides that, at the flush, or at the
    renaming."""
    path = tmp_path / "state.pt"
    save_state(path, {"identity": IDENTITY, "step": 1})
    before = path.read_bytes()

    def full(*arguments: Any) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            if where != "write":
                raise
            arguments[1].write(b"half of it")
            raise RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 704 vs 598") from error

    target, name = {"write": (torch, "save"), "flush": (os, "fsync"), "rename": (Path, "replace")}[where]
    monkeypatch.setattr(target, name, full)
    with pytest.raises(ColorizeError, match=r"cannot write the checkpoint .*No space left.*the earlier one is intact"):
        save_state(path, {"identity": IDENTITY, "step": 2})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    path.unlink()
    with pytest.raises(ColorizeError, match=r"cannot write the checkpoint .*No space left on device$"):
        save_state(path, {"identity": IDENTITY, "step": 2})


@pytest.mark.parametrize(
    ("key", "value"), [("method", "agin"), ("rate", 2e-3), ("network", {"widths": [4, 4, 8, 9]}), ("new", 1)]
)
def test_another_identity_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    """Oracle: the contract: the setting, what the file has and what this run has."""
    save_state(tmp_path / "state.pt", {"identity": IDENTITY})
    with pytest.raises(ColorizeError) as caught:
        load_state(tmp_path / "state.pt", {**IDENTITY, key: value})
    assert f"is of {key} = {IDENTITY.get(key)}; this run has {value}" in str(caught.value)


def test_missing_damaged_and_foreign(tmp_path: Path) -> None:
    """Oracle: the contract: each is one of our errors and names the file."""
    path = tmp_path / "state.pt"
    with pytest.raises(ColorizeError, match=r"nothing to resume: .*state\.pt does not exist"):
        load_state(path, IDENTITY)
    save_state(path, {"identity": IDENTITY, "weights": torch.zeros(1000)})
    whole = path.read_bytes()
    for kept in (0, 100, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:kept])
        with pytest.raises(ColorizeError, match=r"state\.pt is damaged"):
            load_state(path, IDENTITY)
    for foreign in ({"weights": torch.zeros(2)}, [1, 2], {"identity": 3}):
        torch.save(foreign, path)
        with pytest.raises(ColorizeError, match="is not a checkpoint of `colorize train`"):
            load_state(path, IDENTITY)


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["torch", "pickle"])
def test_pickled_code_is_not_executed(tmp_path: Path, kind: str) -> None:
    """Oracle: the file that it would make is not there; nor is torch's advice how to make it."""
    path, trace = tmp_path / "state.pt", tmp_path / "executed"
    if kind == "torch":
        torch.save({"identity": IDENTITY, "x": _Bomb(trace)}, path)
    else:
        path.write_bytes(pickle.dumps({"identity": IDENTITY, "x": _Bomb(trace)}, protocol=2))
    with pytest.raises(ColorizeError, match="is damaged") as caught:
        load_state(path, IDENTITY)
    assert "weights_only" not in str(caught.value)
    assert not trace.exists()


def test_recalibrate_norm() -> None:
    """Oracle: numpy: the mean over batches of each batch's mean and sample variance, layer after layer; 1e-5. Momentum,
    mode and parameters are as before."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.ReLU(), nn.BatchNorm2d(3, momentum=0.3)).eval()
    first, second = network[1], network[3]
    with torch.no_grad():
        first.running_var.fill_(float("inf"))
        second.running_mean.fill_(float("nan"))
    assert not norm_statistics_are_finite(network)
    parameters = [parameter.clone() for parameter in network.parameters()]
    generator = torch.Generator().manual_seed(1)
    batches = [10 * torch.rand(2, 1, 5, 5, generator=generator) + shift for shift in range(3)]
    recalibrate_norm(network, batches)
    means: list[list[np.ndarray]] = [[], []]
    variances: list[list[np.ndarray]] = [[], []]
    for batch in batches:
        with torch.no_grad():
            maps = network[0](batch).double().numpy()
        for place in range(2):
            mean, variance = maps.mean((0, 2, 3)), maps.var((0, 2, 3), ddof=1)
            means[place].append(mean)
            variances[place].append(variance)
            norm = (maps - mean[:, None, None]) / np.sqrt(maps.var((0, 2, 3)) + 1e-5)[:, None, None]
            maps = np.maximum(norm, 0)
    for place, layer in enumerate((first, second)):
        assert np.allclose(layer.running_mean.numpy(), np.mean(means[place], 0), atol=1e-5)
        assert np.allclose(layer.running_var.numpy(), np.mean(variances[place], 0), rtol=1e-5)
    assert norm_statistics_are_finite(network)
    assert (first.momentum, second.momentum, network.training) == (0.1, 0.3, False)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), parameters, strict=True))


def test_settings_that_are_younger_than_a_state(tmp_path: Path) -> None:
    """Oracle: the contract: a state without them has their defaults: it goes on as that, and as no other."""
    save_state(tmp_path / "state.pt", {"identity": IDENTITY})
    younger = {"turn": "0.0", "similarity": '"none"', "hold": '"auto"'}
    found = load_state(tmp_path / "state.pt", {**IDENTITY, "turn": "0.0", "similarity": '"none"'}, younger)
    assert found["identity"] == IDENTITY
    with pytest.raises(ColorizeError, match=r"of turn = 0\.0; this run has 15\.0"):
        load_state(tmp_path / "state.pt", {**IDENTITY, "turn": "15.0"}, younger)


def test_settings_that_are_unknown_here(tmp_path: Path) -> None:
    """Oracle: the contract: what a later version wrote is refused by its name; what this one knows but lets differ, as
    it may have been told apart once, is not."""
    save_state(tmp_path / "state.pt", {"identity": {**IDENTITY, "hold": '"file"'}})
    load_state(tmp_path / "state.pt", IDENTITY, {"hold": '"auto"'})
    with pytest.raises(ColorizeError, match=r'state\.pt is of hold = "file", which this version .* does not know'):
        load_state(tmp_path / "state.pt", IDENTITY)
