"""What a method is, as data."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from colorcli.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


class Predict(Protocol):
    """What a method is asked for a batch of photos."""

    def __call__(self, lightness: Tensor, /, *given: Tensor | None) -> Tensor:
        """lightness: (B, 1, H, W) CIE L 0..100, sides multiples of the method's. given, in this order, as far as the
        method takes them: the embeddings of the photos' references, (B, E), and which of the references' regions each
        pixel takes after, (B, H, W), E being of all regions then, or None; hints, (B, 3, H, W), CIE ab and a mask that
        is 1 where there is a hint, all 0 elsewhere, or None; seeds, (B,) int64, or None. Returns CIE ab, (B, 2, H, W)
        float32, not finite for a photo that it cannot colour; with further planes where it was asked for what
        `MethodSpec.showing` shows besides.
        """


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """The facts of one method; its code is named as `module:attribute` and imported on demand."""

    name: str
    title: str
    task: str  # "auto" or "exemplar"; of other networks "classification", "saliency" or "stylization"
    paper: str
    year: int
    licence: str  # of our implementation and our weights
    network: str  # "module:build", build(**settings) -> nn.Module; "" where the networks are those of `parts`
    # "module:Predictor", Predictor(network, gain), a `Predict`: lightness -> chroma. Of a method of several networks
    # Predictor(*networks, gain), in the order of `parts`. `choices` are further arguments, by their names.
    predictor: str
    objective: (
        str  # "module:Objective", Objective(network, settings), what training minimises; "" if it cannot be trained
    )
    variants: Mapping[str, Mapping[str, Any]]  # name -> settings of the network
    size: int = 256  # side of the square that the network is meant for, pixels
    multiple: int = 8  # sides of the network's input are multiples of this
    half: bool = True  # bf16 and fp16 give usable results
    temporal: bool = False  # sees more than one frame
    # The predictor is also called with embeddings, which its `embed` makes of references: (B, 3, h, w) sRGB 0..1 of any
    # size -> (B, E) float32. Its `content`, lightness -> (B, F), of length 1, is near for photos that show like things.
    needs_reference: bool = False
    # The predictor is called with CIE Lab (B, 3, H, W) in place of lightness, and returns what is to be added to that.
    sees_color: bool = False
    # Of one with a reference: its `embed` also takes a map of the reference's regions and their number, and the
    # predictor is also called with a map of the photo's.
    takes_segments: bool = False
    takes_hints: bool = False  # the predictor is also called with hints
    draws: bool = False  # the predictor is also called with seeds: a photo's result is drawn by its seed alone
    # What it shows besides, of one kind at most:
    attention: bool = False  # the predictor has `with_attention`: (lightness) -> (chroma, where the network looked)
    # Of one with a reference: the predictor has `with_matches`, (lightness, embeddings) -> (chroma; the references'
    # chroma brought to the photo, (B, 2, H, W) CIE ab; how alike a place and its match are on each of N levels, finest
    # first, to the reference and then there and back, (B, 2 N, H, W), -1..1; where the match lies in the reference,
    # (B, 2, H, W), row and column, 0..1 from its first to its last). Its `there_and_back`, (lightness, embeddings, the
    # photo's own chroma), takes that to the reference's places and back, (B, 2, H, W); None for weights without
    # matches.
    matches: bool = False
    # Names of the steps that a person may look at: the predictor has `with_stages`, called as it is itself, which gives
    # (chroma, each step's chroma (B, 2 S, H, W)).
    stages: tuple[str, ...] = ()
    published: Mapping[str, Any] | None = None  # network settings of the published checkpoint, where it can be imported
    translate: str = (
        ""  # "module:function", (a published file's content, its name) -> tensors by our names; "": they are so
    )
    settings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # further network settings and their choices
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what a person may choose; the default first
    parts: tuple[str, ...] = ()  # METHOD-PART of each of several networks; the last gives the chroma: its gain and size

    @property
    def showing(self) -> str:
        """The predictor's call that gives the chroma and what the method shows besides, as a tuple; "": nothing."""
        calls = {"with_attention": self.attention, "with_matches": self.matches, "with_stages": bool(self.stages)}
        return next((name for name, has in calls.items() if has), "")

    def load(self, role: str) -> Callable[..., Any]:
        """Import `network`, `predictor`, `objective` or `translate`; UsageError where the method has none."""
        module, _, attribute = str(getattr(self, role)).partition(":")
        if not module:
            raise UsageError(f"{self.name} has no {role} yet")
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
        return loaded
