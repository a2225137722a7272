"""Multimodal's prediction: lightness and a reference -> matches -> chroma; the matches themselves for who asks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import UsageError
from colorcli.methods.blocks import CHROMA_SCALE, refuse_odd
from colorcli.methods.multimodal.guidance import from_reference, places, similarities, there_and_back
from colorcli.methods.multimodal.network import Multimodal
from colorcli.methods.multimodal.patchmatch.match import Match, Matches
from colorcli.methods.multimodal.patchmatch.patches import measurable
from colorcli.methods.multimodal.unet import MULTIPLE
from colorcli.methods.references import squared, summarized


@dataclass(frozen=True, slots=True)
class Guidance:
    """What a photo's matches are: to be shown to a person, and given to the U-Net."""

    chroma: Tensor  # (B, 2, H, W) CIE ab of the reference, warped to the photo
    similarities: Tensor  # (B, 10, H, W), -1..1: T -> R of the five levels, finest first, then T -> R -> T
    places: Tensor  # (B, 2, H, W): row and column of the finest level's match in the reference, 0..1


class Predictor:
    """Chroma for a lightness in the colours of a reference, which lies in its embedding as it is.

    gain: fitted on validation photos after training (the best single factor on the predicted chroma); 1 for none.
    """

    def __init__(self, network: Multimodal, gain: float = 1.0) -> None:
        self.network = network
        self.gain = gain

    @torch.inference_mode()
    def embed(self, reference: Tensor) -> Tensor:
        """reference: (B, 3, h, w) sRGB 0..1, of any size. Returns its CIE Lab, (B, 3 side side) float32.

        No vector can stand for a reference here: each of its places may be a match. It is stretched to the square that
        the network wants (bilinear, antialiased). Wrong shapes raise ValueError.
        """
        return rgb_to_lab(squared(reference, self.network.reference_side)).flatten(1)  # -> (B, 3 side side)

    @torch.inference_mode()
    def content(self, lightness: Tensor) -> Tensor:
        """What a photo shows and where, as a vector that is near for like photos: no part of the thesis.

        lightness: as of `__call__`. Returns (B, 16 w4) float32 of length 1: the similarity net's deepest map, averaged
        in 4x4 cells.
        """
        refuse_odd(lightness, 1, MULTIPLE)
        return summarized(self.network.levels(lightness)[-1])

    @torch.inference_mode()
    def matches(self, lightness: Tensor, z: Tensor) -> list[Matches]:
        """PatchMatch of photos with their references on the five levels, finest first; arguments as of `__call__`.

        The finest has half of the photo's sides, and of the reference's square. Computed in fp32 whatever the caller's
        precision is: a match that tips to another place is another colour. Photos whose features, or whose references',
        are not finite or too large have no matches: their similarities are NaN, and their fields mean nothing.
        """
        refuse_odd(lightness, 1, MULTIPLE)
        reference = self._lab(lightness, z)[:, :1]
        with torch.autocast(lightness.device.type, enabled=False):
            target, other = (self.network.levels(maps) for maps in (lightness.float(), reference))
            other = [maps.expand(len(lightness), -1, -1, -1) for maps in other]
            sound = torch.stack([measurable(maps) for maps in (*target, *other)]).all(0)  # (B,)
            kept = sound[:, None, None, None]
            target, other = ([maps.where(kept, 0.0) for maps in levels] for levels in (target, other))
            found = self.network.match(target, other)
        return found if bool(sound.all()) else [_without(matches, ~sound) for matches in found]

    @torch.inference_mode()
    def guidance(self, lightness: Tensor, z: Tensor) -> Guidance:
        """What the U-Net is told of photos and their references; arguments as of `__call__`."""
        found = self.matches(lightness, z)
        chroma = self._lab(lightness, z)[:, 1:].expand(len(lightness), -1, -1, -1)
        size = (lightness.shape[2], lightness.shape[3])
        return Guidance(from_reference(found, chroma, size), similarities(found, size), places(found, size))

    def _lab(self, lightness: Tensor, z: Tensor) -> Tensor:
        """The references that embeddings are: (b, 3, side, side), b the number of photos or 1."""
        side = self.network.reference_side
        numbers = 3 * side**2
        if z.dim() != 2 or z.shape[1] != numbers or len(z) not in (1, len(lightness)):
            raise ValueError(
                f"expected embeddings ({len(lightness)}, {numbers}) or (1, {numbers}), not {tuple(z.shape)}"
            )
        return torch.unflatten(z.float(), 1, (3, side, side))  # (b, 3 side side) -> (b, 3, side, side)

    @torch.inference_mode()
    def __call__(self, lightness: Tensor, z: Tensor) -> Tensor:
        """lightness: (B, 1, H, W) CIE L 0..100, sides multiples of 16. z: of `embed`, (B, E), or (1, E) for all photos.

        Returns CIE ab, (B, 2, H, W) float32; NaN for photos whose features, or whose references', are not finite. Wrong
        shapes raise ValueError.
        """
        return self._chroma(lightness, self.guidance(lightness, z) if self.network.matches else None)

    @torch.inference_mode()
    def with_matches(self, lightness: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The chroma, and what it was guided by: `Guidance`'s three maps. Arguments as of `__call__`.

        A network without matches raises UsageError.
        """
        if not self.network.matches:
            raise UsageError("these weights of multimodal have no matches: they were trained with matches = off")
        guide = self.guidance(lightness, z)
        return self._chroma(lightness, guide), guide.chroma, guide.similarities, guide.places

    @torch.inference_mode()
    def there_and_back(self, lightness: Tensor, z: Tensor, chroma: Tensor) -> Tensor | None:
        """The photos' own chroma, (B, 2, H, W) CIE ab, after a way through their references' places (T -> R -> T).

        Other arguments as of `__call__`. None of a network without matches.
        """
        return there_and_back(self.matches(lightness, z), chroma) if self.network.matches else None

    def _chroma(self, lightness: Tensor, guide: Guidance | None) -> Tensor:
        shown = (None, None) if guide is None else (guide.chroma, guide.similarities)
        return self.network.paint(lightness, *shown).float() * (CHROMA_SCALE * self.gain)


def _without(matches: Matches, lost: Tensor) -> Matches:
    """The matches, with similarity NaN for the photos that are `lost`, (B,) bool."""
    nan = torch.full((), torch.nan, device=lost.device)
    ways = (matches.forward, matches.backward)
    there, back = (Match(way.field, torch.where(lost[:, None, None], nan, way.similarity)) for way in ways)
    return Matches(there, back)
