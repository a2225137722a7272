"""Muon for kernels, beside torch's own on the same matrices."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from colorcli.train.muon import Muon


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),  # one channel: AdamW's
        nn.Conv2d(8, 16, 3),
        nn.ConvTranspose2d(16, 8, 4),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 2, 1),  # two rows: AdamW's
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("gradients", [torch.contiguous_format, torch.channels_last])
def test_three_steps(layout: torch.memory_format, gradients: torch.memory_format) -> None:
    """Oracle: torch's Muon on kernels that were flattened, and its AdamW on the rest, the same gradients. Kernels to a
    twentieth of what they moved (Newton and Schulz in bf16; channels last sums in another order), the rest exactly."""
    network, plain = _network().to(memory_format=layout), _network()
    optimizer = Muon(network.parameters(), 0.01, (0.9, 0.99), 0.1)
    named = dict(plain.named_parameters())
    kernels = {name: nn.Parameter(named[name].detach().flatten(1)) for name in ("1.weight", "2.weight")}
    rest = {name: parameter for name, parameter in named.items() if name not in kernels}
    muon = torch.optim.Muon(kernels.values(), 0.01, 0.1, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(rest.values(), 0.01, (0.9, 0.99), weight_decay=0.1)
    before = {name: kernel.detach().clone() for name, kernel in kernels.items()}
    for _ in range(3):
        for name, parameter in network.named_parameters():
            gradient = torch.randn(parameter.shape)
            own = gradient.contiguous(memory_format=gradients) if gradient.dim() == 4 else gradient
            parameter.grad = own.clone(memory_format=torch.preserve_format)
            if name in kernels:
                kernels[name].grad = gradient.flatten(1)
            else:
                rest[name].grad = gradient
        optimizer.step()
        muon.step()
        adam.step()
    for name, parameter in network.named_parameters():
        if name in kernels:
            moved = (kernels[name] - before[name]).norm()
            assert moved > 0.01
            assert (parameter.flatten(1) - kernels[name]).norm() < 0.05 * moved, name
        else:
            torch.testing.assert_close(parameter, rest[name], rtol=0, atol=1e-7)  # fused or not: rounding


def test_the_rate_is_set_for_all() -> None:
    """Oracle: a rate of zero moves nothing; exact. Gradients are gone after zero_grad."""
    network = _network()
    optimizer = Muon(network.parameters(), 0.01, (0.9, 0.99), 0.1)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = [parameter.detach().clone() for parameter in network.parameters()]
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape)
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in network.parameters())
