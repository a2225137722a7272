"""Peak signal-to-noise ratio against scikit-image."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import mean_squared_error as skimage_mse
from skimage.metrics import peak_signal_noise_ratio

from colorcli.metrics.psnr import mean_squared_error, psnr


def test_psnr_per_picture() -> None:
    """Oracle: skimage.metrics on 8-bit pictures; 1e-9 dB, both in double precision."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 256, (3, 3, 8, 9), generator=generator, dtype=torch.uint8)
    noise = torch.randint(-20, 21, (3, 3, 8, 9), generator=generator) * torch.tensor([1, 2, 5])[:, None, None, None]
    result = (truth + noise).clamp(0, 255).to(torch.uint8)
    mse = mean_squared_error(truth, result)
    for picture in range(3):
        a, b = truth[picture].numpy(), result[picture].numpy()
        assert float(mse[picture]) == pytest.approx(skimage_mse(a, b), abs=1e-9)
        assert float(psnr(mse[picture])) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-9)


def test_bytes_do_not_wrap_around() -> None:
    """Oracle: closed form, black against white: an error of 255^2, 0 dB."""
    black, white = (torch.full((1, 3, 2, 2), value, dtype=torch.uint8) for value in (0, 255))
    assert float(mean_squared_error(black, white)) == 255**2
    assert float(psnr(mean_squared_error(black, white))) == 0


def test_one_step_and_no_error() -> None:
    """Oracle: closed form, 20 log10(255) = 48.1308 dB for one 8-bit step, infinity for equal pictures."""
    assert float(psnr(torch.tensor(1.0))) == pytest.approx(20 * math.log10(255), abs=1e-5)
    picture = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    assert math.isinf(float(psnr(mean_squared_error(picture, picture))))
