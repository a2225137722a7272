"""What a film's result is encoded with, and whether its container can hold it and all that goes with it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from colorcli.errors import PhotoError
from colorcli.items import FilmOptions
from colorcli.media.films.codecs import (
    ANYTHING,
    FAMILIES,
    MPEG_RATES,
    Container,
    Family,
    chosen_family,
    container_of,
    family_of,
    has_encoder,
    in_libav,
)
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.others import can_hold, track_name
from colorcli.media.films.program import PLANAR, Picture, ProgramEncoder, encoded_stream, program_formats
from colorcli.media.films.unhurried import unhurried

_GLOBAL_HEADER = 0x40  # libav's AVFMT_GLOBALHEADER
_QSCALE, _LOSSLESS = "qscale", "ffv1"
_LAMBDA = 118  # libav's units of one step of its quantiser scale (FF_QP2LAMBDA)
_PLAIN = ("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "bgr0", "bgra")
_DEEP = ("yuv420p10le", "yuv422p10le", "yuv444p10le", "p010le")
_INTERLACED = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}  # libav's field orders
_FIELD_ORDERS = {"tff": 2, "bff": 3}
_PROGRESSIVE = 1  # libav's field order; 0 is untold, and stays so


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoder that was tried and opens."""

    container: str  # libav's muxer
    encoder: str
    family: Family
    pixels: str  # libav's pixel format
    quality: float | None  # on the family's scale
    rate: Fraction  # frames/s that the encoder is told
    reorders: bool
    fields: str = ""  # "tff", "bff" for frames that stay interlaced

    @property
    def global_header(self) -> bool:
        """Whether the container wants what the decoder must know in its own header, not in the packets."""
        return bool(av.ContainerFormat(self.container, "w").flags & _GLOBAL_HEADER)

    def apply(self, context: VideoCodecContext, header: FilmHeader) -> None:
        """Set up an encoder that is not open yet. Its times count frames: the real ones are put on packets later."""
        context.width, context.height, context.pix_fmt = header.width, header.height, self.pixels
        context.time_base, context.framerate = 1 / self.rate, self.rate
        context.sample_aspect_ratio = header.aspect
        context.colorspace, context.color_range = header.matrix, 2 if header.full_range else 1
        context.color_trc, context.color_primaries = header.transfer, header.primaries
        if self.family.scale == _QSCALE and self.quality is not None:
            context.qscale, context.global_quality = True, round(self.quality * _LAMBDA)
        if self.family.bit_rate:
            context.bit_rate = self.family.bit_rate
        elif self.family.scale:
            context.bit_rate = 0
        if not self.reorders:
            context.max_b_frames = 0
        context.field_order = _FIELD_ORDERS.get(self.fields, min(header.fields, _PROGRESSIVE))
        if self.fields:
            context.flags |= int(Flags.interlaced_dct) | int(Flags.interlaced_me)
        context.options = self._options(header)

    def open(self, header: FilmHeader) -> VideoCodecContext | ProgramEncoder:
        """An open encoder. Errors: libav's, PhotoError of the program's."""
        if not in_libav(self.encoder):
            return ProgramEncoder(self.encoder, self._picture(header), self._told(header))
        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells its settings on stderr otherwise
        context = av.CodecContext.create(self.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        self.apply(context, header)
        if self.global_header:
            context.flags |= int(Flags.global_header)
        with unhurried():
            context.open()
        return context

    def try_out(self, header: FilmHeader) -> None:
        """Errors: as of `open`, where it does not take such frames."""
        if in_libav(self.encoder):
            self.open(header)
        else:
            with encoded_stream(self.encoder, self._picture(header), self._told(header)):
                pass

    def add_to(self, output: OutputContainer, header: FilmHeader) -> VideoStream:
        """A stream whose encoder is set up as this. Errors: ValueError where the container does not hold it."""
        if in_libav(self.encoder):
            stream = output.add_stream(self.encoder, rate=self.rate)
            assert isinstance(stream, VideoStream)
            self.apply(stream.codec_context, header)
            return stream
        with encoded_stream(self.encoder, self._picture(header), self._told(header)) as template:
            return output.add_stream_from_template(template, opaque=True)

    def _picture(self, header: FilmHeader) -> Picture:
        color = (header.matrix, 2 if header.full_range else 1, header.primaries, header.transfer)
        return Picture(header.width, header.height, self.pixels, self.rate, header.aspect, color)

    def _options(self, header: FilmHeader) -> dict[str, str]:
        options = dict(self.family.options)
        if self.family.scale not in ("", _QSCALE) and self.quality is not None:
            options[self.family.scale] = f"{self.quality:g}"
        if header.profile in self.family.profiles:
            options["profile"] = self.family.profiles[header.profile]
        return options

    def _told(self, header: FilmHeader) -> dict[str, str]:
        """What `apply` says, as the program's options."""
        options = self._options(header)
        if self.family.scale == _QSCALE and self.quality is not None:
            options["q:v"] = f"{self.quality:g}"
        if self.family.bit_rate:
            options["b:v"] = str(self.family.bit_rate)
        if not self.reorders:
            options["bf"] = "0"
        if self.fields:
            options["flags"] = "+ildct+ilme"
        return options


def wanted_family(header: FilmHeader, container: Container, options: FilmOptions) -> Family:
    """The family that the person names, else the film's own, else one that the container holds. Errors: UsageError."""
    if options.codec:
        return chosen_family(options.codec)
    family = family_of(header.codec, container)
    instead = [FAMILIES[_LOSSLESS]] if not family.scale else []
    return next((one for one in (family, *instead) if _holds(container.name, one)), FAMILIES[container.family])


def container_at(target: Path, header: FilmHeader, options: FilmOptions) -> tuple[Container, Family]:
    """What the target's name says, and the family of its picture. Errors: PhotoError where these do not go together."""
    container = container_of(target)
    if container is None:
        raise PhotoError(f"films cannot be written as {target.suffix or 'a file without extension'}")
    family = wanted_family(header, container, options)
    if (container.restricted and family.name not in container.restricted) or not _holds(container.name, family):
        raise PhotoError(f"{container.name} holds no {family.name}")
    return container, family


def _holds(container: str, family: Family) -> bool:
    """Whether a container holds what a family's encoder makes."""
    return any(_muxes(container, encoder) for encoder in filter(has_encoder, family.encoders))


@lru_cache(maxsize=32)
def _muxes(container: str, encoder: str) -> bool:
    """As `_holds`, tried in memory; True too where the encoder cannot be tried, which is said elsewhere."""
    try:
        if in_libav(encoder):
            with av.open(io.BytesIO(), "w", format=container) as output:
                output.add_stream(encoder, rate=25)
            return True
        pixels = next((one for one in PLANAR if one in program_formats(encoder)), PLANAR[0])
        picture = Picture(64, 64, pixels, Fraction(25), Fraction(1), (2, 1, 2, 2))
        with encoded_stream(encoder, picture, {}) as stream:
            return can_hold(container, stream)
    except PhotoError:
        return True
    except ValueError:
        return False


def choose_encoding(header: FilmHeader, target: Path, options: FilmOptions, *, interlaced: bool = False) -> Encoding:
    """The first of the family's encoders and pixel formats that opens: the film's own format where it can be.

    interlaced: frames stay so. Errors: PhotoError where none opens.
    """
    if header.animation:
        pixels = "rgba" if header.alpha else "rgb24"
        return Encoding("image2pipe", "png", FAMILIES["png"], pixels, None, Fraction(25), reorders=False)
    container, family = container_at(target, header, options)
    rate = header.rate
    if family.name.startswith("mpeg") and family.name.endswith("video"):
        rate = min((Fraction(*pair) for pair in MPEG_RATES), key=lambda one: abs(one - rate))
    quality = options.crf if options.crf is not None and family.scale else family.quality if family.scale else None
    fields = _INTERLACED.get(header.fields, "tff") if interlaced else ""
    tried: list[str] = []
    for encoder in filter(has_encoder, family.encoders):
        for pixels in _formats(encoder, header, lossless=not family.scale):
            encoding = Encoding(container.name, encoder, family, pixels, quality, rate, container.reorders, fields)
            try:
                encoding.try_out(header)
            except (av.FFmpegError, ValueError, PhotoError) as error:
                tried.append(f"{encoder} {pixels}: {getattr(error, 'strerror', None) or error}")
                continue
            return encoding
    size = f"{header.width}x{header.height}"
    raise PhotoError(
        f"no encoder of {family.name} takes {size} ({tried[0] if tried else 'there is none'}); try --codec"
    )


def _formats(encoder: str, header: FilmHeader, *, lossless: bool) -> Iterator[str]:
    """The pixel formats that the encoder takes, the film's own first, then those of its depth, then 8 bits.

    Where nothing else is lost, chroma of gray films is not halved either.
    """
    if in_libav(encoder):
        taken = [one.name for one in av.Codec(encoder, "w").video_formats or ()]
    else:
        taken = [one for one in program_formats(encoder) if one in PLANAR]
    deep = header.bits > 8
    wanted = [header.pixels, *(_DEEP if deep else ()), *_PLAIN, *taken]
    if header.pixels.startswith(("gray", "mono", "pal", "rgb", "bgr", "gbr", "ya")):
        wanted.remove(header.pixels)
        finest = lossless or header.pixels.startswith(("rgb", "bgr", "gbr", "pal"))
        own = ["yuv444p10le", "yuv422p10le"] if deep else ["yuv444p"]
        wanted = [*(own if finest else ()), *wanted]
    return (name for name in dict.fromkeys(wanted) if name in taken and not _unfit(name))


def _unfit(pixels: str) -> bool:
    """Formats that hold no colour, or none in samples."""
    return pixels.startswith(
        ("gray", "mono", "pal", "ya", "rgb8", "bgr8", "rgb4", "bgr4", "rgb555", "cuda", "vaapi", "yuva")
    )


def lacking(header: FilmHeader, target: Path, options: FilmOptions) -> list[str]:
    """What of the film the container at `target` cannot hold, in words; [] where it holds all.

    It is tried: a header is written to memory. Data streams (timecode, sensors) do not count. Errors: PhotoError.
    """
    container, _ = container_at(target, header, options)
    missing: list[str] = []
    with av.open(str(header.path), metadata_errors="replace") as source:
        for stream in source.streams:
            if stream.type not in ("audio", "subtitle", "attachment"):
                continue
            held = container.name == "matroska" if stream.type == "attachment" else can_hold(container.name, stream)
            if not held:
                missing.append(track_name(stream))
    return missing


def film_extension(path: Path, header: FilmHeader, options: FilmOptions) -> tuple[str, str]:
    """The extension of a film's result, and in words why it is not its own ("": it is).

    A container that we do not write, or that cannot hold the film's sound or subtitles, becomes Matroska, or QuickTime
    where only that can.
    Errors: PhotoError where it cannot be encoded; UsageError for a codec that is not there.
    """
    if header.animation:
        return path.suffix, ""
    if container_of(path) is None:
        return ANYTHING, f"{path.suffix} is not written"
    try:
        missing = lacking(header, path, options)
    except PhotoError as error:
        if options.codec is None:
            raise
        return ANYTHING, str(error)
    if not missing:
        return path.suffix, ""
    reason = f"{path.suffix} cannot hold {', '.join(missing)}"
    for extension in (ANYTHING, ".mov"):
        if not lacking(header, path.with_suffix(extension), options):
            return extension, reason
    return ANYTHING, reason
