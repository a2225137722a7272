"""Photorealistic stylization: a picture in the colours of another, by the transfer sub-net and a transform."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.methods.stylization.transfer import MULTIPLE, TransferNet
from colorcli.methods.stylization.transforms import TRANSFORMS, Measured, labels_of, match, measure, regions

SITES = ("encoder", "skips", "decoder")  # of the network, where a transform can be applied (the paper's Fig. 5)
_SITE_OF = {"encoder": "encoder", "skip": "skips", "pooled": "skips", "decoder": "decoder"}

Segments = tuple[Tensor, Tensor]
"""Label maps of a content, (B, h, w) integers, and of a style: pixels of one label take after those of the same label.
Their sizes need not be the pictures'."""


@dataclass(frozen=True, slots=True)
class Style:
    """What is known of a style: statistics of its map at each place of the network, for one transform."""

    measured: Mapping[str, Measured]
    labels: tuple[int, ...] = ()  # of its regions, as `Measured` has them; (): one, all of the picture

    def vector(self) -> Tensor:
        """All of its numbers in a row, (B, E) float32. Only of a style without labels."""
        return torch.cat([measured.numbers[:, 0] for measured in self.measured.values()], dim=1)


class Stylist:
    """Pictures in the colours of others.

    transform: "adain" or "wct". sites: where it is applied: after each of the encoder's levels 1 to 4, on the maps that
    the decoder takes from the encoder ("skips"), on the decoder's own maps. For these the style is decoded, too: their
    channels are comparable with nothing else (our reading). UsageError for others.
    """

    def __init__(self, network: TransferNet, transform: str = "adain", sites: Sequence[str] = SITES) -> None:
        if transform not in TRANSFORMS:
            raise UsageError(f"transform must be one of {', '.join(TRANSFORMS)}, not {transform!r}")
        if not sites or set(sites) - set(SITES):
            raise UsageError(f"sites must be some of {', '.join(SITES)}, not {', '.join(sites) or 'none'}")
        self.network = network
        self._transform = TRANSFORMS[transform]
        self._places = {
            place: channels
            for place, channels in network.places.items()
            if _SITE_OF[place.rstrip("1234")] in sites
            # what passes on from a changed level of the encoder is as the style already
            and not (place.startswith("skip") and "encoder" in sites)
        }
        self._decodes = "decoder" in sites

    @property
    def length(self) -> int:
        """E, how many numbers a style without labels is."""
        return sum(self._transform.length(channels) for channels in self._places.values())

    @torch.inference_mode()
    def look(self, style: Tensor, labels: Tensor | None = None, known: Sequence[int] = ()) -> Style:
        """Measure styles. style: (B, 3, h, w) sRGB 0..1; sides that are no multiples of 8 are brought to the nearest.

        labels: (B, h', w') integers, with `known`, the labels that matter. ValueError for another shape.
        """
        if style.dim() != 4 or style.shape[1] != 3:
            raise ValueError(f"expected a style (B, 3, h, w), got {tuple(style.shape)}")
        measured: dict[str, Measured] = {}
        labels = None if labels is None else labels.to(style.device)

        def record(place: str, features: Tensor) -> Tensor:
            if place in self._places:
                where = None if labels is None else regions(labels, known, *features.shape[2:])
                measured[place] = measure(self._transform, features, where)
            return features

        rgb = resized(style.float(), *(max(round(side / MULTIPLE), 1) * MULTIPLE for side in style.shape[2:]))
        maps = self.network.encode(rgb, record)
        if self._decodes:
            self.network.decoder(*maps, record)
        return Style(measured, tuple(known) if labels is not None else ())

    def from_vector(self, numbers: Tensor) -> Style:
        """The inverse of `Style.vector`: (B, E) -> a style without labels. ValueError for another shape."""
        if numbers.dim() != 2 or numbers.shape[1] != self.length:
            raise ValueError(f"expected styles (B, {self.length}), not {tuple(numbers.shape)}")
        lengths = [self._transform.length(channels) for channels in self._places.values()]
        present = numbers.new_ones((len(numbers), 1), dtype=torch.bool)
        parts = torch.split(numbers, lengths, dim=1)
        return Style({place: Measured(part[:, None], present) for place, part in zip(self._places, parts, strict=True)})

    @torch.inference_mode()
    def apply(self, content: Tensor, style: Style, labels: Tensor | None = None) -> Tensor:
        """Pictures in a style that was measured. content: (B, 3, H, W) sRGB 0..1, sides multiples of 8.

        style: for B pictures, or for one that all take after. labels: (B, h, w), where the style has labels. Returns
        (B, 3, H, W) float32, 0..1. ValueError for other shapes, and for labels of one side alone.
        """
        count = len(next(iter(style.measured.values())).numbers)
        if count not in (1, len(content)):
            raise ValueError(f"expected styles of {len(content)} pictures or of one, not of {count}")
        if (labels is not None) is not bool(style.labels):
            raise ValueError("expected labels for the content where the style has some, and nowhere else")
        labels = None if labels is None else labels.to(content.device)

        def change(place: str, features: Tensor) -> Tensor:
            if place not in self._places:
                return features
            where = None if labels is None else regions(labels, style.labels, *features.shape[2:])
            return match(self._transform, features, style.measured[place], where)

        painted: Tensor = self.network(content, change)
        return painted.float().clamp(0, 1)

    def stylize(self, content: Tensor, style: Tensor, segments: Segments | None = None) -> Tensor:
        """Pictures in the colours of others: content as of `apply`, style as of `look`. Returns as `apply`.

        segments: see `Segments`. UsageError for labels that only one side has.
        """
        if segments is None:
            return self.apply(content, self.look(style))
        known = labels_of(*segments)
        return self.apply(content, self.look(style, segments[1], known), segments[0])


def near(side: int, height: int, width: int) -> tuple[int, int]:
    """Height and width, multiples of 8, of a picture of this shape with an area near side x side."""
    scale = side / math.sqrt(height * width)
    rows, columns = (max(round(scale * length / MULTIPLE), 1) * MULTIPLE for length in (height, width))
    return rows, columns


def resized(rgb: Tensor, height: int, width: int) -> Tensor:
    """(B, 3, h, w) -> (B, 3, height, width), bilinear, antialiased; as it is where it has that size."""
    if tuple(rgb.shape[2:]) == (height, width):
        return rgb
    return F.interpolate(rgb, (height, width), mode="bilinear", antialias=True).clamp(0, 1)
