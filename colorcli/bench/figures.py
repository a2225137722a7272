"""The figures of one result against its original, and of many together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.metrics.bootstrap import RESAMPLES, mean_interval
from colorcli.metrics.colourfulness import colourfulness
from colorcli.metrics.delta_e import delta_e_2000
from colorcli.metrics.psnr import mean_squared_error, psnr
from colorcli.metrics.ssim import WINDOW, ssim

ENOUGH = 30  # photos, from which on a mean has an interval
_BAND = 512  # rows whose colour difference is computed at once: a scan's float planes would be gigabytes
DEFINITIONS = (
    "PSNR in float over 8-bit sRGB; "
    f"SSIM of scikit-image (uniform window of {WINDOW}x{WINDOW}, K1 0.01, K2 0.03, range 255, mean of R, G, B); "
    "delta E 2000, mean over pixels; colourfulness of Hasler and Suesstrunk, and how far it is from the original's"
)
INTERVAL = f"95 % of the mean PSNR: bootstrap over photos ({RESAMPLES} times, percentiles, seed 0), from {ENOUGH} on"
NOT_MEASURED = "LPIPS, FID: not measured (no networks)"


@dataclass(frozen=True, slots=True)
class PhotoFigures:
    """One result against its original."""

    photo: str
    mse: float  # over all pixels and channels, squared 8-bit steps
    psnr: float  # dB; infinite where both are equal
    ssim: float  # 1 where both are equal
    delta_e: float  # CIEDE2000, mean over pixels
    colourfulness: float  # of the result
    colourfulness_difference: float  # absolute, from the original's


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    name: str
    psnr: float  # dB, mean over photos
    psnr_interval: tuple[float, float] | None  # of that mean, 95 %; None: fewer photos than `ENOUGH`, or infinite
    psnr_median: float
    psnr_pooled: float  # dB of the mean squared error over all photos
    ssim: float
    delta_e: float
    colourfulness: float
    colourfulness_difference: float  # mean of the absolute ones
    photos: int
    images: tuple[PhotoFigures, ...]


def figures_of(photo: str, truth: Tensor, result: Tensor) -> PhotoFigures:
    """Compare (1, 3, H, W) uint8 sRGB with its original of the same shape, sides of at least 7."""
    error, colour = mean_squared_error(truth, result), colourfulness(result)
    return PhotoFigures(
        photo=photo,
        mse=float(error),
        psnr=float(psnr(error)),
        ssim=float(ssim(truth, result)),
        delta_e=_delta_e(truth, result),
        colourfulness=float(colour),
        colourfulness_difference=float((colour - colourfulness(truth)).abs()),
    )


def _delta_e(truth: Tensor, result: Tensor) -> float:
    """Mean over pixels, in bands of rows; float64, so that it is the same in any bands."""
    total = 0.0
    for top in range(0, truth.shape[2], _BAND):
        one, other = (rgb_to_lab(rgb[:, :, top : top + _BAND].double() / 255) for rgb in (truth, result))
        total += float(delta_e_2000(one, other).sum())
    return total / (truth.shape[2] * truth.shape[3])


def row_of(name: str, images: Sequence[PhotoFigures]) -> Row:
    """The means of one or more photos' figures."""
    decibels = torch.tensor([one.psnr for one in images], dtype=torch.float64)
    varies = len(images) >= ENOUGH and bool(decibels.isfinite().all())
    return Row(
        name=name,
        psnr=float(decibels.mean()),
        psnr_interval=mean_interval(decibels.tolist()) if varies else None,
        psnr_median=float(decibels.quantile(0.5) if decibels.isfinite().all() else decibels.median()),
        psnr_pooled=float(psnr(torch.tensor(_mean([one.mse for one in images]), dtype=torch.float64))),
        ssim=_mean([one.ssim for one in images]),
        delta_e=_mean([one.delta_e for one in images]),
        colourfulness=_mean([one.colourfulness for one in images]),
        colourfulness_difference=_mean([one.colourfulness_difference for one in images]),
        photos=len(images),
        images=tuple(images),
    )


def _mean(values: Sequence[float]) -> float:
    return float(torch.tensor(values, dtype=torch.float64).mean())
