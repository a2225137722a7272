"""What the methods' papers report: figures of other photos, other weights and other machines, beside ours."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

MARK = "published, other images"
MARK_TIMES = "published, other machines"


@dataclass(frozen=True, slots=True)
class PublishedQuality:
    """One line of a paper's table."""

    method: str  # ours that it is of
    name: str  # the paper's word for it
    psnr: float  # dB
    ssim: float | None  # None: the paper gives none
    images: str  # what it was measured on
    source: str  # paper and table


@dataclass(frozen=True, slots=True)
class PublishedTime:
    """Seconds of one call at one size, as a paper reports it."""

    method: str
    name: str
    side: int  # pixels
    seconds: float  # all of it; where the paper gives a sum, the sum
    given: str  # as it is printed
    hardware: str
    source: str


_SMSANET = "Jiang et al. 2022, Table {}"
_IMAGENET = "1000 of ImageNet's test images, 256x256"

QUALITY = (
    PublishedQuality("smsanet", "SMSANet", 26.6579, 0.9301, _IMAGENET, _SMSANET.format(1)),
    PublishedQuality("smsanet", "SMSANet, Huber loss alone", 26.5478, 0.9185, _IMAGENET, _SMSANET.format(3)),
    PublishedQuality("siggraph17", "Zhang et al. 2017", 25.7688, 0.9136, _IMAGENET, _SMSANET.format(1)),
    PublishedQuality("agin", "AGIN", 24.43, None, "not said", "Gao et al. 2020, Table 4"),
)
"""Color2Embed, the stylization paper and the multimodal thesis report neither PSNR nor SSIM."""

_COLOR2EMBED = "Zhao et al. 2021, Table 1"
_STYLIZATION = "Xu et al. 2020, Table 1"
_GPU = "one NVIDIA 1080Ti"
_UNKNOWN = "hardware not named (Zhao et al. 2021 give the same figures for one NVIDIA 1080Ti)"

TIMES = (
    PublishedTime("color2embed", "Color2Embed", 256, 0.03, "0.03", _GPU, _COLOR2EMBED),
    PublishedTime("color2embed", "Color2Embed", 512, 0.08, "0.08", _GPU, _COLOR2EMBED),
    PublishedTime("color2embed", "Color2Embed", 1024, 0.32, "0.32", _GPU, _COLOR2EMBED),
    PublishedTime("stylization", "Xu et al.", 256, 0.20, "0.04+0.08x2", _UNKNOWN, _STYLIZATION),
    PublishedTime("stylization", "Xu et al.", 512, 0.38, "0.14+0.12x2", _UNKNOWN, _STYLIZATION),
    PublishedTime("stylization", "Xu et al.", 1024, 1.15, "0.59+0.28x2", _UNKNOWN, _STYLIZATION),
)
"""The papers of SMSANet, AGIN and multimodal report no time of a photo."""


def qualities_of(methods: Collection[str]) -> list[PublishedQuality]:
    """The lines of these methods."""
    return [one for one in QUALITY if one.method in methods]


def times_of(methods: Collection[str], sides: Collection[int]) -> list[PublishedTime]:
    """The times of these methods at these sides, pixels."""
    return [one for one in TIMES if one.method in methods and one.side in sides]
