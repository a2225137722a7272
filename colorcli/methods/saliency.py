"""The classical saliency detector, for the salient loss where there is no trained PFANet."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from colorcli.errors import UsageError

_FLAT = 2  # 8-bit steps: a picture that varies by less has no foreground, only rounding that the spectrum amplifies


class SpectralResidual(nn.Module):
    """Spectral residual saliency (Hou and Zhang 2007) by opencv-contrib, made binary by Otsu's threshold.

    Of opencv's two static detectors and two thresholds (Otsu, half of the range) this pair found the objects best on
    twenty validation pictures of the corpus: F 0.44, against 0.38 of fine grained saliency with Otsu.
    Where another build of OpenCV took the place of opencv-contrib's, UsageError with the command that restores it.
    """

    def __init__(self) -> None:
        super().__init__()
        import cv2

        try:
            contributed: Any = cv2.saliency  # its type stubs lack the detectors
            self._create = contributed.StaticSaliencySpectralResidual_create
        except AttributeError:  # another package of OpenCV, without the contributed modules, lies over it
            raise UsageError(
                "classical saliency needs opencv-contrib, and another OpenCV is installed: uninstall that, then "
                "pip install --force-reinstall 'opencv-contrib-python-headless>=4.9'; "
                "or give PFANet's weights with --set saliency=FILE"
            ) from None
        self.title = f"spectral residual saliency with Otsu's threshold (opencv-contrib {cv2.__version__})"

    @torch.no_grad()
    def forward(self, rgb: Tensor) -> Tensor:
        """rgb: (B, 3, H, W) sRGB 0..1, on any device. Returns (B, 1, H, W) float32 of 0 and 1, on that device.

        Each picture by itself, on the CPU, about 1 ms at 256 px. A flat picture has no foreground.
        """
        pictures = (255 * rgb.detach().float().clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        found = np.stack([self._foreground(picture) for picture in pictures])  # (B, H, W, 3) -> (B, H, W)
        return torch.from_numpy(found)[:, None].to(rgb.device, torch.float32)

    def _foreground(self, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """(H, W, 3) RGB -> (H, W)."""
        import cv2

        if int(np.ptp(picture.reshape(-1, 3), axis=0).max()) < _FLAT:
            return np.zeros(picture.shape[:2], dtype=np.bool_)
        done, saliency = self._create().computeSaliency(np.ascontiguousarray(picture[:, :, ::-1]))  # opencv wants BGR
        if not done:
            raise RuntimeError(f"opencv computed no saliency for a picture of {picture.shape}")
        low, high = float(saliency.min()), float(saliency.max())
        levels = np.round(255 * (saliency - low) / max(high - low, 1e-12)).astype(np.uint8)
        threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
        return np.asarray(levels > threshold)
