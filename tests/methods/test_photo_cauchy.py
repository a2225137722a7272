"""The Cauchy loss on photos, and SMSANet's objective with it and with aged tones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skimage import color
from torch import Tensor, nn

from colorcli.color.lab import open_rgb, rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.aging import aged
from colorcli.methods.blocks import photo_cauchy
from colorcli.methods.smsanet.objective import Objective, near_gray_weights


def _pictures(seed: int) -> Tensor:
    return torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_closed_form() -> None:
    """Oracle: numpy in double precision: the mean over photos of log(1 + mean square / scale^2); 1e-5."""
    predicted, target = _pictures(0), _pictures(1)
    target[1] = predicted[1] + 0.01  # one that is nearly right
    errors = ((predicted - target).double().numpy() ** 2).mean((1, 2, 3))
    for scale in (0.02, 0.1):
        expected = np.log(1 + errors / scale**2).mean()
        assert float(photo_cauchy(predicted, target, scale)) == pytest.approx(expected, rel=1e-5)


def test_a_hopeless_photo_pulls_less() -> None:
    """Oracle: closed form: the gradient of one photo with all errors e is proportional to e / (scale^2 + e^2): at
    scale 5, e = 55 pulls 0.18 times as much as e = 5, where squares would pull 11 times as much; 1e-3."""
    predicted = torch.zeros(2, 3, 4, 4, requires_grad=True)
    target = torch.stack((torch.full((3, 4, 4), 5.0), torch.full((3, 4, 4), 55.0)))
    photo_cauchy(predicted, target, 5.0).backward()
    assert predicted.grad is not None
    near, far = predicted.grad.abs().mean((1, 2, 3)).tolist()
    assert far / near == pytest.approx((55 / (25 + 55**2)) / (5 / (25 + 25)), abs=1e-3)


def test_weights_scale_each_photo_s_loss() -> None:
    """Oracle: the loss of each photo alone, weighted by hand; 1e-6."""
    predicted, target = _pictures(0), _pictures(1)
    alone = [float(photo_cauchy(predicted[i : i + 1], target[i : i + 1], 0.1)) for i in range(3)]
    expected = (3 * alone[0] + 1 * alone[1] + 2 * alone[2]) / 3
    weighted = photo_cauchy(predicted, target, 0.1, torch.tensor([3.0, 1.0, 2.0]))
    assert float(weighted) == pytest.approx(expected, rel=1e-6)


def test_nearly_gray_photos_count_more() -> None:
    """Oracle: closed form on photos of one chroma each: 4 times up to 6, 2.5 times at 8, once from 10 on; 1e-5."""
    chroma = torch.tensor([0.0, 6.0, 8.0, 10.0, 40.0])
    ab = torch.stack((0.6 * chroma, -0.8 * chroma), 1)[..., None, None].expand(-1, -1, 4, 4)  # (5, 2) -> (5, 2, 4, 4)
    torch.testing.assert_close(near_gray_weights(ab, 4.0), torch.tensor([4.0, 4.0, 2.5, 1.0, 1.0]), rtol=1e-5, atol=0)


class _Echo(nn.Module):
    """Keeps what it was shown; answers no colour."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.shown = torch.empty(0)

    def forward(self, inputs: Tensor) -> Tensor:
        self.shown = inputs
        return self.weight * inputs.expand(-1, 2, -1, -1)


def _run(**settings: Any) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    network = _Echo()
    rgb = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    objective = Objective(network, settings)  # type: ignore[arg-type]
    return objective("network", {"rgb": rgb, "seed": torch.arange(16)}), network.shown, rgb


def test_objective_takes_it_in_huber_s_place() -> None:
    """Oracle: scikit-image's gray of the photos' lightness, in numpy, 10 of 255 steps; 1e-4."""
    losses, _, rgb = _run(photo_scale=10.0)
    assert set(losses) == {"cauchy"}
    lab = color.rgb2lab(rgb.permute(0, 2, 3, 1).double().numpy())
    lab[..., 1:] = 0
    errors = ((color.lab2rgb(lab) - rgb.permute(0, 2, 3, 1).double().numpy()) ** 2).mean((1, 2, 3))
    assert float(losses["cauchy"].detach()) == pytest.approx(np.log(1 + errors * 25.5**2).mean(), rel=1e-4)


def test_objective_weighs_nearly_gray_photos() -> None:
    """Oracle: `photo_cauchy` and `near_gray_weights` on the same photos, one of them nearly gray; 1e-6."""
    rgb = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    rgb[0] = rgb[0].mean(0) + 0.02 * (rgb[0] - rgb[0].mean(0))
    seeds = torch.arange(2)
    plain = Objective(_Echo(), {"photo_scale": 5.0})("network", {"rgb": rgb, "seed": seeds})  # type: ignore[arg-type]
    weighed = Objective(_Echo(), {"photo_scale": 5.0, "near_gray": 3.0})("network", {"rgb": rgb, "seed": seeds})  # type: ignore[arg-type]
    lab = rgb_to_lab(rgb)
    gray = open_rgb(torch.cat((lab[:, :1], torch.zeros_like(lab[:, 1:])), 1))
    weights = near_gray_weights(lab[:, 1:], 3.0)
    assert weights.tolist() == [3.0, 1.0]
    assert torch.allclose(weighed["cauchy"], photo_cauchy(gray, rgb, 5 / 255, weights), rtol=1e-6)
    assert weighed["cauchy"] > plain["cauchy"]


def test_network_sees_the_aged_tones_and_learns_the_true_colour() -> None:
    """Oracle: the published normalisation of `aged`, and the loss of the untouched photos; exact."""
    losses, shown, rgb = _run(aging=0.8)
    plain, untouched, _ = _run()
    lightness = rgb_to_lab(rgb)[:, :1]
    assert torch.allclose(shown, (aged(lightness, torch.arange(16), 0.8) - 50) / 100, atol=1e-6)
    assert torch.allclose(untouched, (lightness - 50) / 100, atol=1e-6)
    assert not torch.equal(shown, untouched)
    assert torch.equal(losses["huber"], plain["huber"])


@pytest.mark.parametrize(
    "setting", [{"photo_scale": -1.0}, {"near_gray": 0.5}, {"near_gray": 2.0}, {"aging": 1.5}, {"aging": -0.1}]
)
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    """Oracle: the contract: an error that names the setting."""
    with pytest.raises(UsageError, match=next(iter(setting))):
        _run(**setting)
