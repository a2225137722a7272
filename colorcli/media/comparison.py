"""Comparisons: a photo before and after, side by side; with its other results where it has several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from colorcli.errors import PhotoError
from colorcli.items import Job, PhotoHeader
from colorcli.media.libvips import VipsError
from colorcli.media.metadata.describe import Provenance
from colorcli.media.pictures import GAP, save_sheet
from colorcli.media.places import part_path, whole_files
from colorcli.media.small import small_picture
from colorcli.media.sources import open_source, plain_reason, without_paths
from colorcli.media.unwritable import unwritable, write_failure

_WIDTH = 2000  # pixels, of a row of pictures
_ACROSS = 6  # pictures in a row
_LONGEST = 65_500  # pixels; JPEG's limit


def write_shared(job: Job, provenance: Provenance | None) -> None:
    """Write the comparison `job.target` of the results of the jobs that it shows.

    Errors: PhotoError; ColorizeError where no file can be written any more, as on a full disk.
    """
    results = [one.target for one in job.shows]
    try:
        with whole_files(job.target) as (part,):
            header = open_source(job.source, max_pixels=0).header
            write_comparison(part, job.source, results, header, provenance)
    except VipsError as error:
        paths = (job.source, *results, part_path(job.target))
        if failure := write_failure(without_paths(error, *paths)):
            raise unwritable("the comparison", job.target, failure) from error
        raise PhotoError(f"its comparison cannot be made: {plain_reason(error, *paths)}") from error
    except OSError as error:
        raise unwritable("the comparison", job.target, error.strerror or str(error)) from error


def write_comparison(
    place: Path, source: Path, results: Sequence[Path], header: PhotoHeader, provenance: Provenance | None
) -> None:
    """Write a JPEG of the photo and its results, in their order, up to six pictures in a row of 2000 pixels.

    header: the photo's. provenance: told in its XMP, if there is one. Errors: libvips' own, PhotoError, OSError.
    """
    across = min(1 + len(results), _ACROSS)
    rows = -(-(1 + len(results)) // across)
    width = min(header.width, (_WIDTH - (across - 1) * GAP) // across)
    height, highest = max(1, round(header.height * width / header.width)), _LONGEST // rows - GAP
    if height > highest:  # a strip
        width, height = max(1, width * highest // height), highest
    # Reopened: a source streams once, and its result has used that up.
    pictures = [small_picture(path, width, height) for path in (source, *results)]
    save_sheet(place, pictures, across, provenance)
