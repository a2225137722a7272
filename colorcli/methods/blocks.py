"""Layers that several methods share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


def conv_block(
    inside: int, outside: int, convolutions: int, *, dilation: int = 1, lead: bool = False, stride: int = 1
) -> nn.Sequential:
    """3x3 convolutions, ReLU after each, one batch norm at the end: a block of Zhang et al. 2017.

    `lead` puts a ReLU first, for the blocks that follow a sum of two branches. stride: of the last convolution.
    """
    layers: list[nn.Module] = [nn.ReLU()] if lead else []
    for index in range(convolutions):
        width = inside if index == 0 else outside
        step = stride if index == convolutions - 1 else 1
        layers += [nn.Conv2d(width, outside, 3, stride=step, padding=dilation, dilation=dilation), nn.ReLU()]
    layers.append(nn.BatchNorm2d(outside))
    return nn.Sequential(*layers)


class Backbone17(nn.Module):
    """The network of Zhang et al. 2017, ten blocks and an output, with the published names of its parts.

    widths: channels of conv1, conv2, conv3 and conv4..7; published (64, 128, 256, 512).
    in_channels: 1 (lightness) or 4 (lightness, two hint channels, hint mask).
    classes: width of the 1x1 classification head on conv8 (published 529), 0 for none.

    Subclasses override `attend` to work on the maps of conv5, conv6 and conv7.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512), in_channels: int = 1, classes: int = 0) -> None:
        super().__init__()
        if len(widths) != 4 or min(widths) < 1:
            raise ValueError(f"widths must be four positive numbers, not {tuple(widths)}")
        w1, w2, w3, w4 = widths
        self.in_channels = in_channels
        self.model1 = conv_block(in_channels, w1, 2)
        self.model2 = conv_block(w1, w2, 2)
        self.model3 = conv_block(w2, w3, 3)
        self.model4 = conv_block(w3, w4, 3)
        self.model5 = conv_block(w4, w4, 3, dilation=2)
        self.model6 = conv_block(w4, w4, 3, dilation=2)
        self.model7 = conv_block(w4, w4, 3)
        self.model8up = nn.Sequential(nn.ConvTranspose2d(w4, w3, 4, stride=2, padding=1))
        self.model3short8 = nn.Sequential(nn.Conv2d(w3, w3, 3, padding=1))
        self.model8 = conv_block(w3, w3, 2, lead=True)
        self.model9up = nn.Sequential(nn.ConvTranspose2d(w3, w2, 4, stride=2, padding=1))
        self.model2short9 = nn.Sequential(nn.Conv2d(w2, w2, 3, padding=1))
        self.model9 = conv_block(w2, w2, 1, lead=True)
        self.model10up = nn.Sequential(nn.ConvTranspose2d(w2, w2, 4, stride=2, padding=1))
        self.model1short10 = nn.Sequential(nn.Conv2d(w1, w2, 3, padding=1))
        self.model10 = nn.Sequential(nn.ReLU(), nn.Conv2d(w2, w2, 3, padding=1), nn.LeakyReLU(0.2))
        self.model_out = nn.Sequential(nn.Conv2d(w2, 2, 1), nn.Tanh())
        self.model_class = nn.Sequential(nn.Conv2d(w3, classes, 1)) if classes else None

    def attend(self, block: int, features: Tensor) -> Tensor:
        """What happens to the map of block 5, 6 or 7 before the next block; here nothing."""
        del block
        return features

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs: (B, in_channels, H, W), H and W multiples of 8, lightness as (L - 50) / 100.

        Returns chroma / 110, (B, 2, H, W), -1..1. Wrong shapes raise ValueError.
        """
        refuse_odd(inputs, self.in_channels, 8)
        conv1: Tensor = self.model1(inputs)
        conv2: Tensor = self.model2(conv1[:, :, ::2, ::2])  # (B, w1, H, W) -> (B, w1, H/2, W/2): every second pixel
        conv3: Tensor = self.model3(conv2[:, :, ::2, ::2])
        features: Tensor = self.model4(conv3[:, :, ::2, ::2])  # (B, w4, H/8, W/8)
        features = self.attend(5, self.model5(features))
        features = self.attend(6, self.model6(features))
        features = self.attend(7, self.model7(features))
        features = self.model8(self.model8up(features) + self.model3short8(conv3))  # (B, w3, H/4, W/4)
        features = self.model9(self.model9up(features) + self.model2short9(conv2))
        features = self.model10(self.model10up(features) + self.model1short10(conv1))
        chroma: Tensor = self.model_out(features)
        return chroma


def refuse_odd(inputs: Tensor, channels: int, multiple: int) -> None:
    """ValueError for what is not (B, channels, H, W) with sides that are multiples of `multiple`."""
    if inputs.dim() != 4 or inputs.shape[1] != channels:
        raise ValueError(f"expected (B, {channels}, H, W), got {tuple(inputs.shape)}")
    if inputs.shape[2] % multiple or inputs.shape[3] % multiple:
        sides = tuple(inputs.shape[2:])
        raise ValueError(f"height and width must be multiples of {multiple}, got {sides}: pad outside")


def normalize_lightness(lightness: Tensor) -> Tensor:
    """CIE L 0..100 to what the 2017 networks see, (L - 50) / 100."""
    return (lightness - 50) / 100


CHROMA_SCALE = 110.0  # CIE ab = 110 x the tanh output, the published normalisation


def chroma_huber(predicted: Tensor, target: Tensor, delta: float) -> Tensor:
    """Huber loss between two normalised chromas, (B, 2, H, W) of ab / 110, in float32: a scalar, the mean.

    delta: in CIE ab units. The loss is divided by it, so that its slope is 1 whatever delta is: a rate then keeps its
    meaning.
    """
    normalised = delta / CHROMA_SCALE
    return F.huber_loss(predicted.float(), target, delta=normalised) / normalised


def photo_cauchy(predicted: Tensor, target: Tensor, scale: float, weights: Tensor | None = None) -> Tensor:
    """Cauchy loss on each photo's root mean square error: log(1 + error^2 / scale^2), a scalar, the mean over photos.

    predicted, target: (B, C, H, W) in the scale's units. weights: (B,), how many times each photo counts; None: once.
    An error well above the scale counts by its ratio and not by its size, as it does in a mean of PSNRs: a photo whose
    colour nobody could guess then weighs no more than another.
    """
    error = (predicted - target).square().mean((1, 2, 3))  # (B, C, H, W) -> (B,)
    losses = torch.log1p(error / scale**2)
    return losses.mean() if weights is None else (weights * losses).mean()


class Colorizes(Protocol):
    """A network that sees what `Backbone17` sees, and answers as it does."""

    in_channels: int  # 1 or 4

    def __call__(self, inputs: Tensor, /) -> Tensor: ...


class PredictsChroma:
    """A predictor of the 2017 kind: lightness to chroma, times the gain that its weights carry.

    gain: fitted on validation photos after training (the best single factor on the predicted chroma); 1 for none.
    """

    def __init__(self, network: Colorizes, gain: float = 1.0) -> None:
        self.network = network
        self.gain = gain

    @torch.inference_mode()
    def __call__(self, lightness: Tensor, hints: Tensor | None = None) -> Tensor:
        """lightness: (B, 1, H, W) CIE L 0..100, sides multiples of 8. Returns CIE ab, (B, 2, H, W) float32.

        hints: (B, 3, H, W), CIE ab and a mask that is 1 where there is a hint, all 0 elsewhere; None is no hint. The
        network sees them as published, ab / 110 and the mask. Wrong shapes, and hints for a network that takes none,
        raise ValueError.
        """
        inputs = normalize_lightness(lightness)
        further = self.network.in_channels - 1
        if hints is not None and hints.shape != (inputs.shape[0], further, *inputs.shape[2:]):
            raise ValueError(
                f"expected hints (B, {further}, H, W) for lightness {tuple(lightness.shape)}, got {tuple(hints.shape)}"
            )
        if further:
            if hints is None:
                hints = inputs.new_zeros(inputs.shape[0], further, *inputs.shape[2:])
            seen = (inputs, hints[:, :2] / CHROMA_SCALE, hints[:, 2:])
            inputs = torch.cat(seen, dim=1)  # (B, 1, H, W), (B, 2, H, W), (B, 1, H, W) -> (B, 4, H, W)
        chroma: Tensor = self.network(inputs)
        return chroma.float() * (CHROMA_SCALE * self.gain)
