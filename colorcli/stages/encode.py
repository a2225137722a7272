"""Colored -> Finished: chroma joined with the photo's own full lightness, written under its final name."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorcli.color.chroma import guide
from colorcli.color.gamut import fit_to_gamut, gamut_table
from colorcli.color.heat import heat_table
from colorcli.color.lab import lab_to_rgb
from colorcli.color.places import place_colours
from colorcli.errors import PhotoError
from colorcli.items import Colored, Failure, Finished, Reference
from colorcli.media.attention import attention_map
from colorcli.media.matches import match_pictures
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
    """Recombine and write one photo, and where the network looked or its matches if that was asked for.

    What cannot be written is a Failure and leaves nothing behind. Errors: ColorizeError where the disk is full or takes
    no files: it would be every photo's failure.
    """
    job = colored.photo.job
    slope, offset = guide(colored.photo.lightness[None], colored.chroma[None])  # (1, 2, h, w)
    maps = [part[0].permute(1, 2, 0).contiguous().numpy() for part in (slope, offset)]  # (1, 2, h, w) -> (h, w, 2)
    try:
        told = _told(options, job.reference)
        with _attention(colored), _matches(colored, told):
            notes = write_result(job, maps[0], maps[1], _gamut(), told)
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
    if colored.shown is None or photo.job.attention is None:
        return nullcontext()
    return attention_map(photo.job.attention, colored.shown[0].numpy(), _heat(), photo.header)


def _matches(colored: Colored, options: ResultOptions) -> AbstractContextManager[None]:
    """The pictures of matches, there when the result is; the planes are those of `MethodSpec.matches`."""
    photo, shown = colored.photo, colored.shown
    if shown is None or photo.job.matches is None:
        return nullcontext()
    chroma, alike, places = shown[:2], shown[2:-2], shown[-2:]  # (2, h, w), (2 N, h, w), (2, h, w)
    coloured = lab_to_rgb(fit_to_gamut(torch.cat((photo.lightness, chroma))[None]))
    steps = (255 * alike.clamp(0, 1)).round().int().numpy()  # what is less than unlike is as dark
    there, back = np.split(_heat()[steps], 2)  # (2 N, h, w) -> 2 x (N, h, w, 3)
    return match_pictures(
        photo.job.matches,
        _bytes(coloured),
        [list(there), list(back)],
        _bytes(place_colours(places[None])),
        photo.header,
        options.provenance,
    )


def _bytes(rgb: Tensor) -> NDArray[np.uint8]:
    """sRGB 0..1, (1, 3, h, w) -> (h, w, 3)."""
    pixels: NDArray[np.uint8] = (255 * rgb[0]).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return pixels
