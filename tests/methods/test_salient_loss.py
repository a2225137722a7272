"""The salient loss of SMSANet, and its classical detector."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from skimage import color
from torch import Tensor, nn

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.pfanet.network import PFANet
from colorcli.methods.smsanet.network import SMSANet
from colorcli.methods.smsanet.objective import Objective, open_rgb, salient_loss


class _Reds(nn.Module):
    """Salient is what is redder than half."""

    title = "reds"

    def forward(self, rgb: Tensor) -> Tensor:
        assert 0 <= float(rgb.min()) <= float(rgb.max()) <= 1
        return rgb[:, :1]


class _Constant(nn.Module):
    """Answers one chroma everywhere."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.chroma = nn.Parameter(torch.tensor([a, b]))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.chroma[:, None, None].expand(len(inputs), 2, *inputs.shape[2:])


class _Truth(nn.Module):
    """Answers the true chroma of the pictures that it was given."""

    def __init__(self, rgb: Tensor) -> None:
        super().__init__()
        self.chroma = nn.Parameter(rgb_to_lab(rgb)[:, 1:] / 110)

    def forward(self, inputs: Tensor) -> Tensor:
        del inputs
        return self.chroma


def _objective(network: nn.Module, detector: nn.Module | None = None, **settings: Any) -> Objective:
    return Objective(network, settings, {"saliency": detector} if detector else None)  # type: ignore[arg-type]


def _pictures(seed: int = 0) -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_equation_6() -> None:
    """Oracle: eq. 6 in numpy, phi by its own picture, mean over C, H, W; 1e-6. A phi of the truth alone, or of the
    prediction alone, would give another value."""
    truth, predicted = _pictures(1), _pictures(2)
    x, y = truth.double().numpy(), predicted.double().numpy()
    phi_x, phi_y = x[:, :1] > 0.5, y[:, :1] > 0.5
    expected = np.abs(phi_x * x - phi_y * y).mean()
    found = float(salient_loss(truth, predicted, _Reds()))
    assert found == pytest.approx(expected, abs=1e-6)
    assert abs(found - np.abs(phi_x * (x - y)).mean()) > 0.01
    assert abs(found - np.abs(phi_y * (x - y)).mean()) > 0.01


@pytest.mark.parametrize("salience", [0.5, 1.0])
def test_objective_adds_it(salience: float) -> None:
    """Oracle: scikit-image's lab2rgb of the answered chroma and eq. 6 in numpy, times alpha_1; 1e-4 (skimage clips,
    so the chroma is small enough to stay in the gamut of these middle grays). Huber stays what it is without."""
    rgb = 0.4 + 0.2 * _pictures(3)
    network = _Constant(0.05, -0.04)
    found = _objective(network, _Reds(), salience=salience)("network", {"rgb": rgb})
    lab = color.rgb2lab(rgb.permute(0, 2, 3, 1).double().numpy())
    lab[..., 1], lab[..., 2] = 5.5, -4.4
    x, y = rgb.permute(0, 2, 3, 1).double().numpy(), color.lab2rgb(lab)
    expected = np.abs((x[..., :1] > 0.5) * x - (y[..., :1] > 0.5) * y).mean()
    assert set(found) == {"huber", "salient"}
    assert float(found["salient"].detach()) == pytest.approx(salience * expected, abs=1e-4)
    alone = _objective(network)("network", {"rgb": rgb})
    assert set(alone) == {"huber"}
    assert torch.equal(alone["huber"], found["huber"])


def test_perfect_prediction_is_the_minimum() -> None:
    """Oracle: closed form: the true chroma gives 0 (1e-4: the way through Lab and back in float32, a pixel at the
    detector's threshold left out), any other more."""
    rgb = _pictures(4)
    rgb[:, :1] += 0.1 * torch.sign(rgb[:, :1] - 0.5)
    rgb.clamp_(0, 1)
    perfect = float(_objective(_Truth(rgb), _Reds(), salience=1.0)("network", {"rgb": rgb})["salient"].detach())
    other = float(_objective(_Constant(0.0, 0.0), _Reds(), salience=1.0)("network", {"rgb": rgb})["salient"].detach())
    assert perfect < 1e-4
    assert other > 0.05


def test_open_rgb_is_srgb_inside_and_goes_on_outside() -> None:
    """Oracle: scikit-image's lab2rgb inside the gamut, 1e-4; outside the clipped value lies on the same side, and the
    mirrored curve bounds it: |value| below 2 for chroma of 110, where the straight piece would give -12.9 per unit."""
    rgb = _pictures(5)
    assert float((open_rgb(rgb_to_lab(rgb)) - rgb).abs().max()) < 1e-4
    lab = torch.stack(torch.meshgrid(torch.arange(5.0, 100, 10), *2 * [torch.arange(-110.0, 111, 20)], indexing="ij"))
    lab = lab.flatten(2)[None]  # (3, 10, 12, 12) -> (1, 3, 10, 144)
    found = open_rgb(lab)
    real = (lab[0, 0] + 16) / 116 > lab[0, 2] / 200  # skimage clips Z below 0 before it goes on
    clipped = color.lab2rgb(lab[0][:, real].T[None].double().numpy())[0]  # (n, 3)
    assert 0.5 < float(real.float().mean()) < 1
    assert np.abs(found[0][:, real].T.clamp(0, 1).numpy() - clipped).max() < 1e-3
    assert float(found.min()) < -0.5
    assert float(found.abs().max()) < 2


@pytest.mark.parametrize("chroma", [(0.9, 0.0), (-0.9, 0.0), (0.0, 0.9), (0.0, -0.9)])
def test_colours_outside_the_gamut_keep_a_gradient(chroma: tuple[float, float]) -> None:
    """Oracle: finite differences of the loss (1e-2 relative), at a chroma far outside sRGB: the gradient is there and
    leads back. All is foreground, so that phi does not jump."""
    gray = torch.full((1, 3, 8, 8), 0.7)

    class All(nn.Module):
        def forward(self, rgb: Tensor) -> Tensor:
            return torch.ones_like(rgb[:, :1])

    def loss(a: float, b: float) -> Tensor:
        return _objective(_Constant(a, b), All(), salience=1.0)("network", {"rgb": gray})["salient"]

    network = _Constant(*chroma)
    _objective(network, All(), salience=1.0)("network", {"rgb": gray})["salient"].backward()
    gradient = network.chroma.grad
    assert gradient is not None
    for axis in (0, 1):
        step = [0.0, 0.0]
        step[axis] = 1e-3
        high, low = loss(chroma[0] + step[0], chroma[1] + step[1]), loss(chroma[0] - step[0], chroma[1] - step[1])
        difference = float((high - low).detach()) / 2e-3
        assert float(gradient[axis]) == pytest.approx(difference, rel=1e-2, abs=1e-3)
    assert float(gradient @ torch.tensor(chroma)) > 0.01  # smaller chroma, smaller loss


def test_no_gradient_through_the_detector() -> None:
    """Oracle: autograd: the detector runs without gradients: none of its weights gets one; the network's do."""
    torch.manual_seed(0)
    detector = PFANet(widths=(4, 4, 8, 8, 8), context=4, head=4).eval()
    with torch.no_grad():
        detector.out.bias.fill_(5)  # all is foreground
    network = SMSANet(widths=(4, 4, 8, 8))
    values = _objective(network, detector, salience=1.0)("network", {"rgb": _pictures(6)})
    values["salient"].backward()
    assert all(p.grad is None for p in detector.parameters())
    assert sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None) > 0


def test_float32_under_autocast() -> None:
    """Oracle: the same answer outside autocast; exact: chroma, colour and losses are not rounded to bf16."""
    rgb = _pictures(7)
    objective = _objective(_Truth(0.9 * rgb), _Reds(), salience=1.0)
    plain = objective("network", {"rgb": rgb})
    with torch.autocast("cpu", torch.bfloat16):
        rough = objective("network", {"rgb": rgb})
    assert all(torch.equal(plain[name], rough[name]) for name in ("huber", "salient"))


def test_it_learns() -> None:
    """Oracle: a few steps on one batch lower both losses of a small SMSANet."""
    torch.manual_seed(0)
    rgb = torch.full((2, 3, 16, 16), 0.3)
    rgb[:, 0, 4:12, 4:12] = 0.8
    objective = _objective(SMSANet(widths=(4, 4, 8, 8)), _Reds(), salience=1.0)
    optimizer = torch.optim.Adam(objective.parameters(), lr=5e-3)
    seen = []
    for _ in range(40):
        optimizer.zero_grad()
        values = objective("network", {"rgb": rgb})
        sum(values.values()).backward()
        optimizer.step()
        seen.append({name: float(value.detach()) for name, value in values.items()})
    assert seen[-1]["huber"] < 0.7 * seen[0]["huber"]
    assert seen[-1]["salient"] < 0.7 * seen[0]["salient"]


def test_needs_and_notes() -> None:
    """Oracle: the seam: a detector is asked for where salience is above 0, also as text from the command line; without
    one the error says what to do; the note has its title."""
    assert Objective.needs({"salience": "1"}) == {"saliency"}
    assert Objective.needs({"salience": 0}) == Objective.needs({}) == frozenset()
    with pytest.raises(UsageError, match=r"salience = 1.0 needs a saliency detector: --set saliency=FILE"):
        _objective(_Constant(0.0, 0.0), salience=1)
    assert _objective(_Constant(0.0, 0.0), _Reds(), salience=1).notes() == {"saliency": "reds"}
    assert _objective(_Constant(0.0, 0.0), nn.Identity(), salience=1).notes() == {"saliency": "Identity"}
    assert _objective(_Constant(0.0, 0.0), _Reds()).notes() == {}
    for wrong in (-1, "nan", "inf", "much"):
        with pytest.raises(UsageError, match="salience"):
            _objective(_Constant(0.0, 0.0), _Reds(), salience=wrong)


def _object(side: int = 128) -> tuple[Tensor, np.ndarray[Any, Any]]:
    """A red patch on a fine even texture, and where it is."""
    generator = torch.Generator().manual_seed(0)
    rgb = 0.45 + 0.1 * torch.rand(3, side, side, generator=generator)
    mask = np.zeros((side, side), dtype=bool)
    mask[44:74, 60:90] = True
    rgb[:, mask] = torch.tensor([0.95, 0.1, 0.1])[:, None]
    return rgb, mask


def test_spectral_residual_finds_the_object() -> None:
    """Oracle: a lone patch on a texture: what is chosen lies about the patch (mean distance from its centre below a
    uniform choice's), is binary, and neither nothing nor everything; every picture of a batch by itself, exact."""
    from colorcli.methods.saliency import SpectralResidual

    detector = SpectralResidual()
    assert "spectral residual" in detector.title
    rgb, mask = _object()
    batch = torch.stack((rgb, rgb.flip(2), torch.full_like(rgb, 0.5)))
    found = detector(batch.requires_grad_())
    assert found.shape == (3, 1, 128, 128)
    assert found.dtype is torch.float32
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert not found.requires_grad
    chosen = found[0, 0].numpy() > 0.5
    assert 0.005 < chosen.mean() < 0.5
    assert chosen[mask].mean() > 3 * chosen[~mask].mean()
    assert torch.equal(detector(batch[:1]), found[:1])
    assert not found[2].any()  # a flat picture has no foreground


def test_opencv_without_contributed_modules_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the contract: UsageError with the pip command."""
    from colorcli.methods.saliency import SpectralResidual

    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    with pytest.raises(UsageError, match=r"pip install --force-reinstall 'opencv-contrib-python-headless>=4.9'"):
        SpectralResidual()
