"""The plain network of Zhang et al. 2017, with the published layout of its parts."""

from __future__ import annotations

from collections.abc import Sequence

from colorcli.methods.blocks import Backbone17


class Siggraph17(Backbone17):
    """Lightness, hint chroma and hint mask to chroma. `classes` = 529 is the published head, 0 leaves it out."""

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512), classes: int = 0) -> None:
        super().__init__(widths, in_channels=4, classes=classes)
