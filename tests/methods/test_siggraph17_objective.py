"""What training the 2017 network minimises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import color
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.siggraph17.objective import Objective


class _Echo(nn.Module):
    """Answers the hints that it is given, and keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = torch.empty(0)

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen = inputs
        return inputs[:, 1:3]


def _batch(count: int = 4, side: int = 16) -> dict[str, Tensor]:
    rgb = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))
    return {"rgb": rgb, "seed": torch.arange(count)}


def test_the_network_sees_lightness_hints_and_mask() -> None:
    """Oracle: scikit-image's Lab, (L - 50) / 100 and ab / 110 where the mask is 1; 1e-4 (its rounded constants). All of
    the colour revealed and echoed is no loss."""
    network = _Echo()
    batch = _batch()
    losses = Objective(network, {"whole": 1.0})("network", batch)  # type: ignore[arg-type]
    lab = color.rgb2lab(batch["rgb"].permute(0, 2, 3, 1).numpy())
    seen = network.seen.permute(0, 2, 3, 1).numpy()
    assert np.abs(seen[..., 0] - (lab[..., 0] - 50) / 100).max() < 1e-4
    assert np.abs(seen[..., 1:3] - lab[..., 1:] / 110).max() < 1e-4
    assert (seen[..., 3] == 1).all()
    assert float(losses["huber"]) == 0


def test_without_hints_the_loss_is_grays() -> None:
    """Oracle: Huber in numpy on scikit-image's ab for an echo of nothing: |d| - 1/2 above 1 ab, d^2 / 2 below; 1e-4."""
    network = _Echo()
    batch = _batch()
    found = float(Objective(network, {"hints": False})("network", batch)["huber"])  # type: ignore[arg-type]
    distance = np.abs(color.rgb2lab(batch["rgb"].permute(0, 2, 3, 1).numpy())[..., 1:])
    huber = np.where(distance <= 1, distance**2 / 2, distance - 0.5).mean() / 110
    assert found == pytest.approx(huber, rel=1e-4)
    assert not network.seen[:, 1:].any()


def test_hints_follow_from_the_batch() -> None:
    """Oracle: the same batch again; exact. Other seeds give other hints."""
    network = _Echo()
    objective = Objective(network, {"whole": 0.0})  # type: ignore[arg-type]
    batch = _batch(8)
    first = float(objective("network", batch)["huber"])
    assert float(objective("network", batch)["huber"]) == first
    assert float(objective("network", {**batch, "seed": torch.arange(8) + 100})["huber"]) != first


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delta": 0}, "delta must be above 0"),
        ({"stop": 0}, r"stop must be in \(0, 1\]"),
        ({"whole": 2}, r"whole in \[0, 1\]"),
        ({"hints": 3}, "hints of siggraph17's objective must be a bool, not 3"),
        ({"points": 3}, "no setting points; it has: delta, hints, stop, whole"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], message: str) -> None:
    """Oracle: house rule 11."""
    with pytest.raises(UsageError, match=message):
        Objective(_Echo(), settings)  # type: ignore[arg-type]
