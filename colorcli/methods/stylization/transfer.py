"""The transfer sub-net (Xu et al. 2020): VGG19 to conv4_1, and a mirrored decoder that sees every level's maps.

Training asks it to give pictures back. Stylization changes the maps on the way (`Change`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from colorcli.methods.blocks import refuse_odd
from colorcli.methods.vgg import CONVOLUTIONS, IMAGENET_MEAN, IMAGENET_STD, VGGFeatures

MULTIPLE = 8  # three halvings
_CONVOLUTIONS = (*CONVOLUTIONS["vgg19"][:3], 1)  # of each level: conv1_1 .. conv3_4, conv4_1

Change = Callable[[str, Tensor], Tensor]
"""What happens to the map at a place: (place, (B, C, h, w)) -> the same shape. The places are `TransferNet.places`."""


def unchanged(place: str, features: Tensor) -> Tensor:
    """Nothing."""
    del place
    return features


class Convolution(nn.Conv2d):
    """3x3, its map's border mirrored outwards; what is one pixel wide cannot be mirrored and is repeated."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__(inside, outside, 3)
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        """(B, inside, h, w) -> (B, outside, h, w)."""
        mode = "reflect" if min(features.shape[2:]) > 1 else "replicate"
        return super().forward(F.pad(features, (1, 1, 1, 1), mode=mode))


class Encoder(nn.Module):
    """VGG19 from conv1_1 to conv4_1, ReLU after each, average pooling. widths: channels of its four levels.

    It has no batch norms: those of a trained backbone become part of its convolutions. conv0 is ImageNet's
    normalisation of colour.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 3, 1)
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        self.conv0.load_state_dict({"weight": torch.diag(1 / std)[:, :, None, None], "bias": -mean / std})
        levels: list[nn.Module] = []
        inside = 3
        for width, count in zip(widths, _CONVOLUTIONS, strict=True):
            layers: list[nn.Module] = []
            for _ in range(count):
                layers += [Convolution(inside, width), nn.ReLU()]
                inside = width
            levels.append(nn.Sequential(*layers))
        self.levels = nn.ModuleList(levels)

    def start_from(self, trained: VGGFeatures) -> None:
        """Take over the convolutions of a trained VGG19 in evaluation mode, with its batch norms where it has some.

        ValueError where its widths are others or it does not see RGB.
        """
        given = {
            f"{level}.{2 * number}": _convolution_of(trained, f"relu{level + 1}_{number + 1}")
            for level, count in enumerate(_CONVOLUTIONS)
            for number in range(count)
        }
        state = {f"{name}.{part}": value for name, layer in given.items() for part, value in layer.state_dict().items()}
        own = self.levels.state_dict()
        if other := [name for name, value in own.items() if state[name].shape != value.shape]:
            raise ValueError(f"its layers have other widths, from {other[0]} on")
        self.levels.load_state_dict(state)

    def forward(self, rgb: Tensor, change: Change = unchanged) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """The map of level 4, (B, w4, H/8, W/8), and of levels 1 to 3 the map before pooling and the pooled one.

        rgb: (B, 3, H, W) sRGB 0..1, sides multiples of 8. What is changed at "encoder1" .. "encoder3" goes on to all
        that follows; "skip1" .. and "pooled1" .. are what the decoder gets alone.
        """
        features: Tensor = self.conv0(rgb)
        skips: list[tuple[Tensor, Tensor]] = []
        for number, level in enumerate(self.levels, start=1):
            features = change(f"encoder{number}", level(features))
            if number < len(self.levels):
                pooled = F.avg_pool2d(features, 2)
                skips.append((change(f"skip{number}", features), change(f"pooled{number}", pooled)))
                features = pooled
        return features, skips


class Decoder(nn.Module):
    """The encoder's mirror: conv4_1 .. conv1_1 backwards, nearest enlargement by 2 in place of pooling.

    The first convolution of a level sees three maps: the decoder's own and the encoder's pooled one, both enlarged, and
    the encoder's before pooling.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.top = nn.Sequential(Convolution(widths[3], widths[2]), nn.ReLU())
        levels: list[nn.Module] = []
        for number in (3, 2, 1):
            width, below = widths[number - 1], widths[number - 2] if number > 1 else 3
            layers: list[nn.Module] = []
            inside = 3 * width
            for _ in range(_CONVOLUTIONS[number - 1] - 1):
                layers += [Convolution(inside, width), nn.ReLU()]
                inside = width
            layers.append(Convolution(inside, below))
            if number > 1:
                layers.append(nn.ReLU())
            levels.append(nn.Sequential(*layers))
        self.levels = nn.ModuleList(levels)

    def forward(self, deepest: Tensor, skips: Sequence[tuple[Tensor, Tensor]], change: Change = unchanged) -> Tensor:
        """The encoder's maps -> (B, 3, H, W), sRGB 0..1 and a little beyond.

        Its own maps are changed at "decoder3" .. "decoder1", before they are enlarged, which keeps their statistics.
        """
        features: Tensor = self.top(deepest)
        for number, level in zip((3, 2, 1), self.levels, strict=True):
            skip, pooled = skips[number - 1]
            features = change(f"decoder{number}", features)
            small = torch.cat((features, pooled), dim=1)
            enlarged = F.interpolate(small, scale_factor=2.0, mode="nearest")  # (B, 2w, h, w) -> (B, 2w, 2h, 2w)
            features = level(torch.cat((enlarged, skip), dim=1))
        return features


class TransferNet(nn.Module):
    """Encoder and decoder. widths: channels of VGG19's first four blocks. ValueError for widths that cannot be."""

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        if len(widths) != 4 or min(widths) < 1:
            raise ValueError(f"widths must be four positive numbers, not {tuple(widths)}")
        self.encoder = Encoder(widths)
        self.decoder = Decoder(widths)
        self.places = _places(widths)  # place -> channels, in the order in which a picture passes them

    def encode(self, rgb: Tensor, change: Change = unchanged) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """`Encoder.forward`, with a check: ValueError for another shape."""
        refuse_odd(rgb, 3, MULTIPLE)
        maps: tuple[Tensor, list[tuple[Tensor, Tensor]]] = self.encoder(rgb, change)
        return maps

    def forward(self, rgb: Tensor, change: Change = unchanged) -> Tensor:
        """rgb: (B, 3, H, W) sRGB 0..1, sides multiples of 8. Returns (B, 3, H, W), as of `Decoder.forward`."""
        painted: Tensor = self.decoder(*self.encode(rgb, change), change)
        return painted


def _convolution_of(trained: VGGFeatures, name: str) -> nn.Module:
    """The convolution before the ReLU of that name, with the batch norm between them where there is one."""
    place = trained.places[name]
    before = trained[place - 1]
    if isinstance(before, nn.BatchNorm2d):
        return fuse_conv_bn_eval(trained[place - 2], before)  # type: ignore[type-var]
    return before


def _places(widths: Sequence[int]) -> dict[str, int]:
    places: dict[str, int] = {}
    for number, width in enumerate(widths, start=1):
        places[f"encoder{number}"] = width
        if number < len(widths):
            places |= {f"skip{number}": width, f"pooled{number}": width}
    return places | {f"decoder{number}": widths[number - 1] for number in (3, 2, 1)}
