"""What a film's result is encoded with, and whether its container can hold it and all that goes with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
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
)
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.others import can_hold, track_name

_GLOBAL_HEADER = 0x40  # libav's AVFMT_GLOBALHEADER
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
        options = dict(self.family.options)
        if self.family.scale == "qscale" and self.quality is not None:
            context.qscale, context.global_quality = True, round(self.quality * _LAMBDA)
        elif self.family.scale and self.quality is not None:
            options[self.family.scale] = f"{self.quality:g}"
        if self.family.bit_rate:
            context.bit_rate = self.family.bit_rate
        elif self.family.scale:
            context.bit_rate = 0
        if not self.reorders:
            context.max_b_frames = 0
        if header.profile in self.family.profiles:
            options["profile"] = self.family.profiles[header.profile]
        context.field_order = _FIELD_ORDERS.get(self.fields, min(header.fields, _PROGRESSIVE))
        if self.fields:
            context.flags |= int(Flags.interlaced_dct) | int(Flags.interlaced_me)
        context.options = options

    def open(self, header: FilmHeader) -> VideoCodecContext:
        """An open encoder. Errors: libav's."""
        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells its settings on stderr otherwise
        context = av.CodecContext.create(self.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        self.apply(context, header)
        if self.global_header:
            context.flags |= int(Flags.global_header)
        context.open()
        return context

    def add_to(self, output: OutputContainer, header: FilmHeader) -> VideoStream:
        """A stream whose encoder is set up as this. Errors: ValueError where the container does not hold it."""
        stream = output.add_stream(self.encoder, rate=self.rate)
        assert isinstance(stream, VideoStream)
        self.apply(stream.codec_context, header)
        return stream


def wanted_family(header: FilmHeader, container: Container, options: FilmOptions) -> Family:
    """The family that the person names, else the film's own. Errors: UsageError."""
    return chosen_family(options.codec) if options.codec else family_of(header.codec, container)


def container_at(target: Path, header: FilmHeader, options: FilmOptions) -> tuple[Container, Family]:
    """What the target's name says, and the family of its picture. Errors: PhotoError where these do not go together."""
    container = container_of(target)
    if container is None:
        raise PhotoError(f"films cannot be written as {target.suffix or 'a file without extension'}")
    family = wanted_family(header, container, options)
    if container.restricted and family.name not in container.restricted:
        raise PhotoError(f"{container.name} holds no {family.name}")
    return container, family


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
                encoding.open(header)
            except (av.FFmpegError, ValueError) as error:
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
    taken = [one.name for one in av.Codec(encoder, "w").video_formats or ()]
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
