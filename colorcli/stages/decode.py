"""Job -> Photo: the lightness at the network's size."""

from __future__ import annotations

import torch

from colorcli.errors import PhotoError
from colorcli.items import Failure, Job, Photo
from colorcli.media.photos import read_photo


def decode(job: Job, side: int, multiple: int) -> Photo | Failure:
    """Read one photo for a network of about side x side pixels; what cannot be read is a Failure."""
    try:
        header, lightness = read_photo(job.source, side=side, multiple=multiple)
    except PhotoError as error:
        return Failure(job.name, "decode", str(error))
    return Photo(job, header, torch.from_numpy(lightness)[None])  # (h, w) -> (1, h, w)
