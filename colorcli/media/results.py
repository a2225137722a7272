"""Results: the coloured photo and its comparison, encoded, flushed and put under their final names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.errors import PhotoError
from colorcli.items import Job, PhotoHeader, Stamp
from colorcli.media.comparison import write_comparison
from colorcli.media.formats import Format, format_of
from colorcli.media.in_place import other_names, take_over
from colorcli.media.libvips import VipsError
from colorcli.media.lightness import lab_of, lightness_of
from colorcli.media.metadata.describe import Provenance, describe_result, has_resolution, listed
from colorcli.media.metadata.inscriptions import complete, keep_inscriptions, read_inscriptions, without_texts
from colorcli.media.metadata.photoshop import keep_resources
from colorcli.media.metadata.tiff_tags import add_exif, described, exif_of_tiff
from colorcli.media.originals import refuse_changed
from colorcli.media.other_formats import write_other
from colorcli.media.places import comparison_path, held_path, part_path, results_of, whole_files
from colorcli.media.recombination import recombine, restyle
from colorcli.media.sources import Source, open_source, plain_reason, without_paths
from colorcli.media.unwritable import unwritable, write_failure

_CLASSIC_TIFF = 3_900_000_000  # bytes; a classic TIFF's offsets end at 4 GiB
_LIGHTNESS_STEPS = 655.35  # L 0..100 -> 0..65535 while a photo is turned
_LAB_STEPS = [_LIGHTNESS_STEPS, 256.0, 256.0]  # Lab likewise; a and b lie in -128..128
_LAB_MIDDLE = [0.0, 32_768.0, 32_768.0]
_HELD_IN_MEMORY = 100_000_000  # bytes; while a photo of more than 50 megapixels is turned, it lies on disk


Ready = Callable[[tuple[Path, ...]], None]  # told of files that are whole and about to be renamed


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """How results are finished and encoded."""

    saturation: float = 1.0  # factor on the chroma; 0 is gray
    quality: int | None = None  # 1..100 for JPEG, WebP, AVIF; None = the format's default
    provenance: Provenance | None = None  # None = say nothing in XMP
    compare: bool = False  # also write a picture of before and after, where a job shares none with others

    def __post_init__(self) -> None:
        if not 0 <= self.saturation <= 10:
            raise ValueError(f"saturation is {self.saturation}; expected 0 to 10")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ValueError(f"quality is {self.quality}; expected 1 to 100")


def write_result(
    job: Job,
    slope: NDArray[np.float32],
    offset: NDArray[np.float32],
    gamut: NDArray[np.float32],
    options: ResultOptions,
    ready: Ready = lambda _: None,
    stamp: Stamp | None = None,
) -> tuple[str, ...]:
    """Colour job.source and write job.target, whose folder is made if need be.

    slope, offset: (h, w, 2), chroma = slope * L + offset, spread over the photo; (h, w, 3): that is added to its own
    Lab, see `restyle`. gamut: as `gamut_by_taxicab` takes.
    ready: as of `whole_files`. Nothing is left behind on failure.
    stamp: of the file when the maps were made; one that was changed since gets no result. None: nobody looked.
    Returns notes for a person: what the target's format could not hold; it is a PhotoError where the result would take
    the photo's own place. Errors: PhotoError; ColorizeError where no result can be written any more, as on a full disk.
    """
    refuse_changed(job.source, stamp)
    try:
        return _written(job, slope, offset, gamut, options, ready, stamp)
    except PhotoError:
        refuse_changed(job.source, stamp)  # what looks like damage
        raise


def _written(
    job: Job,
    slope: NDArray[np.float32],
    offset: NDArray[np.float32],
    gamut: NDArray[np.float32],
    options: ResultOptions,
    ready: Ready,
    stamp: Stamp | None,
) -> tuple[str, ...]:
    source = open_source(job.source, max_pixels=0)  # judged when it was read
    header, orientation, notes = source.header, source.orientation, list(source.notes)
    inscriptions = read_inscriptions(job.source)
    exif, unreadable = _exif_of(source)
    notes += _unreadable_exif(unreadable)
    format = target_format(job.target, header)
    bits = 16 if header.bits == 16 and format.deep else 8
    if header.bits > bits:
        notes.append(f"16 bits became 8: {format.name} holds 8 per channel, --format png or tiff keeps 16")
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        restyles = slope.shape[2] == 3
        pixels, alpha = _upright(source, held_path(job.target), restyles)
        del source  # with it goes what its decoder holds
        chroma = np.float32(options.saturation)
        image = (restyle if restyles else recombine)(pixels, slope * chroma, offset * chroma, gamut, bits)
        image = _join_alpha(image, alpha, header.bits, bits, format, notes)
        image = complete(image, inscriptions)
        image, left_out = describe_result(image, orientation, options.provenance, exif, format.longest_xmp)
        notes += left_out
        image, left_out = keep_resources(image, format.saver)
        notes += left_out
        targets = results_of(job.target, options.compare and job.together is None)
        with whole_files(*targets, ready=ready) as (part, *comparison):
            packet = None
            if format.saver == "pngsave":
                image, packet = without_texts(image)
            _encode(image, part, format, job.target.suffix.lower(), options)
            notes += keep_inscriptions(inscriptions, part, format.saver, packet)
            if exif is not None:
                notes += _keep_exif(exif, part, format)
            if comparison:
                write_comparison(comparison[0], job.source, [part], header, options.provenance)
            refuse_changed(job.source, stamp)
            if job.in_place:
                _refuse_losses(notes)
                notes += other_names(job.source)
                take_over(job.source, part)
    except VipsError as error:
        held = held_path(job.target)
        paths = (job.source, held, part_path(job.target), part_path(comparison_path(job.target)))
        if failure := write_failure(without_paths(error, *paths)):
            raise unwritable("the result", job.target, failure) from error
        raise PhotoError(plain_reason(error, *paths)) from error
    except OSError as error:
        raise unwritable("the result", job.target, error.strerror or str(error)) from error
    if options.provenance is not None and not format.metadata:
        notes.append(f"{format.name} holds no XMP: the file does not say that its colour is synthetic")
    return tuple(notes)


def _refuse_losses(notes: Sequence[str]) -> None:
    """PhotoError where something of a photo would be gone for good."""
    if notes:
        raise PhotoError(f"in its own place something would be lost for good ({'; '.join(notes)}); choose -o OUT")


def target_format(target: Path, header: PhotoHeader) -> Format:
    """The format of the result `target`; PhotoError if it cannot be written, or cannot hold a photo of that size."""
    format = format_of(target)
    if format is None or not format.saver:
        found = format.name if format else target.suffix or "no extension"
        raise PhotoError(f"results cannot be written as {found}; choose --format png, jpg, webp or tiff")
    longest = max(header.width, header.height)
    if format.longest_side is not None and longest > format.longest_side:
        raise PhotoError(
            f"the photo is {longest} pixels long; {format.name} holds {format.longest_side}, "
            "choose --format png or tiff"
        )
    return format


def _upright(source: Source, place: Path, color: bool) -> tuple[pyvips.Image, pyvips.Image | None]:
    """The photo's lightness (float, 0..100) and alpha (as in the file), upright, streaming where it is so already.

    place: the file that holds a large photo that is not. color: CIE Lab in place of lightness.
    """
    pixels = (lab_of if color else lightness_of)(source.image, source.color_bands)
    alpha = source.image.extract_band(source.color_bands) if source.header.alpha else None
    if source.orientation == 1:
        return pixels, alpha
    # A turned photo is needed whole. Two bytes per pixel hold its lightness, four more its chroma.
    steps, middle = (_LAB_STEPS, _LAB_MIDDLE) if color else ([_LIGHTNESS_STEPS], [0.0])
    packed = pixels.linear(steps, [value + 0.5 for value in middle]).cast("ushort")
    if alpha is not None:
        packed = packed.bandjoin(alpha.cast("ushort"))
    large = 2 * packed.width * packed.height * packed.bands > _HELD_IN_MEMORY
    turned = (_held_on_disk(packed, place) if large else packed.copy_memory()).autorot()
    factors, addends = [1 / step for step in steps], [-start / step for start, step in zip(middle, steps, strict=True)]
    unpacked = turned.extract_band(0, n=len(steps)).linear(factors, addends)
    return unpacked, None if alpha is None else turned.extract_band(len(steps))


def _held_on_disk(image: pyvips.Image, place: Path) -> pyvips.Image:
    """The pixels from a file that has no name any more: the system gives its space back when the image goes."""
    try:
        image.vipssave(os.fsencode(place), keep="none")
        held = pyvips.Image.vipsload(os.fsencode(place)).copy()
    finally:
        place.unlink(missing_ok=True)
    for field in image.get_fields():  # not through the file, whose XML cannot hold all that EXIF may
        if not held.get_typeof(field):
            held.set_type(image.get_typeof(field), field, image.get(field))
    return held


def _join_alpha(
    image: pyvips.Image, alpha: pyvips.Image | None, found: int, bits: int, format: Format, notes: list[str]
) -> pyvips.Image:
    if alpha is None:
        return image
    depth = "ushort" if bits == 16 else "uchar"
    joined = image.bandjoin((alpha >> 8 if found > bits else alpha).cast(depth))
    if format.alpha:
        return joined
    notes.append(f"transparency became white: {format.name} has none")
    return joined.flatten(background=[2**bits - 1] * 3)


def _encode(image: pyvips.Image, part: Path, format: Format, extension: str, options: ResultOptions) -> None:
    if format.saver == "imageio":
        write_other(image, part, extension)
        return
    getattr(image, format.saver)(os.fsencode(part), **_saver_options(image, format, options))


def _saver_options(image: pyvips.Image, format: Format, options: ResultOptions) -> dict[str, Any]:
    chosen: dict[str, Any] = {} if format.saver == "gifsave" else {"profile": "srgb"}
    if format.saver != "gifsave" and not image.get_typeof("exif-data") and not has_resolution(image):
        chosen["keep"] = "xmp:iptc:icc:other"  # else libvips makes an EXIF block, to hold a resolution
    if format.quality is not None:
        chosen["Q"] = options.quality or format.quality
    if format.saver == "jpegsave":
        chosen["subsample_mode"] = "off" if chosen["Q"] >= 90 else "on"
    elif format.saver == "tiffsave":
        size = image.width * image.height * image.bands * (2 if image.format == "ushort" else 1)
        chosen |= {"compression": "deflate", "predictor": "horizontal", "bigtiff": size > _CLASSIC_TIFF}
    elif format.saver == "heifsave":
        chosen["compression"] = "av1"
    return chosen


def _exif_of(photo: Source) -> tuple[bytes | None, tuple[str, ...]]:
    """A photo's EXIF block, None where it has none, and the names of those of a TIFF's tags that cannot be read."""
    if photo.format == "TIFF":
        return exif_of_tiff(photo.path)
    return bytes(photo.image.get("exif-data")) if photo.image.get_typeof("exif-data") else None, ()


def _keep_exif(exif: bytes, written: Path, format: Format) -> list[str]:
    """Put the source's EXIF into a TIFF result, which libvips does not; notes on what of it the result has not got.

    libvips leaves it out where it is too long (64 KB), and leaves out the tags that it does not know.
    """
    notes = _unreadable_exif(add_exif(written, exif)) if format.saver == "tiffsave" else []
    found = None if format.saver == "imageio" else _exif_of(open_source(written, max_pixels=0))[0]
    wanted = described(exif)
    if wanted and found is None:
        return [*notes, f"the source's EXIF was left out: it does not fit into {format.name}, --format tiff keeps it"]
    if found is not None and (missing := set(wanted) - set(described(found))):
        notes.append(f"EXIF tags were left out, --format tiff keeps them: {listed(missing)}")
    return notes


def _unreadable_exif(names: tuple[str, ...]) -> list[str]:
    return [f"EXIF tags that are damaged or too long were left out: {listed(names)}"] if names else []
