"""A shot's encoded frames in a file of their own, until all shots are there."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from colorcli.media.films.program import ProgramEncoder

_MAGIC = b"colorize shot 1\n"
_RECORD = struct.Struct("<qQ?")  # number of the frame in the film, bytes, whether it is a key frame; then the bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """One packet."""

    frame: int  # number in the film, from 0
    key: bool
    data: bytes


class SegmentWriter:
    """Encodes a shot into a file, packets in the order in which they are decoded."""

    def __init__(self, file: BinaryIO, context: VideoCodecContext | ProgramEncoder) -> None:
        self._file, self._context = file, context
        self._unit = context.time_base
        file.write(_MAGIC)

    def add(self, picture: VideoFrame, frame: int) -> None:
        """The next picture, number `frame` of the film. Errors: libav's, OSError."""
        picture.time_base, picture.pts = self._unit, frame
        self._write(self._context.encode(picture))

    def finish(self) -> None:
        """What the encoder still holds. Errors: libav's, OSError."""
        self._write(self._context.encode(None))

    def _write(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            self._file.write(_RECORD.pack(packet.pts or 0, packet.size, packet.is_keyframe))
            self._file.write(bytes(packet))


def read_segment(path: Path, *, data: bool = True) -> Iterator[Encoded]:
    """A shot's packets; data: with their bytes, else b"". Errors: ValueError where it is no such file; OSError."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{path} is no shot")
        while start := file.read(_RECORD.size):
            frame, size, key = _RECORD.unpack(start)
            if data:
                yield Encoded(frame, key, file.read(size))
            else:
                file.seek(size, 1)
                yield Encoded(frame, key, b"")
