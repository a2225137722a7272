"""Color2Embed (Zhao et al. 2021): colour encoder, content encoder and progressive feature formalisation network (PFFN).

The attributes that start a parameter's name are the published ones, so that published checkpoints fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.methods.blocks import refuse_odd
from colorcli.methods.color2embed.modulation import PFFB
from colorcli.methods.references import refuse_no_reference
from colorcli.methods.vgg import WIDTHS as VGG_WIDTHS
from colorcli.methods.vgg import VGGFeatures, standardize_rgb

MULTIPLE = 16  # four halvings
EMBEDDING = 512  # length of z
_LAST = "relu5_2"  # the map of VGG19 that the embedding is made of
_SKIPPED = 4  # of the content encoder's channels every fourth goes over to the PFFN


class ColorEncoder(nn.Module):
    """E_c of eq. 1: VGG19 up to relu5_2, then convolutions and a perceptron to one vector.

    widths: channels of VGG19's five blocks. hidden: channels of the convolutions behind it. norm: batch norms in VGG19.
    """

    def __init__(self, widths: Sequence[int], hidden: int, norm: bool) -> None:
        super().__init__()
        trunk = VGGFeatures("vgg19", widths, norm=norm)
        del trunk[trunk.places[_LAST] + 1 :]  # what lies deeper is never computed
        self.vgg = nn.ModuleDict({"vgg_model": nn.ModuleDict({"features": trunk})})
        half = EMBEDDING // 2
        self.feature2vector = nn.Sequential(
            nn.Conv2d(widths[-1], hidden, 4, stride=2, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, hidden, 4, stride=2, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(hidden, half, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(half, half, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(half, EMBEDDING, 1),
        )

    @property
    def trunk(self) -> VGGFeatures:
        """The convolutions of VGG19."""
        return cast(VGGFeatures, self.vgg.get_submodule("vgg_model.features"))

    def start_from(self, trained: VGGFeatures) -> None:
        """Take over the layers of a trained VGG19. ValueError where its widths or its norm are others."""
        own, given = self.trunk.state_dict(), trained.state_dict()
        other = [name for name in own if name not in given or given[name].shape != own[name].shape]
        if other:
            raise ValueError(f"its layers have other widths or another norm, from {other[0]} on")
        self.trunk.load_state_dict({name: given[name] for name in own})

    def forward(self, reference: Tensor) -> Tensor:
        """reference: (B, 3, h, w) sRGB 0..1, sides of at least 16. Returns z, (B, 512)."""
        refuse_no_reference(reference)
        if min(reference.shape[2:]) < MULTIPLE:
            raise ValueError(f"a reference needs sides of at least {MULTIPLE}, not {tuple(reference.shape[2:])}")
        features = self.trunk(standardize_rgb(reference), (_LAST,))[_LAST]  # (B, C, h/16, w/16)
        vector: Tensor = self.feature2vector(features)
        return vector.flatten(1)  # (B, 512, 1, 1) -> (B, 512)


class DoubleConv(nn.Module):
    """Two 3x3 convolutions, each with batch norm and a leaky ReLU."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1),
            nn.BatchNorm2d(outside),
            nn.LeakyReLU(0.1),
            nn.Conv2d(outside, outside, 3, padding=1),
            nn.BatchNorm2d(outside),
            nn.LeakyReLU(0.1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, inside, H, W) -> (B, outside, H, W)."""
        convolved: Tensor = self.double_conv(features)
        return convolved


class ResBlock(nn.Module):
    """A 1x1 convolution to the new width and a residual branch on it; the sum is divided by sqrt 2."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.bottle_conv = nn.Conv2d(inside, outside, 1)
        self.double_conv = nn.Sequential(
            nn.Conv2d(outside, outside, 3, padding=1),
            nn.BatchNorm2d(outside),
            nn.LeakyReLU(0.2),
            nn.Conv2d(outside, outside, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, inside, H, W) -> (B, outside, H, W)."""
        features = self.bottle_conv(features)
        summed: Tensor = (self.double_conv(features) + features) / math.sqrt(2)
        return summed


class Down(nn.Module):
    """One step of E_s (eq. 2): half the sides, a new width."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        halving = nn.Conv2d(inside, inside, 4, stride=2, padding=1)
        self.main = nn.Sequential(halving, nn.LeakyReLU(0.1), ResBlock(inside, outside))

    def forward(self, features: Tensor) -> Tensor:
        """(B, inside, H, W) -> (B, outside, H/2, W/2)."""
        convolved: Tensor = self.main(features)
        return convolved


class Up(nn.Module):
    """One step of the PFFN (eq. 3): G_i joins the deeper map with the encoder's, F_i modulates, and a shortcut."""

    def __init__(self, inside: int, skip: int, outside: int, kernel: int) -> None:
        super().__init__()
        self.conv_cat = nn.Sequential(
            nn.Conv2d(inside + math.ceil(skip / _SKIPPED), outside, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(outside, outside, 3, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.conv_s = nn.Conv2d(inside, outside, 1)
        self.SDFT = PFFB(EMBEDDING, outside, kernel)

    def forward(self, features: Tensor, skip: Tensor, embedding: Tensor) -> Tensor:
        """features: (B, inside, H, W). skip: (B, skip, 2H, 2W). embedding: (b, 512). Returns (B, outside, 2H, 2W)."""
        enlarged = F.interpolate(features, scale_factor=2.0, mode="bilinear")  # (B, C, H, W) -> (B, C, 2H, 2W)
        joined = torch.cat((enlarged, skip[:, ::_SKIPPED]), dim=1)
        modulated: Tensor = self.SDFT(self.conv_cat(joined), embedding)
        shortcut: Tensor = self.conv_s(enlarged)
        return modulated + shortcut


class ColorUNet(nn.Module):
    """Content encoder and PFFN: lightness and an embedding to chroma. widths: of the first map and the next three."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        w1, w2, w3, w4 = widths
        self.inc = DoubleConv(1, w1)
        self.down1 = Down(w1, w2)
        self.down2 = Down(w2, w3)
        self.down3 = Down(w3, w4)
        self.down4 = Down(w4, w4)
        self.up1 = Up(w4, w4, w4 // 2, kernel=3)
        self.up2 = Up(w4 // 2, w3, w3 // 2, kernel=3)
        self.up3 = Up(w3 // 2, w2, w2 // 2, kernel=5)
        self.up4 = Up(w2 // 2, w1, w1, kernel=5)
        self.outc = nn.Sequential(
            nn.Conv2d(w1, w1, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(w1, 2, 3, padding=1), nn.Tanh()
        )

    def encode(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """E_s: inputs as of `forward` -> five maps, from (B, w1, H, W) to (B, w4, H/16, W/16)."""
        maps = [self.inc(inputs)]
        for down in (self.down1, self.down2, self.down3, self.down4):
            maps.append(down(maps[-1]))
        return tuple(maps)

    def forward(self, inputs: Tensor, embedding: Tensor) -> Tensor:
        """inputs: (B, 1, H, W), sides multiples of 16. embedding: (B, 512) or (1, 512). Returns (B, 2, H, W), -1..1."""
        full, half, quarter, eighth, features = self.encode(inputs)
        for up, skip in ((self.up1, eighth), (self.up2, quarter), (self.up3, half), (self.up4, full)):
            features = up(features, skip, embedding)
        chroma: Tensor = self.outc(features)
        return chroma


class Color2Embed(nn.Module):
    """Both networks.

    widths: of the content encoder, published (64, 128, 256, 512). encoder: channels of the colour encoder's VGG19,
    five blocks. hidden: channels of what follows that. norm: "none" as published, or "batch"
    in the colour encoder's VGG19, without which it does not train from scratch. reference_side: pixels of the square
    that references are stretched to. Values that do not exist raise ValueError.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        encoder: Sequence[int] = VGG_WIDTHS,
        hidden: int = 512,
        norm: str = "none",
        reference_side: int = 256,
    ) -> None:
        super().__init__()
        if len(widths) != 4 or min(widths) < 2:
            raise ValueError(f"widths must be four numbers from 2 on, not {tuple(widths)}")
        if norm not in ("none", "batch"):
            raise ValueError(f"norm must be none or batch, not {norm!r}")
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, not {hidden}")
        if reference_side < MULTIPLE:
            raise ValueError(f"reference_side must be at least {MULTIPLE}, not {reference_side}")
        self.reference_side = reference_side
        self.colorEncoder = ColorEncoder(encoder, hidden, norm == "batch")
        self.colorUNet = ColorUNet(widths)

    def embed(self, reference: Tensor) -> Tensor:
        """The colours of references as z: (B, 3, h, w) sRGB 0..1, sides of at least 16 -> (B, 512)."""
        z: Tensor = self.colorEncoder(reference)
        return z

    def paint(self, inputs: Tensor, z: Tensor) -> Tensor:
        """inputs: (B, 1, H, W), lightness as (L - 50) / 50, sides multiples of 16. z: (B, 512), or (1, 512) for all.

        Returns chroma / 110, (B, 2, H, W), -1..1. Wrong shapes raise ValueError.
        """
        refuse_odd(inputs, 1, MULTIPLE)
        if z.dim() != 2 or z.shape[1] != EMBEDDING or len(z) not in (1, len(inputs)):
            raise ValueError(
                f"expected embeddings ({len(inputs)}, {EMBEDDING}) or (1, {EMBEDDING}), not {tuple(z.shape)}"
            )
        chroma: Tensor = self.colorUNet(inputs, z)
        return chroma

    def content(self, inputs: Tensor) -> Tensor:
        """What a photo shows: inputs as of `paint` -> the content encoder's deepest map, (B, w4, H/16, W/16)."""
        refuse_odd(inputs, 1, MULTIPLE)
        return self.colorUNet.encode(inputs)[-1]

    def forward(self, inputs: Tensor, reference: Tensor) -> Tensor:
        """`paint` with the colours of `reference`; shapes as there."""
        return self.paint(inputs, self.embed(reference))
