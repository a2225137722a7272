"""AGIN's layers and discriminators: eq. 1-3 against torch's own norms, attention by hand, receptive fields."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import register_parametrization

from colorcli.methods.agin.attention import ClassActivation, median_pool
from colorcli.methods.agin.discriminator import SMALLEST, PatchDiscriminator, SpectralNorm, TwoScales
from colorcli.methods.agin.network import AGIN, Generator, InstanceNorm


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # the maps here are tiny


def random(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers away from mean 0, deviation 1."""
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) + 2


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# normalisation


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0, None])
def test_agin_mixes_instance_and_group_norm(rho: float | None) -> None:
    """Oracle: eq. 1-2 with torch's instance_norm and group_norm: rho 0 is the first, 1 the second, None one rho for
    each channel; 1e-5 (order of sums)."""
    layer = AGIN(12, 3, 0.5)
    assert isinstance(layer.rho, nn.Parameter) and layer.rho.shape == (12,)
    with torch.no_grad():
        layer.rho.copy_(torch.linspace(0, 1, 12) if rho is None else torch.full((12,), rho))
    maps = random(2, 12, 5, 7) * torch.linspace(0.2, 4, 12)[:, None, None]  # channels differ: the two norms do too
    gamma, beta = random(2, 12, seed=1), random(2, 12, seed=2)
    mix = layer.rho[:, None, None]
    normal = mix * F.group_norm(maps, 3) + (1 - mix) * F.instance_norm(maps)
    expected = gamma[:, :, None, None] * normal + beta[:, :, None, None]
    assert torch.allclose(layer(maps, gamma, beta), expected, atol=1e-5)
    assert not torch.allclose(F.group_norm(maps, 3), F.instance_norm(maps), atol=0.1)


@pytest.mark.parametrize("norm", ["gn", "in"])
def test_ablated_norms_have_no_rho(norm: str) -> None:
    """Oracle: torch's norm of that name, gamma 1 and beta 0; 1e-5; and no parameter that could move."""
    layer = AGIN(8, 2, 0.9, norm)
    maps = random(2, 8, 4, 6) * torch.linspace(0.2, 4, 8)[:, None, None]
    expected = F.group_norm(maps, 2) if norm == "gn" else F.instance_norm(maps)
    assert parameters(layer) == 0
    assert torch.allclose(layer(maps, torch.ones(8), torch.zeros(8)), expected, atol=1e-5)
    layer.clip()


def test_instance_norm() -> None:
    """Oracle: torch's; 1e-5. One position, which torch refuses: mean 0 by definition."""
    maps = random(2, 4, 5, 6)
    assert torch.allclose(InstanceNorm()(maps), F.instance_norm(maps), atol=1e-5)
    assert not InstanceNorm()(random(2, 4, 1, 1)).any()


def test_norm_gradients() -> None:
    """Oracle: autograd through torch's norms; 1e-4 (sums of 35 in another order)."""
    maps, layer = random(2, 6, 5, 7).requires_grad_(), AGIN(6, 2, 0.4)
    direction = random(2, 6, 5, 7, seed=1)
    ours = torch.autograd.grad((layer(maps, torch.ones(6), torch.zeros(6)) * direction).sum(), maps)[0]
    mixed = 0.4 * F.group_norm(maps, 2) + 0.6 * F.instance_norm(maps)
    theirs = torch.autograd.grad((mixed * direction).sum(), maps)[0]
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_rho_is_clipped() -> None:
    """Oracle: eq. 3: clip to 0..1; exact."""
    layer = AGIN(4, 2, 0.5)
    assert isinstance(layer.rho, nn.Parameter)
    with torch.no_grad():
        layer.rho.copy_(torch.tensor([-0.2, 0.25, 1.0, 1.7]))
    layer.clip()
    assert layer.rho.tolist() == [0, 0.25, 1, 1]


def test_rho_starts_near_group_norm_in_the_blocks() -> None:
    """Oracle: methods.md: 0.9 in the residual blocks, 0 after the enlargements."""
    starts = {name: set(value.tolist()) for name, value in Generator(4, 2).state_dict().items() if "rho" in name}
    assert len(starts) == 4 * 2 + 2
    for name, found in starts.items():
        assert list(found) == pytest.approx([0.0 if name.startswith("enlarge") else 0.9])


# attention


def test_median_pool() -> None:
    """Oracle: torch.median channel by channel, and numpy's where the number of positions is odd; exact."""
    even, odd = random(2, 3, 4, 6), random(2, 3, 5, 7)
    for maps in (even, odd):
        expected = torch.stack([torch.stack([channel.median() for channel in picture]) for picture in maps])
        assert torch.equal(median_pool(maps), expected)
    assert np.array_equal(median_pool(odd).numpy(), np.median(odd.numpy(), axis=(2, 3)))


def test_median_gradient_goes_to_the_median() -> None:
    """Oracle: closed form: of 5 positions, the third largest gets it all."""
    maps = torch.tensor([3.0, -1.0, 9.0, 2.0, 4.0]).reshape(1, 1, 1, 5).requires_grad_()
    median_pool(maps).sum().backward()  # type: ignore[no-untyped-call]
    assert maps.grad is not None
    assert maps.grad.flatten().tolist() == [1, 0, 0, 0, 0]


def test_class_activation_by_hand() -> None:
    """Oracle: A = sum_i w_i pool(E_i) and M = {w_i E_i} in numpy; 1e-4."""
    torch.manual_seed(0)
    layer = ClassActivation(3)
    maps = random(2, 3, 3, 5)
    found = layer(maps)
    state = {name: value.numpy() for name, value in layer.state_dict().items()}
    pictures, average, median = maps.numpy(), state["average.weight"][0], state["median.weight"][0]
    logits = np.stack((pictures.mean((2, 3)) @ average, np.median(pictures, (2, 3)) @ median), axis=1)
    weighted = np.concatenate((pictures * average[:, None, None], pictures * median[:, None, None]), axis=1)
    joined = np.einsum("oi,bihw->bohw", state["join.weight"][:, :, 0, 0], weighted)
    assert np.abs(found.logits.detach().numpy() - logits).max() < 1e-4
    assert np.abs(found.maps.detach().numpy() - joined - state["join.bias"][:, None, None]).max() < 1e-4


# the discriminators


@pytest.mark.parametrize("attention", ["cam", "none"])
@pytest.mark.parametrize(("scale", "field"), [(0, 70), (1, 286)])
def test_receptive_fields(scale: int, field: int, attention: str) -> None:
    """Oracle: section 4.1: the pixels that have a gradient on one answer in the middle: 70 and 286 square; exact."""
    torch.manual_seed(0)
    discriminator = TwoScales(2, attention).eval().double().scales[scale]  # double: a far weight's gradient is tiny
    rgb = torch.randn(1, 3, 448, 448, dtype=torch.float64).requires_grad_()
    patches = discriminator(rgb).patches
    middle = patches.shape[2] // 2
    patches[0, 0, middle, middle].backward()
    assert rgb.grad is not None
    touched = rgb.grad.abs().sum((0, 1)) > 0
    rows, columns = touched.any(1).nonzero().flatten(), touched.any(0).nonzero().flatten()
    assert rows[0] > 0 and rows[-1] < 447  # not cut by the border
    assert int(rows[-1] - rows[0]) + 1 == field
    assert int(columns[-1] - columns[0]) + 1 == field


@pytest.mark.parametrize("attention", ["cam", "none"])
def test_discriminator_parameters(attention: str) -> None:
    """Oracle: PatchGAN's widths (64, 128, 256, 512, then 512) added up by hand; 4x4 with bias; exact."""
    network = TwoScales(64, attention)
    local, wide = [3, 64, 128, 256, 512], [3, 64, 128, 256, 512, 512, 512]
    expected = 0
    for widths in (local, wide):
        expected += sum(16 * i * o + o for i, o in pairwise(widths)) + 16 * 512 + 1
        expected += 2 * 512 + 2 * 512 * 512 + 512 if attention == "cam" else 0
    assert parameters(network) == expected


def test_every_weight_is_spectrally_normal() -> None:
    """Oracle: the largest singular value, torch's svd: 1, within 0.1 after 60 power iterations."""
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(2, 3)
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == 4 + 1 + 3  # encoder, out, and the attention's three
    with torch.no_grad():
        for _ in range(60):
            discriminator(torch.zeros(1, 3, 24, 24))
        discriminator.eval()
        for layer in layers:
            assert float(torch.linalg.svdvals(layer.weight.flatten(1))[0]) == pytest.approx(1, abs=0.1)


def test_spectral_norm_is_torchs() -> None:
    """Oracle: torch's spectral_norm on the same weight, converged: weight and gradient; 1e-4 (power iteration)."""
    torch.manual_seed(0)
    ours, theirs = nn.Conv2d(3, 4, 2), nn.Conv2d(3, 4, 2)
    theirs.load_state_dict(ours.state_dict())
    register_parametrization(ours, "weight", SpectralNorm(ours.weight))
    spectral_norm(theirs)
    grads = []
    for layer in (ours, theirs):
        with torch.no_grad():
            for _ in range(100):
                layer(torch.zeros(1, 3, 2, 2))
        layer.eval()
        (layer.weight * torch.arange(48.0).reshape(4, 3, 2, 2)).sum().backward()  # type: ignore[no-untyped-call]
        grads.append(next(p.grad for name, p in layer.named_parameters() if "weight" in name))
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-4)
    assert torch.allclose(*grads, rtol=1e-4, atol=1e-3)  # type: ignore[arg-type]


def test_leaky_slopes() -> None:
    """Oracle: section 4.1: 0.2 in the discriminators, plain ReLU in the generator."""
    slopes = {layer.negative_slope for layer in TwoScales(2).modules() if isinstance(layer, nn.LeakyReLU)}
    assert slopes == {0.2}
    assert not any(isinstance(layer, nn.LeakyReLU) for layer in Generator(4, 2).modules())


def test_smallest_picture_of_the_discriminators() -> None:
    """Oracle: the constant, at it and below it; ValueError with both sizes."""
    discriminator = TwoScales(2)
    assert SMALLEST == 96
    assert discriminator(torch.zeros(1, 3, 96, 96))[1].patches.shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match=r"at least 96 px, got \(95, 96\)"):
        discriminator(torch.zeros(1, 3, 95, 96))
