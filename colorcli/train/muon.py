"""Muon (Jordan et al. 2024) for networks of convolutions: torch's, shown each kernel as a matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_FEWEST = 4  # rows and channels of a kernel that is made orthogonal: first and last layers have fewer


class Muon:
    """torch's Muon for kernels and matrices, its AdamW for all other parameters; used like one optimizer of torch.

    Both have the same rate and weight decay: steps of Muon are scaled to the size of AdamW's (Liu et al. 2025). To Muon
    a kernel (out, in, k, k) is the matrix (out, in k k). Those that take one channel or give one or two are left to
    AdamW, as first and last layers are in Jordan et al. 2024.

    The matrices share the kernels' memory, so the network must not be moved or laid out anew afterwards.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], weight_decay: float
    ) -> None:
        """betas: AdamW's."""
        given = list(parameters)
        self._kernels = [p for p in given if p.dim() in (2, 4) and min(p.shape[:2]) >= _FEWEST]
        self._matrices = [nn.Parameter(_as_matrix(kernel.detach())) for kernel in self._kernels]
        chosen = set(map(id, self._kernels))
        rest = [p for p in given if id(p) not in chosen]
        self._parts: list[torch.optim.Optimizer] = []
        if self._matrices:
            muon = torch.optim.Muon(self._matrices, lr, weight_decay, adjust_lr_fn="match_rms_adamw")
            self._parts.append(muon)
        if rest:
            self._parts.append(torch.optim.AdamW(rest, lr, betas, weight_decay=weight_decay, fused=True))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of both, to set the rate in."""
        return [group for part in self._parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As of torch's optimizers."""
        for part in self._parts:
            part.zero_grad(set_to_none)
        for kernel in self._kernels:
            if set_to_none:
                kernel.grad = None
            elif kernel.grad is not None:
                kernel.grad.zero_()

    def step(self) -> None:
        """One step of all parameters that have a gradient."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else _laid_out_as(kernel, kernel.grad)
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """For `load_state_dict`."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken of an optimizer of the same parameters."""
        for part, own in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(own)


def _as_matrix(kernel: Tensor) -> Tensor:
    """A view of it, (out, in, k, k) -> (out, in k k); channels last (out, k k in): to Muon columns have no order."""
    return kernel.view(len(kernel), -1) if kernel.is_contiguous() else kernel.permute(0, 2, 3, 1).view(len(kernel), -1)


def _laid_out_as(kernel: Tensor, gradient: Tensor) -> Tensor:
    """The gradient as the same matrix as the kernel's, whatever its own layout."""
    if kernel.is_contiguous():
        return gradient.reshape(len(kernel), -1)
    return gradient.permute(0, 2, 3, 1).reshape(len(kernel), -1)
