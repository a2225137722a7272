"""The convolutions of VGG (Simonyan and Zisserman 2015), the body of several networks, numbered as by torchvision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # in each of the five blocks
WIDTHS = (64, 128, 256, 512, 512)  # published channels of the blocks


class VGGFeatures(nn.ModuleList):
    """Five blocks of 3x3 convolutions with ReLU, each closed by a 2x2 max pooling.

    shape: "vgg16" or "vgg19". widths: channels of the five blocks. norm: a batch norm after each convolution, which
    training from scratch needs; torchvision's weights of both forms (vgg19, vgg19_bn) fit at the published widths.
    """

    def __init__(
        self, shape: str = "vgg19", widths: Sequence[int] = WIDTHS, in_channels: int = 3, norm: bool = False
    ) -> None:
        if shape not in CONVOLUTIONS:
            raise ValueError(f"shape must be one of {', '.join(CONVOLUTIONS)}, not {shape!r}")
        if len(widths) != 5 or min(widths) < 1:
            raise ValueError(f"widths must be five positive numbers, not {tuple(widths)}")
        layers: list[nn.Module] = []
        places: dict[str, int] = {}
        inside = in_channels
        for block, (width, convolutions) in enumerate(zip(widths, CONVOLUTIONS[shape], strict=True), start=1):
            for number in range(1, convolutions + 1):
                layers.append(_convolution(inside, width))
                if norm:
                    layers.append(nn.BatchNorm2d(width))
                layers.append(nn.ReLU(inplace=True))
                places[f"relu{block}_{number}"] = len(layers) - 1
                inside = width
            layers.append(nn.MaxPool2d(2))
            places[f"pool{block}"] = len(layers) - 1
        super().__init__(layers)
        self.places = places  # name of a map -> number of the layer that gives it
        self.in_channels = in_channels

    def forward(self, inputs: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """The maps of these names: "relu1_2", ..., "relu5_4", "pool1" .. "pool5"; what lies deeper is not computed.

        inputs: (B, in_channels, H, W), normalised. A map of block n is (B, widths[n - 1], H / 2^(n-1), W / 2^(n-1)),
        rounded down; poolings halve once more. ValueError for another shape or an unknown name.
        """
        wanted = set(layers)
        if unknown := sorted(wanted - set(self.places)):
            raise ValueError(f"no map is called {', '.join(unknown)}; there are: {', '.join(self.places)}")
        if inputs.dim() != 4 or inputs.shape[1] != self.in_channels:
            raise ValueError(f"expected (B, {self.in_channels}, H, W), got {tuple(inputs.shape)}")
        names = {place: name for name, place in self.places.items() if name in wanted}
        maps: dict[str, Tensor] = {}
        for place, layer in enumerate(self):
            if len(maps) == len(names):
                break
            inputs = layer(inputs)
            if place in names:
                maps[names[place]] = inputs
        return maps


def _convolution(inside: int, outside: int) -> nn.Conv2d:
    convolution = nn.Conv2d(inside, outside, 3, padding=1)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution


IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of sRGB 0..1 over ImageNet, torchvision's constants
IMAGENET_STD = (0.229, 0.224, 0.225)


def standardize_rgb(rgb: Tensor) -> Tensor:
    """sRGB 0..1 to what networks with ImageNet statistics see. (B, 3, H, W) in and out."""
    mean, std = (rgb.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (rgb - mean) / std
