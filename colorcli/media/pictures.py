"""Pictures that explain a result, and are there only when the result is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyvips

from colorcli.items import PhotoHeader
from colorcli.media.libvips import VipsError
from colorcli.media.metadata.describe import Provenance, extend_xmp
from colorcli.media.metadata.inscriptions import Inscriptions, keep_inscriptions, without_texts
from colorcli.media.places import part_path, whole_files
from colorcli.media.sources import without_paths
from colorcli.media.unwritable import unwritable, write_failure

GAP = 8  # white pixels between pictures of a sheet


def size_within(header: PhotoHeader, longest: int) -> tuple[int, int]:
    """Width and height of the photo's shape, no larger than the photo, its long side at most `longest` pixels."""
    scale = min(1.0, longest / max(header.width, header.height))
    return max(1, round(header.width * scale)), max(1, round(header.height * scale))


def synthetic(picture: pyvips.Image, provenance: Provenance | None) -> pyvips.Image:
    """The picture, saying in its XMP that its colours are synthetic, unless `provenance` is None."""
    if provenance is None:
        return picture
    told = picture.copy()
    told.set_type(pyvips.GValue.blob_type, "xmp-data", extend_xmp(None, provenance)[0])
    return told


def save_sheet(place: Path, pictures: Sequence[pyvips.Image], across: int, provenance: Provenance | None) -> None:
    """Write 8-bit sRGB pictures as one JPEG, `across` in a row, in their order; as `synthetic` says.

    Errors: libvips' own, OSError.
    """
    joined = pyvips.Image.arrayjoin(pictures, across=across, shim=GAP, background=[255, 255, 255])
    keep = "none" if provenance is None else "xmp"
    synthetic(joined, provenance).jpegsave(os.fsencode(place), Q=90, keep=keep, profile="srgb")


@contextmanager
def whole_pictures(what: str, pictures: Mapping[Path, pyvips.Image]) -> Iterator[None]:
    """Write each as a PNG, with its XMP if it has some.

    The files appear under their names when the block ends well, so that a photo that fails there has none.
    what: what errors call them. Errors: as of `unwritable`.
    """
    targets = list(pictures)
    try:
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        with whole_files(*targets) as parts:
            for part, picture in zip(parts, pictures.values(), strict=True):
                plain, packet = without_texts(picture)
                plain.pngsave(os.fsencode(part), keep="none")
                keep_inscriptions(Inscriptions(), part, "pngsave", packet)
            yield
    except (OSError, VipsError) as error:
        paths = map(part_path, targets)
        told = error.strerror if isinstance(error, OSError) else write_failure(without_paths(error, *paths))
        reason = told or "no space, or no permission"
        raise unwritable(f"{what} {targets[0]}", targets[0], reason) from error
