"""The photo formats and what each can hold, and what films are called: facts as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_PIXELS = 500_000_000  # of a photo that is read: scans of 400 megapixels pass, decompression bombs do not


@dataclass(frozen=True, slots=True)
class Format:
    """One file type as a place for results."""

    name: str  # for messages
    extensions: tuple[str, ...]  # lower case, with the dot
    saver: str  # libvips saver, or "imageio"
    deep: bool = False  # holds 16 bits per channel
    alpha: bool = True
    metadata: bool = True  # holds XMP
    longest_xmp: int | None = None  # bytes
    longest_side: int | None = None  # pixels
    quality: int | None = None  # default 1..100; None = lossless
    gray_only: tuple[str, ...] = ()  # extensions that mean "no colour": their results become extensions[0]


FORMATS: tuple[Format, ...] = (
    Format(
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        "jpegsave",
        alpha=False,
        longest_xmp=60_000,  # libvips 8.18 drops longer ones; the segment itself holds 65,502
        longest_side=65_500,
        quality=92,
    ),
    Format("PNG", (".png",), "pngsave", deep=True),
    Format("TIFF", (".tif", ".tiff"), "tiffsave", deep=True),
    Format("WebP", (".webp",), "webpsave", longest_side=16_383, quality=92),
    Format("AVIF", (".avif",), "heifsave", longest_side=16_384, quality=80),  # 80: near JPEG 92 to the eye
    Format("GIF", (".gif",), "gifsave", metadata=False, longest_side=65_535),
    # Listed so that they fail by name: the libvips of pyvips[binary] has no HEVC (patents).
    Format("HEIC", (".heic", ".heif"), "", quality=80),
    Format("BMP", (".bmp", ".dib"), "imageio", metadata=False),
    Format("JPEG 2000", (".jp2", ".j2k", ".jpx"), "imageio", metadata=False),
    Format("PNM", (".ppm", ".pnm", ".pgm", ".pbm"), "imageio", alpha=False, metadata=False, gray_only=(".pgm", ".pbm")),
    Format("TGA", (".tga",), "imageio", metadata=False),
)

FILM_EXTENSIONS = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".avi", ".webm", ".mpg", ".mpeg", ".mpe", ".m2v", ".mts", ".m2ts"}
    | {".vob", ".wmv", ".flv", ".ogv", ".3gp", ".mxf", ".dv"}
)

_BY_EXTENSION = {extension: format for format in FORMATS for extension in format.extensions}
PHOTO_EXTENSIONS = frozenset(_BY_EXTENSION)


def format_of(path: Path) -> Format | None:
    """The format that a file name says, case-insensitive; None where it is not a photo's."""
    return _BY_EXTENSION.get(path.suffix.lower())


def result_extension(path: Path) -> str:
    """The extension of a result in the source's format: the source's own, except where that means "no colour"."""
    format = format_of(path)
    if format is not None and path.suffix.lower() in format.gray_only:
        return format.extensions[0]
    return path.suffix


def are_films(names: Sequence[str]) -> bool:
    """Whether all are called as films are; False for none."""
    return bool(names) and all(Path(name).suffix.lower() in FILM_EXTENSIONS for name in names)
