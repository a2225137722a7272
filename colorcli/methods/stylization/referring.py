"""What predictors know of references, and of what photos show, by the transfer sub-net's encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.color.lab import lab_to_rgb
from colorcli.methods.references import refuse_no_reference, summarized
from colorcli.methods.stylization.stylist import Style, Stylist, near, resized


class Refers:
    """A predictor whose references are a stylist's styles.

    side: pixels; references are brought to an area near its square, so that their statistics are those of the size at
    which photos are seen.
    """

    def __init__(self, stylist: Stylist, side: int) -> None:
        self._stylist, self._side = stylist, side

    def embed(self, reference: Tensor, segments: Tensor | None = None, count: int = 0) -> Tensor:
        """reference: (B, 3, h, w) sRGB 0..1, of any size. Returns its statistics, (B, E) float32.

        segments: (B, h', w'), which of `count` regions a pixel belongs to, 0 .. count - 1: then (B, count E), of each
        region's. References of different sizes are embedded one by one and joined. Wrong shapes raise ValueError.
        """
        return self._look(reference, segments, range(count)).vector()

    @torch.inference_mode()
    def content(self, lightness: Tensor) -> Tensor:
        """What a photo shows and where, as a vector that is near for like photos: no part of the paper.

        lightness: as of `__call__`. Returns (B, 16 w4) float32 of length 1: the encoder's deepest map of the gray
        photo, averaged in 4x4 cells.
        """
        if lightness.dim() != 4 or lightness.shape[1] != 1:
            raise ValueError(f"expected (B, 1, H, W), got {tuple(lightness.shape)}")
        gray = lab_to_rgb(F.pad(lightness, (0, 0, 0, 0, 0, 2)))  # (B, 1, H, W) -> (B, 3, H, W), ab = 0
        deepest, _ = self._stylist.network.encode(gray)
        return summarized(deepest)

    def _look(self, reference: Tensor, labels: Tensor | None = None, known: Sequence[int] = ()) -> Style:
        refuse_no_reference(reference)
        fitted = resized(reference.float(), *near(self._side, *reference.shape[2:]))
        return self._stylist.look(fitted, labels, known)
