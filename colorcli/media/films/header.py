"""What is known of a film besides its frames, and which files are refused as films."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from colorcli.errors import PhotoError

_STILLS = ("image2", "image2pipe", "ico", "apng")  # besides those that end with _pipe
_MP4_STARTS = (b"ftyp", b"mdat", b"wide", b"free", b"skip")  # ISO 14496-12; QuickTime's
_UNSPECIFIED = 2  # libav's number for a colour space, transfer or primaries that nobody told
_BT709, _SMPTE170M = 1, 6  # libav's numbers of colour spaces
_HIGH_DEFINITION = 720  # pixels of height from which players take untold colour for BT.709
_DEFAULT_RATE = Fraction(25)
LONGEST_SIDE = 16_384  # pixels; what H.264 and HEVC decoders take


@dataclass(frozen=True, slots=True)
class FilmHeader:
    """The facts of a film's picture."""

    path: Path
    width: int  # pixels, as stored
    height: int
    aspect: Fraction  # width of a pixel over its height
    turns: int  # quarter turns counterclockwise that make a stored frame upright, 0..3
    display: tuple[int, ...] | None  # the display matrix, nine numbers as libav has it
    codec: str  # as libav names it
    pixels: str  # libav's pixel format
    bits: int  # per sample
    alpha: bool
    rate: Fraction  # frames/s, nominal
    unit: Fraction  # s, of the frames' times
    frames: int  # that the file says it has; 0: it does not say
    seconds: float | None  # that it says it lasts
    fields: int  # libav's field order: 0 and 1 are progressive
    full_range: bool  # samples use all their values, as in JPEG
    matrix: int  # libav's colour space; never "unspecified"
    transfer: int  # libav's number
    primaries: int
    animation: bool = False  # a GIF or WebP, read by libvips
    profile: str = ""  # of the codec, as libav names it; "": untold

    @property
    def seen(self) -> tuple[int, int]:
        """Width and height as a person sees the film: square pixels, upright."""
        width, height = max(1, round(self.width * self.aspect)), self.height
        return (height, width) if self.turns % 2 else (width, height)


def read_header(path: Path) -> FilmHeader:
    """Open a film and decode its first frame. Errors: PhotoError, which says what the file is instead."""
    with opened(path) as (container, stream):
        first = _first_frame(container, stream)
        context = stream.codec_context
        matrix = first.colorspace
        if matrix in (_UNSPECIFIED, 0) and not first.format.is_rgb:  # 0 is RGB
            matrix = _BT709 if first.height >= _HIGH_DEFINITION else _SMPTE170M
        seconds = _seconds(container, stream)
        return FilmHeader(
            path=path,
            width=first.width,
            height=first.height,
            aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
            turns=round(first.rotation / 90) % 4,
            display=_display_matrix(first),
            codec=context.codec.canonical_name,
            pixels=first.format.name,
            bits=max(component.bits for component in first.format.components),
            alpha=any(component.is_alpha for component in first.format.components) and not first.format.has_palette,
            rate=_rate(stream),
            unit=stream.time_base or Fraction(1, 90_000),
            frames=stream.frames,
            seconds=seconds,
            fields=int(context.field_order or 0),
            full_range=first.color_range == 2 or first.format.name.startswith("yuvj"),
            matrix=matrix,
            transfer=first.color_trc,
            primaries=first.color_primaries,
            profile=stream.profile or "",
        )


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and the stream that is its picture: the first that is no cover. Errors: PhotoError."""
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise PhotoError(_unopened(path, error)) from error
    with container:
        name = container.format.name
        if name.endswith("_pipe") or name in _STILLS:
            kind = name.removesuffix("_pipe")
            raise PhotoError(f"a still picture ({kind}), not a film; give it the extension of its format")
        streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
        if not streams:
            held = ", ".join(sorted({one.type for one in container.streams})) or "nothing"
            raise PhotoError(f"it has no video stream (it holds: {held}); expected a film")
        stream = streams[0]
        if stream.codec_context is None:
            raise PhotoError("its video codec is not known to this libav; convert the film first")
        if max(stream.width, stream.height) > LONGEST_SIDE:
            raise PhotoError(f"frames are {stream.width}x{stream.height}; expected at most {LONGEST_SIDE} a side")
        yield container, stream


def _unopened(path: Path, error: Exception) -> str:
    if isinstance(error, av.InvalidDataError):
        with path.open("rb") as file:
            if file.read(8)[4:] in _MP4_STARTS:
                return "the film is damaged or cut short (its index, which lies at the end, is missing); copy it again"
        return "not a film, or damaged at its start: its content is no known format; copy it again"
    return f"cannot be opened as a film ({getattr(error, 'strerror', None) or error})"


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    reasons: list[str] = []
    try:
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    return frame
            except av.FFmpegError as error:
                reasons.append(str(error.strerror or error))
    except av.FFmpegError as error:
        reasons.append(str(error.strerror or error))
    why = f" ({reasons[0]})" if reasons else ""
    raise PhotoError(f"it has no frame that can be decoded{why}; expected a film")


def _display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    found: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if found is None else struct.unpack("=9i", bytes(found)[:36])


def _rate(stream: VideoStream) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= 1000:
            return Fraction(rate).limit_denominator(1001)
    return _DEFAULT_RATE


def _seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1e6
