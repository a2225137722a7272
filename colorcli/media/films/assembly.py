"""All shots and what goes with them, joined into one film."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from heapq import merge
from pathlib import Path

import av
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from colorcli.errors import ColorizeError
from colorcli.media.films.animations import write_pages
from colorcli.media.films.encoding import Encoding
from colorcli.media.films.header import FilmHeader, opened
from colorcli.media.films.others import Others, kept_tags, own_tags
from colorcli.media.films.scan import Scan
from colorcli.media.films.segments import Encoded, read_segment
from colorcli.media.films.unhurried import unhurried
from colorcli.media.libvips import VipsError
from colorcli.media.places import whole_files
from colorcli.media.unwritable import unwritable

_BITEXACT = 0x400  # libavformat's AVFMT_FLAG_BITEXACT


def assemble(
    header: FilmHeader,
    scan: Scan,
    encoding: Encoding,
    shots: Sequence[Path],
    target: Path,
    *,
    synthetic: str | None,
    quality: int | None = None,
) -> list[str]:
    """Write the film `target` of the shots' files, in their order, with the source's sound and all else that it has.

    Frames get the source's own times. synthetic: what its comment says of the colour; None: nothing. quality:
    of a WebP. Returns notes for a person. Errors: PhotoError; ColorizeError where no file can be written, as on a full
    disk.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_files(target) as (part,):
            if header.animation:
                pages = [encoded.data for shot in shots for encoded in read_segment(shot)]
                write_pages(part, header.path, pages, quality)
                return []
            return _joined(header, scan, encoding, shots, part, target.suffix, synthetic)
    except (av.FFmpegError, VipsError, OSError) as error:
        if isinstance(error, ColorizeError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise unwritable("the result", target, reason) from error


def _joined(
    header: FilmHeader,
    scan: Scan,
    encoding: Encoding,
    shots: Sequence[Path],
    part: Path,
    kind: str,
    synthetic: str | None,
) -> list[str]:
    with opened(header.path) as (source, picture), av.open(str(part), "w", format=encoding.container) as output:
        output.flags |= _BITEXACT  # Matroska's ids are drawn anew each time otherwise
        stream = encoding.add_to(output, header)
        stream.time_base = header.unit
        stream.metadata.update(own_tags(picture))
        stream.disposition = picture.disposition
        if header.display is not None:
            stream.set_display_matrix(header.display)
        others = Others(source, picture, output)
        output.metadata.update(kept_tags(source, synthetic))
        output.set_chapters(source.chapters())
        with unhurried():
            output.start_encoding()
        video = _video(header, scan, shots, stream, 0 if encoding.reorders else _guessed(picture, scan))
        for _, packet in merge(video, others.packets(), key=lambda one: one[0]):
            output.mux(packet)
    notes = [f"left out, {kind} cannot hold it: {what}" for what in others.left_out]
    if others.several_pictures:
        notes.append("it has several video streams: the first was coloured, the others are as they were")
    return notes


def _video(
    header: FilmHeader, scan: Scan, shots: Sequence[Path], stream: Stream, late: int
) -> Iterator[tuple[Fraction, Packet[Stream]]]:
    """The shots' packets with their times: when they are seen, and when they are decoded.

    The n-th packet is decoded when the frame `delay` places before its own is seen, so that times grow in both orders,
    across cuts too, whatever the rate. late: by how much all times are to be less.
    """
    times = scan.times
    delay = max((n - encoded.frame for n, encoded in _numbered(shots, data=False)), default=0)
    step = max(1, round(1 / (header.rate * header.unit)))
    for n, encoded in _numbered(shots, data=True):
        packet: Packet[Stream] = Packet(encoded.data)
        packet.pts = times[encoded.frame] - late
        packet.dts = (times[n - delay] if n >= delay else times[0] - (delay - n) * step) - late
        packet.duration = _duration(scan, encoded.frame, step)
        packet.is_keyframe = encoded.key
        packet.time_base, packet.stream = header.unit, stream
        yield packet.dts * header.unit, packet


def _guessed(picture: VideoStream, scan: Scan) -> int:
    """How long after the first packet's place in the file its frame is seen: AVI has places alone, libav guesses."""
    index = picture.index_entries
    return max(0, scan.times[0] - index[0].timestamp) if len(index) else 0


def _numbered(shots: Sequence[Path], *, data: bool) -> Iterator[tuple[int, Encoded]]:
    """Packets with their numbers in the order of decoding."""
    n = 0
    for shot in shots:
        for encoded in read_segment(shot, data=data):
            yield n, encoded
            n += 1


def _duration(scan: Scan, frame: int, step: int) -> int:
    """How long a frame is seen: up to the next one's time."""
    if frame + 1 < len(scan):
        return scan.times[frame + 1] - scan.times[frame]
    told = scan.durations[frame]
    return told if abs(told - step) > 1 and told > 0 else step  # what is a tick off was rounded
