"""VGG19- and ResNet34-shaped classifiers at any width; at full width torchvision's published weights fit them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torchvision.models import get_weight
from torchvision.models.resnet import BasicBlock

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.vgg import WIDTHS, VGGFeatures, standardize_rgb

LIGHTNESS_MEAN, LIGHTNESS_STD = 45.4391, 26.2266  # CIE L over the training pictures of methods.md, section 5
_HIDDEN = 4096  # width of VGG's published head
_POOLED = 7  # side of the map that this head sees


def standardize_lightness(lightness: Tensor) -> Tensor:
    """CIE L 0..100 to what the networks on lightness see. Any shape."""
    return (lightness - LIGHTNESS_MEAN) / LIGHTNESS_STD


class Backbone(nn.Module):
    """What both shapes have in common. Subclasses have `features(inputs, layers)` and `classify`.

    `features` takes normalised pictures, (B, in_channels, H, W), and names of maps; it returns them by name.
    """

    def __init__(self, title: str, in_channels: int, classes: int) -> None:
        super().__init__()
        if in_channels not in (1, 3):
            raise ValueError(f"in_channels must be 3 (RGB) or 1 (lightness), not {in_channels}")
        if classes < 1:
            raise ValueError(f"classes must be at least 1, not {classes}")
        self.title = title  # what logs call it; who loads trained weights says more
        self.in_channels = in_channels
        self.classes = classes

    def standardize(self, rgb: Tensor) -> Tensor:
        """What the network sees of a picture: (B, 3, H, W) sRGB 0..1 -> (B, in_channels, H, W), its L where that is 1.

        Differentiable. ValueError for another shape.
        """
        if rgb.dim() != 4 or rgb.shape[1] != 3:
            raise ValueError(f"expected (B, 3, H, W), got {tuple(rgb.shape)}")
        return standardize_rgb(rgb) if self.in_channels == 3 else standardize_lightness(rgb_to_lab(rgb)[:, :1])

    def classify(self, inputs: Tensor) -> Tensor:
        """Normalised pictures, (B, in_channels, H, W) -> logits, (B, classes)."""
        raise NotImplementedError

    def forward(self, rgb: Tensor) -> Tensor:
        """rgb: (B, 3, H, W) sRGB 0..1, sides of at least 32. Returns logits, (B, classes)."""
        return self.classify(self.standardize(rgb))


class VGG(Backbone):
    """VGG19, or at other widths; maps "relu1_1" .. "relu5_4" and "pool1" .. "pool5".

    head: "published", three dense layers on a 7x7 map, as torchvision has them, or "pooled", one on the mean of the
    last map: 16 thousand parameters for each 32 classes instead of 120 million, and no guess at the picture's size.
    """

    def __init__(self, widths: Iterable[int], in_channels: int, classes: int, norm: bool, head: str) -> None:
        super().__init__("vgg19", in_channels, classes)
        widths = tuple(widths)
        self.features = VGGFeatures("vgg19", widths, in_channels, norm)
        last = widths[-1]
        if head == "published":
            self.avgpool = nn.AdaptiveAvgPool2d(_POOLED)
            self.classifier = nn.Sequential(
                nn.Linear(last * _POOLED**2, _HIDDEN),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(_HIDDEN, _HIDDEN),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(_HIDDEN, classes),
            )
        else:
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(nn.Linear(last, classes))

    def classify(self, inputs: Tensor) -> Tensor:
        maps = self.features(inputs, ("pool5",))["pool5"]
        logits: Tensor = self.classifier(self.avgpool(maps).flatten(1))  # (B, C, s, s) -> (B, C s s) -> (B, classes)
        return logits


class ResNet(Backbone):
    """ResNet34, or at other widths; maps "conv1" (after batch norm and ReLU: our reading), "layer1" .. "layer4"."""

    layers = ("conv1", "layer1", "layer2", "layer3", "layer4")

    def __init__(self, widths: Iterable[int], in_channels: int, classes: int) -> None:
        super().__init__("resnet34", in_channels, classes)
        w1, w2, w3, w4 = widths
        self.conv1 = nn.Conv2d(in_channels, w1, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(w1)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(w1, w1, 3, stride=1)
        self.layer2 = _stage(w1, w2, 4, stride=2)
        self.layer3 = _stage(w2, w3, 6, stride=2)
        self.layer4 = _stage(w3, w4, 3, stride=2)
        self.fc = nn.Linear(w4, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, inputs: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """The maps of these names; what lies deeper is not computed.

        inputs: (B, in_channels, H, W), normalised. "conv1" is (B, w1, H/2, W/2), "layer1" .. "layer4" have 1/4, 1/8,
        1/16 and 1/32 of the sides, rounded up. ValueError for another shape or an unknown name.
        """
        wanted = set(layers)
        if unknown := sorted(wanted - set(self.layers)):
            raise ValueError(f"no map is called {', '.join(unknown)}; there are: {', '.join(self.layers)}")
        if inputs.dim() != 4 or inputs.shape[1] != self.in_channels:
            raise ValueError(f"expected (B, {self.in_channels}, H, W), got {tuple(inputs.shape)}")
        maps: dict[str, Tensor] = {}
        for name in self.layers:
            if len(maps) == len(wanted):
                break
            if name == "conv1":
                inputs = self.relu(self.bn1(self.conv1(inputs)))
            elif name == "layer1":
                inputs = self.layer1(self.maxpool(inputs))
            else:
                inputs = getattr(self, name)(inputs)
            if name in wanted:
                maps[name] = inputs
        return maps

    def classify(self, inputs: Tensor) -> Tensor:
        maps = self.features(inputs, ("layer4",))["layer4"]
        logits: Tensor = self.fc(maps.mean(dim=(2, 3)))  # (B, C, h, w) -> (B, C) -> (B, classes)
        return logits


def _stage(inside: int, outside: int, blocks: int, stride: int) -> nn.Sequential:
    """Residual blocks of two 3x3 convolutions, the first with the stride."""
    shortcut = None
    if stride > 1 or inside != outside:
        shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride=stride, bias=False), nn.BatchNorm2d(outside))
    first = BasicBlock(inside, outside, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(outside, outside) for _ in range(blocks - 1)))


def build(
    shape: str = "vgg19",
    scale: float = 1.0,
    in_channels: int = 3,
    classes: int = 1000,
    norm: str = "batch",
    head: str = "pooled",
) -> Backbone:
    """A classifier of a published shape with its widths times `scale`.

    shape: "vgg19" or "resnet34". in_channels: 3 for RGB, 1 for lightness. norm, of vgg19: "batch", or "none" as
    published, which does not train from scratch. head, of vgg19: "pooled" or "published" (see VGG).
    Values that do not exist, or not together, raise ValueError.
    """
    for name, value, choices in (
        ("shape", shape, ("vgg19", "resnet34")),
        ("norm", norm, ("batch", "none")),
        ("head", head, ("pooled", "published")),
    ):
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    if not scale > 0:
        raise ValueError(f"scale must be above 0, not {scale}")
    if shape == "vgg19":
        widths = [max(round(width * scale), 1) for width in WIDTHS]
        return VGG(widths, in_channels, classes, norm == "batch", head)
    if norm == "none":
        raise ValueError("resnet34 has no form without batch norm: norm must be batch")
    if head == "published":
        raise ValueError("resnet34's published head is the pooled one: head must be pooled")
    return ResNet([max(round(width * scale), 1) for width in (64, 128, 256, 512)], in_channels, classes)


_PUBLISHED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "vgg19": ("VGG19_Weights.IMAGENET1K_V1", {"norm": "none", "head": "published"}),
    "resnet34": ("ResNet34_Weights.IMAGENET1K_V1", {}),
}


def from_torchvision(shape: str = "vgg19") -> Backbone:
    """The network with torchvision's ImageNet weights, downloaded on first use. UsageError where that fails."""
    if shape not in _PUBLISHED:
        raise UsageError(f"torchvision's weights are used for {', '.join(_PUBLISHED)}, not for {shape!r}")
    name, settings = _PUBLISHED[shape]
    with torch.device("meta"):
        network = build(shape, **settings)  # type: ignore[arg-type]
    try:
        state = get_weight(name).get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:  # no network, a proxy's answer, a wrong hash
        raise UsageError(f"torchvision's {name} cannot be had: {error}; give a weights file instead") from error
    network.load_state_dict(state, assign=True)
    network.title = f"{shape}, torchvision's {name}"
    return network.eval()


class Features(nn.Module):
    """One map of a trained backbone as the measure of a perceptual loss: the backbone is fixed, pictures get gradients.

    The backbone becomes part of this module: an objective keeps it in its `companions`, not as a submodule.
    """

    def __init__(self, backbone: Backbone, layer: str) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        self.layer = layer
        self.title = f"{layer} of {backbone.title}"

    def train(self, mode: bool = True) -> Features:
        """Stays in evaluation mode: the statistics of batch norms are fixed as the weights are."""
        del mode
        return super().train(False)

    def forward(self, rgb: Tensor) -> Tensor:
        """rgb: (B, 3, H, W) sRGB 0..1. Returns the map, (B, C, h, w)."""
        features: Tensor = self.backbone.features(self.backbone.standardize(rgb), (self.layer,))[self.layer]  # type: ignore[operator]
        return features
