"""How well a result did, as far as its page can tell."""

from __future__ import annotations

import math

import numpy as np
import pyvips
import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.devices import use_threads
from colorcli.metrics.colourfulness import colourfulness
from colorcli.metrics.psnr import mean_squared_error, psnr
from colorcli.metrics.ssim import ssim
from colorcli.metrics.tone import IN_COLOUR, colour_beyond_tone

SIDE = 256  # pixels: figures are those at about 256x256, in the photo's own aspect
_LEAST = 7  # pixels of a side, for SSIM


def figures(before: pyvips.Image, after: pyvips.Image, *, knows_truth: bool) -> dict[str, float]:
    """Colourfulness of the result; where the photo was in colour, also the photo's, as `original`.

    before, after: of one size, 8-bit sRGB. knows_truth: a photo in colour is what its result should be; then also psnr
    (dB; left out where they are equal) and ssim between them.
    """
    threads = torch.get_num_threads()
    use_threads(1)  # pictures are small; a second core would wait for those that the run uses, ten times as long
    try:
        return _figures(before, after, knows_truth)
    finally:
        use_threads(threads)


def _figures(before: pyvips.Image, after: pyvips.Image, knows_truth: bool) -> dict[str, float]:
    scale = min(1.0, SIDE / math.sqrt(before.width * before.height))
    truth, result = _small(before, scale), _small(after, scale)
    found = {"colourfulness": float(colourfulness(result))}
    if float(colour_beyond_tone(rgb_to_lab(truth.double() / 255))) < IN_COLOUR:
        return found
    found["original"] = float(colourfulness(truth))
    if knows_truth:
        decibels = float(psnr(mean_squared_error(truth, result)))
        if math.isfinite(decibels):
            found["psnr"] = decibels
        if min(truth.shape[2:]) >= _LEAST:
            found["ssim"] = float(ssim(truth, result))
    return {name: round(value, 4) for name, value in found.items()}


def _small(picture: pyvips.Image, scale: float) -> Tensor:
    """(1, 3, h, w) uint8."""
    pixels = (picture.resize(scale) if scale < 1 else picture).numpy()
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]  # (h, w, 3) -> (1, 3, h, w)
