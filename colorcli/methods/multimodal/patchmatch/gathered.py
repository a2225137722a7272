"""The torch engine's comparison of patches: rows fetched and multiplied in blocks that stay in a cache. Any device."""

from __future__ import annotations

import torch
from torch import Tensor

from colorcli.methods.multimodal.patchmatch.patches import TAPS, padded, rows_of

_BLOCK = {"cpu": 2**19}
"""Bytes of the patches that are fetched at once, by the device's type: half of a core's second cache. On an AMD EPYC
512 patches of 1152 bytes at once took two thirds of the time of 128, or of all 4096."""
_BLOCK_ELSEWHERE = 2**28


class Gathered:
    """A `search.Compare` of any device.

    target: (B, H, W, C), reference: (B, h, w, C), of `patches.unit`.
    """

    def __init__(self, target: Tensor, reference: Tensor) -> None:
        self._batch, self._places = len(target), reference.shape[1] * reference.shape[2]
        self._target, self._reference = (rows_of(padded(pixels)) for pixels in (target, reference))  # (B H W, 9 C)
        block = _BLOCK.get(target.device.type, _BLOCK_ELSEWHERE)
        self._block = max(block // (self._target.shape[1] * self._target.element_size()), 1)

    def __call__(self, candidates: Tensor) -> tuple[Tensor, Tensor]:
        batch, count, _ = candidates.shape
        images = torch.arange(batch, device=candidates.device)[:, None, None] * self._places
        rows = (candidates + images).transpose(0, 1).flatten(1)  # (B, K, N) -> (K, B N), as the patches lie
        similarity = torch.empty(rows.shape, device=rows.device)
        for begin in range(0, rows.shape[1], self._block):
            end = begin + self._block
            own = self._target[begin:end]
            for number in range(count):
                other = self._reference.index_select(0, rows[number, begin:end])
                torch.sum(other.mul_(own), 1, dtype=torch.float32, out=similarity[number, begin:end])
        best, chosen = similarity.max(0)  # (K, B N) -> (B N)
        index = candidates.transpose(0, 1).flatten(1).gather(0, chosen[None])[0]
        return index.view(batch, -1), (best / TAPS).clamp(-1, 1).view(batch, -1)
