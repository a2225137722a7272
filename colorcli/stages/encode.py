"""Colored -> Finished: chroma joined with the photo's own full lightness, written under its final name."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from colorcli.color.chroma import guide
from colorcli.color.gamut import gamut_table
from colorcli.color.heat import heat_table
from colorcli.errors import PhotoError
from colorcli.items import Colored, Failure, Finished, Reference
from colorcli.media.attention import attention_map
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
    """Recombine and write one photo, and where the network looked if that was asked for.

    What cannot be written is a Failure and leaves nothing behind. Errors: ColorizeError where the disk is full or takes
    no files: it would be every photo's failure.
    """
    job = colored.photo.job
    slope, offset = guide(colored.photo.lightness[None], colored.chroma[None])  # (1, 2, h, w)
    maps = [part[0].permute(1, 2, 0).contiguous().numpy() for part in (slope, offset)]  # (1, 2, h, w) -> (h, w, 2)
    try:
        with _attention(colored):
            notes = write_result(job, maps[0], maps[1], _gamut(), _told(options, job.reference))
    except PhotoError as error:
        return job.failed("encode", str(error))
    # A person who asks for less saturation knows why the result is gray.
    chroma = float(colored.chroma.norm(dim=0).mean()) * max(options.saturation, 1.0)
    if chroma < _NEARLY_GRAY:
        notes = (*notes, f"the result is nearly gray (mean chroma {chroma:.1f}): the network saw little to go by")
    return Finished(job, (*colored.photo.notes, *notes))


def _told(options: ResultOptions, reference: Reference | None) -> ResultOptions:
    """The options whose provenance names the photo's reference."""
    if reference is None or options.provenance is None:
        return options
    return replace(options, provenance=replace(options.provenance, reference=reference.sha256))


def _attention(colored: Colored) -> AbstractContextManager[None]:
    """The attention map, there when the result is."""
    photo = colored.photo
    if colored.attention is None or photo.job.attention is None:
        return nullcontext()
    return attention_map(photo.job.attention, colored.attention.numpy(), _heat(), photo.header)
