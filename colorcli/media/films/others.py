"""What goes with a film's picture: sound, subtitles, chapters, attachments, tags. Copied, never encoded again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

_OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})  # of the container's writer

_SILENCE = b"\0\0"  # an MP4 subtitle without words: its writer puts these in by itself


class Others:
    """The streams of a source besides its picture, and their places in a result."""

    def __init__(self, source: InputContainer, picture: VideoStream, output: OutputContainer) -> None:
        """Adds a stream to `output` for each that it can hold; `left_out` says in words which it cannot."""
        self._source = source
        self.left_out: list[str] = []
        self._copies: dict[int, Stream] = {}
        for stream in source.streams:
            if stream.index == picture.index or _is_written_anew(stream, source):
                continue
            copy = _copied(stream, output)
            if copy is None:
                self.left_out.append(track_name(stream))
            elif stream.type != "attachment":
                self._copies[stream.index] = copy

    @property
    def several_pictures(self) -> bool:
        """Whether there is another video stream, which is copied as it is."""
        return any(copy.type == "video" for copy in self._copies.values())

    def packets(self) -> Iterator[tuple[Fraction, Packet[Stream]]]:
        """All packets to be written, with their times in s, in the source's order, up to where it is cut off."""
        streams = [stream for stream in self._source.streams if stream.index in self._copies]
        if not streams:
            return
        try:
            for packet in self._source.demux(*streams):
                if not packet.size or (packet.is_corrupt and packet.dts is None):
                    continue
                time = packet.dts if packet.dts is not None else packet.pts
                if time is None:
                    continue
                if packet.size == len(_SILENCE) and bytes(packet) == _SILENCE and packet.stream.name == "mov_text":
                    continue
                seconds = time * packet.time_base
                packet.stream = self._copies[packet.stream.index]
                yield seconds, packet
        except av.FFmpegError:  # the file ends in the middle of a packet
            return


def track_name(stream: Stream) -> str:
    """A stream as a person may find it."""
    kind = stream.name if stream.codec_context is None else stream.codec_context.name
    return f"{stream.type} track {stream.index} ({kind or 'unknown'})"


def _is_written_anew(stream: Stream, source: InputContainer) -> bool:
    """Whether it is a track that the result's writer makes of what else it is told: MP4's chapters and timecode."""
    return stream.type == "data" and "mp4" in source.format.name and stream.name in ("bin_data", "none", None)


def can_hold(output_format: str, stream: Stream) -> bool:
    """Whether a container can hold a stream: tried, in memory, since containers say so of a codec only in part."""
    output = av.open(io.BytesIO(), "w", format=output_format)
    try:
        output.add_stream_from_template(stream, opaque=True)
        output.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with suppress(av.FFmpegError):  # an index of nothing: only the header was asked for
            output.close()
    return True


def _copied(stream: Stream, output: OutputContainer) -> Stream | None:
    """The stream's place in the output, with its language, title and roles; None where there can be none."""
    try:
        if stream.type == "attachment":
            if output.format.name != "matroska":
                return None
            data = bytes(stream.data)  # type: ignore[attr-defined]
            copy: Stream = output.add_attachment(stream.name or "attachment", _mime_type(stream), data)
        elif not can_hold(output.format.name, stream):
            return None
        else:
            copy = output.add_stream_from_template(stream, opaque=True)
    except (ValueError, av.FFmpegError):
        return None
    if stream.type != "attachment":
        copy.metadata.update(own_tags(stream))
        copy.disposition = stream.disposition
    return copy


def _mime_type(stream: Stream) -> str:
    return stream.mimetype or "application/octet-stream"  # type: ignore[attr-defined]


def own_tags(stream: Stream) -> dict[str, str]:
    """A stream's language, title and the like."""
    return {key: value for key, value in stream.metadata.items() if key not in _OWN_TAGS}


def kept_tags(source: InputContainer, synthetic: str | None) -> dict[str, str]:
    """The source's own tags; `synthetic` is added to its comment."""
    tags = {key: value for key, value in source.metadata.items() if key not in _OWN_TAGS}
    if synthetic is not None:
        tags["comment"] = f"{tags['comment']}; {synthetic}" if tags.get("comment") else synthetic
    return tags
