"""Stylization-based colorization: pre-colorization, transfer, sampling, colorization (the paper's Fig. 1 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.methods.blocks import PredictsChroma
from colorcli.methods.hints import reveal
from colorcli.methods.stylization.colorization import ColorizationNet
from colorcli.methods.stylization.referring import Refers
from colorcli.methods.stylization.stylist import SITES, Segments, Style, Stylist
from colorcli.methods.stylization.transfer import TransferNet
from colorcli.methods.stylization.transforms import labels_of


class HintPredictor(PredictsChroma):
    """The colorization sub-net alone: chroma for a lightness and hints; without hints those channels are empty."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which of the transferred colours the colorization sub-net is told, as `reveal` draws them."""

    seed: int = 0  # of every photo: its samples do not depend on its neighbours; another seed, another result
    stop: float = 1 / 8  # beyond the least, the number of patches is geometric with this parameter (paper: 1/8)
    least: int = 64  # patches there are in any case, a departure (0 in the paper); see below

    # 40 held-out photos of 128 px after themselves, warped and noised, with the first compact weights, dB by the least
    # number: 1 24.57, 8 24.96, 16 25.01, 32 25.03, 64 25.09, 128 25.13, 400 25.08 (adain; wct within 0.1; gray 22.58).
    # A few patches of a small network's colour do not fill a photo; without any the reference would be left out.

    def __post_init__(self) -> None:
        if not 0 < self.stop <= 1:
            raise ValueError(f"stop must be in (0, 1], not {self.stop}")
        if self.least < 0:
            raise ValueError(f"least must be 0 or more, not {self.least}")


@dataclass(frozen=True, slots=True)
class Stages:
    """What each step gave, at the network's size: the paper's Fig. 4, b to d. CIE ab, (B, 2, H, W) float32."""

    precolored: Tensor  # the colorization sub-net's answer to the lightness alone
    transferred: Tensor  # T_ab: the same in the colours of the reference
    hints: Tensor  # (B, 3, H, W): what was sampled of that, and a mask that is 1 where there is a sample
    chroma: Tensor  # the result


class Predictor(Refers):
    """Chroma for a lightness in the colours of a reference, which is measured once for many photos.

    gain: of the colorization sub-net, fitted after training; 1 for none. transform, sites: see `Stylist`.
    reference_side: pixels; references are brought to an area near its square, so that their statistics are those of the
    size at which photos are seen.
    """

    def __init__(
        self,
        transfer: TransferNet,
        colorization: ColorizationNet,
        gain: float = 1.0,
        *,
        transform: str = "adain",
        sites: Sequence[str] = SITES,
        sampling: Sampling | None = None,
        reference_side: int = 256,
    ) -> None:
        super().__init__(Stylist(transfer, transform, sites), reference_side)
        self._colorize = HintPredictor(colorization, gain)
        self._sampling = sampling or Sampling()

    def __call__(
        self,
        lightness: Tensor,
        z: Tensor,
        segments: Tensor | None = None,
        hints: Tensor | None = None,
        seeds: Tensor | None = None,
    ) -> Tensor:
        """lightness: (B, 1, H, W) CIE L 0..100, sides multiples of 8. z: (B, E), or (1, E) for all photos.

        segments: (B, H, W), which of the reference's regions a pixel takes after, where z is of several, (B, R E).
        hints: a person's, (B, 3, H, W), CIE ab and a mask, which count before what is sampled. seeds: (B,) int64, each
        photo's own in place of the sampling's. Returns CIE ab, (B, 2, H, W) float32. Wrong shapes raise ValueError.
        """
        return self._after(lightness, z, segments, hints, seeds).chroma

    def with_stages(
        self,
        lightness: Tensor,
        z: Tensor,
        segments: Tensor | None = None,
        hints: Tensor | None = None,
        seeds: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What `__call__` returns, and the steps to it, (B, 6, H, W) CIE ab: `Stages` without mask and result."""
        found = self._after(lightness, z, segments, hints, seeds)
        steps = (found.precolored, found.transferred, found.hints[:, :2])
        return found.chroma, torch.cat(steps, dim=1)  # 3 x (B, 2, H, W) -> (B, 6, H, W)

    def _after(
        self, lightness: Tensor, z: Tensor, segments: Tensor | None, hints: Tensor | None, seeds: Tensor | None
    ) -> Stages:
        style = self._stylist.from_vector(z, labelled=segments is not None)
        return self._stages(lightness, style, segments, hints, seeds)

    def stages(
        self, lightness: Tensor, reference: Tensor, segments: Segments | None = None, hints: Tensor | None = None
    ) -> Stages:
        """Every step's result. lightness, hints: as of `__call__`. reference: as of `embed`, for B photos or one.

        segments: of the photo and of the reference, see `stylist.Segments`; UsageError for labels of one side alone.
        """
        if segments is None:
            return self._stages(lightness, self._look(reference), None, hints)
        style = self._look(reference, segments[1], labels_of(*segments))
        return self._stages(lightness, style, segments[0], hints)

    @torch.inference_mode()
    def _stages(
        self,
        lightness: Tensor,
        style: Style,
        labels: Tensor | None,
        hints: Tensor | None,
        seeds: Tensor | None = None,
    ) -> Stages:
        precolored = self._colorize(lightness)
        if hints is not None and hints.shape != (len(lightness), 3, *lightness.shape[2:]):
            raise ValueError(
                f"expected hints (B, 3, H, W) for lightness {tuple(lightness.shape)}, got {tuple(hints.shape)}"
            )
        content = lab_to_rgb(torch.cat((lightness, precolored), dim=1))  # (B, 1, H, W), (B, 2, H, W) -> (B, 3, H, W)
        transferred = rgb_to_lab(self._stylist.apply(content, style, labels))[:, 1:]
        if seeds is None:
            seeds = torch.full((len(lightness),), self._sampling.seed)
        elif seeds.shape != (len(lightness),):
            raise ValueError(f"expected seeds ({len(lightness)},), got {tuple(seeds.shape)}")
        sampled = torch.cat(
            reveal(transferred, seeds, stop=self._sampling.stop, whole=0.0, least=self._sampling.least), dim=1
        )  # (B, 2, H, W), (B, 1, H, W) -> (B, 3, H, W)
        if hints is not None:
            sampled = torch.where(hints[:, 2:] > 0, hints, sampled)
        return Stages(precolored, transferred, sampled, self._colorize(lightness, sampled))
