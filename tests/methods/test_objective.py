"""What training SMSANet minimises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skimage import color
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.smsanet.objective import Objective


class _Constant(nn.Module):
    """Answers one chroma everywhere, and keeps what it saw."""

    def __init__(self, chroma: float) -> None:
        super().__init__()
        self.chroma = nn.Parameter(torch.tensor(chroma))
        self.seen = torch.empty(0)

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen = inputs
        return self.chroma.expand(len(inputs), 2, *inputs.shape[2:])


@pytest.mark.parametrize("delta", [0.5, 1.0, 20.0])
def test_huber_in_lab_units(delta: float) -> None:
    """Oracle: Huber (eq. 5) in numpy on scikit-image's ab: d^2 / 2 below delta, delta (|d| - delta / 2) above; divided
    by 110 and delta as documented; 1e-4 relative (skimage's rounded constants)."""
    rgb = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    network = _Constant(0.1)  # 11 ab
    found = float(Objective(network, {"delta": delta})("network", {"rgb": rgb})["huber"].detach())  # type: ignore[arg-type]
    lab = color.rgb2lab(rgb.permute(0, 2, 3, 1).numpy())
    distance = np.abs(11 - lab[..., 1:])
    huber = np.where(distance <= delta, distance**2 / 2, delta * (distance - delta / 2))
    assert found == pytest.approx(huber.mean() / delta / 110, rel=1e-4)
    assert np.abs(network.seen[:, 0].numpy() - (lab[..., 0] - 50) / 100).max() < 1e-5


def test_gradient_is_one_far_away() -> None:
    """Oracle: closed form: beyond delta the slope is 1 per value whatever delta is; 1e-5."""
    gray = torch.full((1, 3, 8, 8), 0.5)
    for delta in (0.5, 5.0):
        network = _Constant(0.5)
        objective = Objective(network, {"delta": delta})  # type: ignore[arg-type]
        objective("network", {"rgb": gray})["huber"].backward()
        assert float(network.chroma.grad) == pytest.approx(1, abs=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{"delta": 0}, {"delta": -1}, {"delta": "wide"}, {"delta": None}])
def test_delta_must_be_positive(settings: dict[str, Any]) -> None:
    """Oracle: the contract: UsageError that shows the value."""
    with pytest.raises(UsageError, match=r"delta .*, not (0.0|-1.0|'wide'|None)"):
        Objective(_Constant(0.0), settings)  # type: ignore[arg-type]


def test_unknown_setting_is_named() -> None:
    """Oracle: house rule 11, unknown keys are refused, with those there are."""
    with pytest.raises(UsageError, match="no setting saliency; it has: aging, delta, near_gray, photo_scale, salience"):
        Objective(_Constant(0.0), {"saliency": 1})  # type: ignore[arg-type]
