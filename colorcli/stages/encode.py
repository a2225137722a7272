"""Colored -> Finished: chroma joined with the photo's own full lightness, written under its final name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorcli.color.chroma import guide, guide_change
from colorcli.color.gamut import gamut_table
from colorcli.color.heat import heat_table
from colorcli.color.lab import lab_to_rgb
from colorcli.errors import PhotoError
from colorcli.items import Colored, Failure, Finished, Reference
from colorcli.media.attention import attention_map
from colorcli.media.further import further_picture, row
from colorcli.media.results import ResultOptions, write_result

_NEARLY_GRAY = 4.0  # mean CIE chroma under which a person sees a gray picture


@lru_cache(maxsize=1)
def _gamut() -> NDArray[np.float32]:
    table: NDArray[np.float32] = gamut_table().numpy()
    return table


@lru_cache(maxsize=1)
def _heat() -> NDArray[np.uint8]:
    table: NDArray[np.uint8] = heat_table().numpy()
    return table


def encode(colored: Colored, options: ResultOptions) -> Finished | Failure:
    """Recombine and write one photo, and where the network looked, and its stages, if these were asked for.

    What cannot be written is a Failure and leaves nothing behind. Errors: ColorizeError where the disk is full or takes
    no files: it would be every photo's failure.
    """
    job = colored.photo.job
    guiding = guide if colored.photo.chroma is None else guide_change
    slope, offset = guiding(colored.photo.lightness[None], colored.chroma[None])  # (1, 2 or 3, h, w)
    maps = [part[0].permute(1, 2, 0).contiguous().numpy() for part in (slope, offset)]  # -> (h, w, 2 or 3)
    try:
        with _further(colored):
            notes = write_result(job, maps[0], maps[1], _gamut(), _told(options, job.reference))
    except PhotoError as error:
        return job.failed("encode", str(error))
    # A person who asks for less saturation knows why the result is gray.
    own = colored.photo.chroma
    shown = colored.chroma if own is None else own + colored.chroma[1:]
    chroma = float(shown.norm(dim=0).mean()) * max(options.saturation, 1.0)
    if chroma < _NEARLY_GRAY:
        notes = (*notes, f"the result is nearly gray (mean chroma {chroma:.1f}): the network saw little to go by")
    return Finished(job, (*colored.photo.notes, *notes))


def _told(options: ResultOptions, reference: Reference | None) -> ResultOptions:
    """The options whose provenance names the photo's reference."""
    if reference is None or options.provenance is None:
        return options
    return replace(options, provenance=replace(options.provenance, reference=reference.sha256))


@contextmanager
def _further(colored: Colored) -> Iterator[None]:
    """The attention map and the stages, there when the result is."""
    photo, job = colored.photo, colored.photo.job
    with ExitStack() as pictures:
        if colored.attention is not None and job.attention is not None:
            pictures.enter_context(attention_map(job.attention, colored.attention.numpy(), _heat(), photo.header))
        if colored.stages is not None and job.stages is not None:
            pictures.enter_context(further_picture(job.stages, row(_steps(colored, colored.stages)), "the stages"))
        yield


def _steps(colored: Colored, stages: Tensor) -> NDArray[np.uint8]:
    """The photo in gray, after each of its stages, (S, 2, h, w), and in its final colour: (S + 2, h, w, 3) sRGB."""
    chroma = torch.cat((torch.zeros_like(stages[:1]), stages, colored.chroma[None]))  # (S + 2, 2, h, w)
    lightness = colored.photo.lightness.expand(len(chroma), 1, -1, -1)  # (1, h, w) -> (S + 2, 1, h, w)
    rgb = lab_to_rgb(torch.cat((lightness, chroma), dim=1)).permute(0, 2, 3, 1)  # (N, 3, h, w) -> (N, h, w, 3)
    pixels: NDArray[np.uint8] = (255 * rgb).round().to(torch.uint8).numpy()
    return pixels
