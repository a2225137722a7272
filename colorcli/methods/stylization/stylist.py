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
from colorcli.methods.stylization.transforms import TRANSFORMS, labels_of, match, measure, regions

SITES = ("encoder", "skips", "decoder")  # of the network, where a transform can be applied (the paper's Fig. 5)
_SITE_OF = {"encoder": "encoder", "skip": "skips", "pooled": "skips", "decoder": "decoder"}

Segments = tuple[Tensor, Tensor]
"""Label maps of a content, (B, h, w) integers, and of a style: pixels of one label take after those of the same label.
Their sizes need not be the pictures'."""


@dataclass(frozen=True, slots=True)
class Style:
    """What is known of a style: statistics of its map at each place of the network, for one transform."""

    measured: Mapping[str, Tensor]  # (B, R, n) float32, as of `measure`
    labels: tuple[int, ...] = ()  # of its R regions; (): one, all of the picture

    def vector(self) -> Tensor:
        """All of its numbers in a row, region after region, (B, R E) float32; without its labels."""
        return torch.cat(tuple(self.measured.values()), dim=2).flatten(1)  # (B, R, n), ... -> (B, R, E) -> (B, R E)


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
        """E, how many numbers a style without labels is, or one of its regions."""
        return sum(self._transform.length(channels) for channels in self._places.values())

    @torch.inference_mode()
    def look(self, style: Tensor, labels: Tensor | None = None, known: Sequence[int] = ()) -> Style:
        """Measure styles. style: (B, 3, h, w) sRGB 0..1; sides that are no multiples of 8 are brought to the nearest.

        labels: (B, h', w') integers, with `known`, the labels that matter. ValueError for another shape.
        """
        if style.dim() != 4 or style.shape[1] != 3:
            raise ValueError(f"expected a style (B, 3, h, w), got {tuple(style.shape)}")
        measured: dict[str, Tensor] = {}
        labels = _placed(labels, style)

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

    def from_vector(self, numbers: Tensor, *, labelled: bool = False) -> Style:
        """The inverse of `Style.vector`: (B, E) -> a style without labels. ValueError for another shape.

        labelled: (B, R E) -> one whose labels are 0 .. R - 1.
        """
        count = numbers.shape[1] // self.length if labelled and numbers.dim() == 2 else 1
        if numbers.dim() != 2 or count < 1 or numbers.shape[1] != count * self.length:
            expected = f"a multiple of {self.length}" if labelled else self.length
            raise ValueError(f"expected styles (B, {expected}), not {tuple(numbers.shape)}")
        lengths = [self._transform.length(channels) for channels in self._places.values()]
        by_region = numbers.reshape(len(numbers), count, self.length)  # (B, R E) -> (B, R, E)
        parts = torch.split(by_region, lengths, dim=2)  # (B, R, E) -> (B, R, n), ...
        return Style(dict(zip(self._places, parts, strict=True)), tuple(range(count)) if labelled else ())

    @torch.inference_mode()
    def apply(self, content: Tensor, style: Style, labels: Tensor | None = None) -> Tensor:
        """Pictures in a style that was measured. content: (B, 3, H, W) sRGB 0..1, sides multiples of 8.

        style: for B pictures, or for one that all take after. labels: (B, h, w), where the style has labels. Returns
        (B, 3, H, W) float32, 0..1. ValueError for other shapes, and for labels of one side alone.
        """
        count = len(next(iter(style.measured.values())))
        if count not in (1, len(content)):
            raise ValueError(f"expected styles of {len(content)} pictures or of one, not of {count}")
        if (labels is not None) is not bool(style.labels):
            raise ValueError("expected labels for the content where the style has some, and nowhere else")
        labels = _placed(labels, content)

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


def _placed(labels: Tensor | None, pictures: Tensor) -> Tensor | None:
    """Label maps where their pictures are. ValueError for another shape than (B, h, w)."""
    if labels is None:
        return None
    if labels.dim() != 3 or len(labels) != len(pictures):
        raise ValueError(f"expected segments ({len(pictures)}, h, w), got {tuple(labels.shape)}")
    return labels.to(pictures.device)


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
