"""The triton engine's comparison of patches: one GPU kernel that reads pixels where they lie and keeps the best.

Importing this needs the package triton. With TRITON_INTERPRET=1 in the environment before that, it runs on the CPU, one
operation after the other: for tests.
"""

from __future__ import annotations

import os

import torch
import triton
import triton.language as tl
from torch import Tensor

from colorcli.methods.multimodal.patchmatch.patches import SIDE, TAPS, padded

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
_TILE = 8192  # numbers that a program multiplies at once: candidates x channels x patches


@triton.jit  # type: ignore[untyped-decorator]
def _best(  # type: ignore[no-untyped-def]
    target,  # (B, H + 2, W + 2, C)
    reference,  # (B, h + 2, w + 2, C)
    candidates,  # (B, K, N) int32
    index,  # (B, N) int64, the answer
    similarity,  # (B, N) float32, the answer, nine times too large
    width,  # of the target
    other_width,
    patches,  # N
    target_size,  # numbers of one picture
    reference_size,
    count,  # K
    channels: tl.constexpr,
    side: tl.constexpr,  # of a patch
    patch_block: tl.constexpr,
    candidate_block: tl.constexpr,  # K or more
    channel_block: tl.constexpr,
):
    """For `patch_block` patches of one picture the most similar of their candidates, the first of equals."""
    image = tl.program_id(1).to(tl.int64)
    patch = tl.program_id(0) * patch_block + tl.arange(0, patch_block)
    number = tl.arange(0, candidate_block)
    real = patch < patches
    asked = real[:, None] & (number < count)[None, :]
    chosen = tl.load(candidates + (image * count + number[None, :]) * patches + patch[:, None], mask=asked, other=0)
    own_row, other_row = width + side - 1, other_width + side - 1  # as padded
    own = image * target_size + (patch // width * own_row + patch % width) * channels
    other = image * reference_size + (chosen // other_width * other_row + chosen % other_width) * channels
    total = tl.zeros((patch_block, candidate_block), dtype=tl.float32)
    for tap in range(side * side):
        down, across = tap // side, tap % side
        for first in range(0, channels, channel_block):
            channel = first + tl.arange(0, channel_block)
            inside = channel < channels
            own_place = own + (down * own_row + across) * channels
            other_place = other + (down * other_row + across) * channels
            mine = tl.load(
                target + own_place[:, None] + channel[None, :], mask=real[:, None] & inside[None, :], other=0
            )
            theirs = tl.load(
                reference + other_place[:, :, None] + channel[None, None, :],
                mask=asked[:, :, None] & inside[None, None, :],
                other=0,
            )
            total += tl.sum(mine[:, None, :].to(tl.float32) * theirs.to(tl.float32), axis=2)
    total = tl.where(asked, total, float("-inf"))
    best, place = tl.max(total, axis=1, return_indices=True)
    winner = tl.sum(tl.where(number[None, :] == place[:, None], chosen, 0), axis=1)
    tl.store(index + image * patches + patch, winner.to(tl.int64), mask=real)
    tl.store(similarity + image * patches + patch, best, mask=real)


class Kernel:
    """A `search.Compare` of CUDA devices.

    target: (B, H, W, C), reference: (B, h, w, C), of `patches.unit`.
    """

    def __init__(self, target: Tensor, reference: Tensor) -> None:
        self._width, self._other_width = target.shape[2], reference.shape[2]
        self._patches = target.shape[1] * target.shape[2]
        self._target, self._reference = padded(target), padded(reference)

    def __call__(self, candidates: Tensor) -> tuple[Tensor, Tensor]:
        batch, count, patches = candidates.shape
        index = torch.empty(batch, patches, dtype=torch.int64, device=candidates.device)
        similarity = torch.empty(batch, patches, device=candidates.device)
        channels = self._target.shape[3]
        channel_block = min(triton.next_power_of_2(channels), 64)
        candidate_block = triton.next_power_of_2(count)
        patch_block = max(_TILE // (channel_block * candidate_block), 1)
        _best[(triton.cdiv(patches, patch_block), batch)](
            self._target,
            self._reference,
            candidates.to(torch.int32).contiguous(),
            index,
            similarity,
            self._width,
            self._other_width,
            patches,
            self._target[0].numel(),
            self._reference[0].numel(),
            count,
            channels=channels,
            side=SIDE,
            patch_block=patch_block,
            candidate_block=candidate_block,
            channel_block=channel_block,
        )
        return index, (similarity / TAPS).clamp(-1, 1)
