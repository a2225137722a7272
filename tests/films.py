"""Small films for tests, made with PyAV from scikit-image's photographs, and what a film holds, read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Photograph = Callable[..., Bytes]
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT  # others are 0.5 L off
SOUND = 48_000  # samples/s


def pan(
    photograph: Photograph, name: str, frames: int, width: int = 64, height: int = 48, step: int = 2
) -> list[Bytes]:
    """A gray film: a window that moves over a photograph by `step` pixels a frame."""
    gray = photograph(name, width + step * frames, height).mean(axis=2).astype(np.uint8)
    return [np.ascontiguousarray(gray[:, step * n : step * n + width]) for n in range(frames)]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a film is written."""

    codec: str = "libx264"
    pixels: str = "yuv420p"
    rate: int = 24
    times: Sequence[int] = ()  # of 1/90000 s; (): constant
    sound: Sequence[tuple[str, str]] = ()  # codec, language
    tags: dict[str, str] = field(default_factory=dict)
    chapters: bool = False
    attachment: bool = False
    subtitles: str = ""  # "subrip", "mov_text"
    rotation: int = 0  # degrees counterclockwise
    aspect: Fraction | None = None
    color: tuple[int, int, int, int] | None = None  # libav's space, range, primaries, transfer
    interlaced: bool = False
    fields: int = 0  # libav's field order that the header says
    options: dict[str, str] = field(default_factory=dict)
    muxer: str | None = None  # None: what the name says


def write_film(path: Path, frames: Sequence[NDArray[Any]], recipe: Recipe = Recipe()) -> Path:
    """Frames: (h, w) uint8 or uint16 gray, or (h, w, 3) uint8 sRGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unit = Fraction(1, 90_000) if recipe.times else Fraction(1, recipe.rate)
    with av.open(str(path), "w", format=recipe.muxer) as output:
        stream: Any = output.add_stream(recipe.codec, rate=recipe.rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = recipe.pixels
        context = stream.codec_context
        context.time_base = unit
        if recipe.aspect is not None:
            context.sample_aspect_ratio = recipe.aspect
        if recipe.color is not None:
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = recipe.color
        if recipe.interlaced:
            context.flags |= int(av.codec.context.Flags.interlaced_dct)
        context.field_order = recipe.fields
        stream.options = dict(recipe.options)
        if recipe.rotation:
            stream.set_display_rotation(recipe.rotation)
        tracks = [_track(output, *one) for one in recipe.sound]
        output.metadata.update(recipe.tags)
        if recipe.chapters:
            output.set_chapters([_chapter(n, n * 250, (n + 1) * 250) for n in range(2)])
        if recipe.attachment:
            output.add_attachment("notes.txt", "text/plain", b"of 1912")
        words: Any = output.add_mux_stream(recipe.subtitles, time_base=Fraction(1, 1000)) if recipe.subtitles else None
        for track in tracks:
            _tone(output, track, len(frames) / recipe.rate)
        for n, frame in enumerate(frames):
            kind = "rgb24" if frame.ndim == 3 else "gray" if frame.dtype == np.uint8 else "gray16le"
            picture = av.VideoFrame.from_ndarray(frame, kind)
            shown = picture.reformat(format=recipe.pixels)
            shown.time_base, shown.pts = unit, recipe.times[n] if recipe.times else n
            output.mux(stream.encode(shown))
        output.mux(stream.encode(None))
        for n, text in enumerate((b"Good day", b"Farewell") if words is not None else ()):
            packet: Any = av.Packet(len(text).to_bytes(2) + text if recipe.subtitles == "mov_text" else text)
            packet.stream, packet.time_base, packet.duration = words, Fraction(1, 1000), 40
            packet.pts = packet.dts = 80 * n
            output.mux(packet)
    return path


def _chapter(number: int, start: int, end: int) -> Any:
    return {
        "id": number,
        "start": start,
        "end": end,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": f"Part {number}"},
    }


def _track(output: Any, codec: str, language: str) -> Any:
    track = output.add_stream(codec, rate=SOUND)
    track.layout = "mono"
    track.metadata["language"] = language
    return track


def _tone(output: Any, track: Any, seconds: float) -> None:
    samples = (0.2 * np.sin(np.arange(int(SOUND * seconds)) * 0.0576)).astype(np.float32)
    resampler = av.AudioResampler(format=track.codec_context.format, layout="mono", rate=SOUND)
    for start in range(0, len(samples) - 1024, 1024):
        part = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
        part.sample_rate, part.pts, part.time_base = SOUND, start, Fraction(1, SOUND)
        for resampled in resampler.resample(part):
            output.mux(track.encode(resampled))
    output.mux(track.encode(None))


@dataclass(frozen=True, slots=True)
class Held:
    """What a film holds."""

    times: list[Fraction]  # s, of its frames
    frames: list[Bytes]  # (h, w, 3) sRGB as stored
    packets: dict[int, list[bytes]]  # of each stream besides the first
    facts: dict[str, Any]


def held(path: Path) -> Held:
    """Read a film back with PyAV."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        context = stream.codec_context
        facts: dict[str, Any] = {
            "codec": context.codec.canonical_name,
            "pixels": context.pix_fmt,
            "profile": stream.profile,
            "fields": int(context.field_order),
            "size": (context.width, context.height),
            "aspect": stream.sample_aspect_ratio,
            "color": (context.colorspace, context.color_range, context.color_primaries, context.color_trc),
            "tags": dict(source.metadata),
            "chapters": [(c["start"] * (c["time_base"] or 1), c["metadata"]) for c in source.chapters()],
            "streams": [(s.type, s.metadata.get("language"), s.name) for s in source.streams if s.type != "video"],
        }
    with av.open(str(path)) as source:
        pictures = list(source.decode(video=0))
    facts["rotation"] = pictures[0].rotation
    facts["interlaced"] = sum(picture.interlaced_frame for picture in pictures)
    packets: dict[int, list[bytes]] = {}
    with av.open(str(path)) as source:
        for packet in source.demux():
            if packet.size and packet.stream.index:
                packets.setdefault(packet.stream.index, []).append(bytes(packet))
    return Held(
        [(picture.pts or 0) * (picture.time_base or Fraction(1)) for picture in pictures],
        [picture.reformat(format="rgb24", interpolation=_EXACT).to_ndarray() for picture in pictures],
        packets,
        facts,
    )
