"""The average of the weights over the last steps: what is validated and exported."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of a network's weights; with a decay of 0 the weights themselves."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network = network
        self._decay = decay
        self.weights: dict[str, Tensor] = {}  # by name; empty before the first step, and without a decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0; the decay grows to its value over the first ones."""
        if not self._decay:
            return
        decay = min(self._decay, (1 + step) / (10 + step))
        for key, value in self._network.state_dict().items():
            if key not in self.weights or not value.is_floating_point():
                self.weights[key] = value.clone()
            else:
                self.weights[key].lerp_(value, 1 - decay)

    def restore(self, weights: Mapping[str, Tensor], device: torch.device) -> None:
        """Go on from `weights` as they were."""
        self.weights = {key: value.to(device) for key, value in weights.items()}

    def network(self) -> nn.Module:
        """A copy of the network with the averaged weights, in evaluation mode."""
        network = copy.deepcopy(self._network)
        if self.weights:
            network.load_state_dict(self.weights)
        return network.eval()
