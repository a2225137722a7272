"""The networks of one weights file: similarity features of lightness, and the U-Net that the matches guide.

PatchMatch stands between them; it has no weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from colorcli.methods.backbone.network import ResNet, build, standardize_lightness
from colorcli.methods.blocks import CHROMA_SCALE, refuse_odd
from colorcli.methods.multimodal.guidance import LEVELS, SIMILARITIES
from colorcli.methods.multimodal.patchmatch.match import Matches
from colorcli.methods.multimodal.patchmatch.pyramid import match_levels
from colorcli.methods.multimodal.unet import MULTIPLE, UNet


class Multimodal(nn.Module):
    """Similarity net and U-Net.

    widths: of the U-Net, published (64, 128, 256, 512, 1024). similarity: scale of the ResNet34's widths, published 1.
    matches: "on", or "off" for the thesis' ablation: the U-Net then sees lightness and twelve planes of 0.
    reach: how many rows and columns a match may lie away from where the coarser level's points; 0: any number. That
    finer levels do not leave what the coarser ones found is our reading, after Liao et al. 2017 (deep image analogy):
    colour comes from where the same thing is shown, not from where the same texture is.
    reference_side: pixels of the square that references are stretched to. Values that do not exist raise ValueError.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        similarity: float = 1.0,
        matches: str = "on",
        reach: int = 4,
        reference_side: int = 256,
    ) -> None:
        super().__init__()
        if matches not in ("on", "off"):
            raise ValueError(f"matches must be on or off, not {matches!r}")
        if reach < 0:
            raise ValueError(f"reach must be 0 or more, not {reach}")
        if reference_side < MULTIPLE:
            raise ValueError(f"reference_side must be at least {MULTIPLE}, not {reference_side}")
        self.matches = matches == "on"
        self.reach = reach
        self.reference_side = reference_side
        trunk = build("resnet34", similarity, in_channels=1, classes=1)
        assert isinstance(trunk, ResNet)
        del trunk.fc  # it is a classifier in its own training only
        self.similarity = trunk
        self.colorization = UNet(1 + 2 + SIMILARITIES, widths)

    def train(self, mode: bool = True) -> Multimodal:
        """The similarity net stays in evaluation mode: it is trained before, as a classifier."""
        super().train(mode)
        self.similarity.eval()
        return self

    def start_from(self, trained: ResNet) -> None:
        """Take over a classifier on lightness. ValueError where its widths or its input are others."""
        own = self.similarity.state_dict()
        given = {name: value for name, value in trained.state_dict().items() if not name.startswith("fc.")}
        other = [name for name in own if name not in given or given[name].shape != own[name].shape]
        if other:
            raise ValueError(f"its layers are not those of the similarity net: {', '.join(other[:3])}, ...")
        self.similarity.load_state_dict(given)

    @torch.no_grad()
    def levels(self, lightness: Tensor) -> list[Tensor]:
        """Similarity features: (B, 1, H, W) CIE L -> five maps, finest first, with 1/2 to 1/32 of the sides."""
        maps = self.similarity.features(standardize_lightness(lightness), LEVELS)
        return [maps[name] for name in LEVELS]

    def match(self, target: Sequence[Tensor], reference: Sequence[Tensor]) -> list[Matches]:
        """PatchMatch on all levels of `levels`, finest first; ValueError for features that are not finite."""
        return match_levels(target, reference, reach=self.reach or None)

    def paint(self, lightness: Tensor, chroma: Tensor | None, similarities: Tensor | None) -> Tensor:
        """The U-Net's chroma / 110, (B, 2, H, W), -1..1.

        lightness: (B, 1, H, W) CIE L, sides multiples of 16. chroma: (B, 2, H, W) CIE ab, warped. similarities:
        (B, 10, H, W). None for both, or `matches` off: zeros. Wrong shapes raise ValueError.
        """
        refuse_odd(lightness, 1, MULTIPLE)
        standard = standardize_lightness(lightness)
        if chroma is None or similarities is None or not self.matches:
            further = standard.new_zeros(len(standard), 2 + SIMILARITIES, *standard.shape[2:])
        else:
            further = torch.cat((chroma / CHROMA_SCALE, similarities), dim=1)  # (B, 2 + 10, H, W)
            expected = (len(standard), 2 + SIMILARITIES, *standard.shape[2:])
            if further.shape != expected:
                raise ValueError(f"expected guidance {expected}, got {tuple(further.shape)}")
        painted: Tensor = self.colorization(torch.cat((standard, further), dim=1))  # (B, 13, H, W) -> (B, 2, H, W)
        return painted
