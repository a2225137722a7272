"""Job -> Photo: the lightness at the network's size."""

from __future__ import annotations

import torch

from colorcli.errors import PhotoError
from colorcli.items import Failure, Job, Photo
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.photos import read_photo


def decode(job: Job, side: int, multiple: int, max_pixels: int = MAX_PIXELS) -> Photo | Failure:
    """Read one photo for a network of about side x side pixels; what cannot be read, or is too large, is a Failure."""
    try:
        header, lightness = read_photo(job.source, side=side, multiple=multiple, max_pixels=max_pixels)
    except PhotoError as error:
        return Failure(job.name, "decode", str(error))
    return Photo(job, header, torch.from_numpy(lightness)[None])  # (h, w) -> (1, h, w)
