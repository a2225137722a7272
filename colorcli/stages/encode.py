"""Colored -> Finished: chroma joined with the photo's own full lightness, written under its final name."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorcli.color.chroma import guide, guide_change
from colorcli.color.gamut import fit_to_gamut, gamut_table
from colorcli.color.heat import heat_table
from colorcli.color.lab import lab_to_rgb
from colorcli.color.places import place_colours
from colorcli.errors import PhotoError
from colorcli.items import Colored, Failure, Finished, Photo, Reference
from colorcli.media.attention import attention_map
from colorcli.media.matches import match_pictures
from colorcli.media.results import Ready, ResultOptions, write_result
from colorcli.media.steps import stages_picture

_NEARLY_GRAY = 4.0  # mean CIE chroma under which a person sees a gray picture


@lru_cache(maxsize=1)
def gamut() -> NDArray[np.float32]:
    """`gamut_table`, made once."""
    table: NDArray[np.float32] = gamut_table().numpy()
    return table


@lru_cache(maxsize=1)
def _heat() -> NDArray[np.uint8]:
    table: NDArray[np.uint8] = heat_table().numpy()
    return table


def encode(colored: Colored, options: ResultOptions, ready: Ready = lambda _: None) -> Finished | Failure:
    """Recombine and write one photo, and the pictures of what the method shows besides, if these were asked for.

    ready: told of the result and its comparison when they are whole and do not bear their names yet.
    What cannot be written is a Failure and leaves nothing behind. Errors: ColorizeError where the disk is full or takes
    no files: it would be every photo's failure.
    """
    job = colored.photo.job
    guiding = guide if colored.photo.chroma is None else guide_change
    slope, offset = guiding(colored.photo.lightness[None], colored.chroma[None])  # (1, 2 or 3, h, w)
    maps = [part[0].permute(1, 2, 0).contiguous().numpy() for part in (slope, offset)]  # -> (h, w, 2 or 3)
    try:
        told = _told(options, job.reference)
        with _pictures(colored, told):
            notes = write_result(job, maps[0], maps[1], gamut(), told, ready, colored.photo.stamp)
    except PhotoError as error:
        return job.failed("encode", str(error))
    own = colored.photo.chroma
    final = colored.chroma if own is None else own + colored.chroma[1:]
    gray = nearly_gray(float(final.norm(dim=0).mean()), options.saturation)
    return Finished(job, (*colored.photo.notes, *notes, *gray))


def nearly_gray(chroma: float, saturation: float) -> tuple[str, ...]:
    """A note where a person sees a gray result. chroma: the network's, mean CIE units. saturation: asked for."""
    chroma *= max(saturation, 1.0)  # who asks for less knows why the result is gray
    if chroma >= _NEARLY_GRAY:
        return ()
    return (f"the result is nearly gray (mean chroma {chroma:.1f}): the network saw little to go by",)


def _told(options: ResultOptions, reference: Reference | None) -> ResultOptions:
    """The options whose provenance names the photo's reference."""
    if options.provenance is None:
        return options
    return replace(options, provenance=options.provenance.after(reference))


def _pictures(colored: Colored, options: ResultOptions) -> AbstractContextManager[None]:
    """The pictures of what is shown with the result, there when that is. A method shows planes of one kind only."""
    photo, job, shown = colored.photo, colored.photo.job, colored.shown
    if shown is None:
        return nullcontext()
    if job.attention is not None:
        return attention_map(job.attention, shown[0].numpy(), _heat(), photo.header)
    if job.matches is not None:
        return _matches(job.matches, photo, shown, options)
    if job.stages is not None:
        return stages_picture(job.stages, _steps(colored, shown), options.provenance)
    return nullcontext()


def _matches(start: Path, photo: Photo, shown: Tensor, options: ResultOptions) -> AbstractContextManager[None]:
    """The pictures of matches; the planes are those of `MethodSpec.matches`."""
    chroma, alike, places = shown[:2], shown[2:-2], shown[-2:]  # (2, h, w), (2 N, h, w), (2, h, w)
    coloured = lab_to_rgb(fit_to_gamut(torch.cat((photo.lightness, chroma))[None]))
    steps = (255 * alike.clamp(0, 1)).round().int().numpy()  # what is less than unlike is as dark
    there, back = np.split(_heat()[steps], 2)  # (2 N, h, w) -> 2 x (N, h, w, 3)
    return match_pictures(
        start,
        _bytes(coloured)[0],
        [list(there), list(back)],
        _bytes(place_colours(places[None]))[0],
        photo.header,
        options.provenance,
    )


def _steps(colored: Colored, shown: Tensor) -> NDArray[np.uint8]:
    """The photo in gray, after each of its stages, (2 S, h, w), and in its final colour: (S + 2, h, w, 3) sRGB."""
    stages = shown.reshape(-1, 2, *shown.shape[1:])  # (2 S, h, w) -> (S, 2, h, w)
    chroma = torch.cat((torch.zeros_like(stages[:1]), stages, colored.chroma[None]))  # (S + 2, 2, h, w)
    lightness = colored.photo.lightness.expand(len(chroma), 1, -1, -1)  # (1, h, w) -> (S + 2, 1, h, w)
    return _bytes(lab_to_rgb(fit_to_gamut(torch.cat((lightness, chroma), dim=1))))


def _bytes(rgb: Tensor) -> NDArray[np.uint8]:
    """sRGB 0..1, (N, 3, h, w) -> (N, h, w, 3)."""
    pixels: NDArray[np.uint8] = (255 * rgb).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return pixels
