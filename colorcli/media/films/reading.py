"""A film's frames in the order in which they are seen, each with its time; what is damaged is told, never dropped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from colorcli.media.films.animations import animation_header, read_pages
from colorcli.media.films.header import FilmHeader, opened, read_header
from colorcli.media.films.kinds import is_animation

DAMAGED = "damaged"  # it could be decoded in part
MISSING = "missing"  # it could not be decoded: the one before is shown again
_PROGRESSIVE = (0, 1)  # field orders: untold, progressive


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a film."""

    picture: VideoFrame  # as stored: not turned upright
    time: int  # in the header's unit; grows from frame to frame
    duration: int  # 0: the file does not say
    damage: str = ""  # DAMAGED, MISSING
    interlaced: bool = False  # in the file


def header_of(path: Path) -> FilmHeader:
    """What is known of a film or an animation. Errors: PhotoError."""
    return animation_header(path) if is_animation(path) else read_header(path)


def frames_of(header: FilmHeader, *, deinterlace: bool = True) -> Iterator[Frame]:
    """All frames, as often as it is asked the same. What follows damage that ends the decoding is not given.

    deinterlace: interlaced frames come out progressive (bwdif, one for one). Errors: PhotoError.
    """
    if header.animation:
        yield from (Frame(picture, time, duration) for picture, time, duration in read_pages(header.path))
        return
    with opened(header.path) as (container, stream):
        stream.thread_type = "AUTO"
        found = _in_order(_decoded(container, stream, header))
        yield from _deinterlaced(found, header) if deinterlace else found


def _decoded(container: InputContainer, stream: VideoStream, header: FilmHeader) -> Iterator[Frame]:
    """What the decoder gives, and in the places of packets that it refused the frame before, as MISSING."""
    pending: set[int] = set()  # times of packets that gave no frame yet
    refused = 0  # packets
    last: VideoFrame | None = None
    for packet in _packets(container, stream):
        if packet.pts is not None and packet.size and not packet.is_discard:
            pending.add(packet.pts)
        try:
            pictures = packet.decode()
        except av.FFmpegError:  # with several threads it may be told packets later
            refused += 1
            pictures = []
        for picture in pictures:
            if (picture.width, picture.height) != (header.width, header.height):
                picture = _resized(picture, header)
            if picture.pts is not None:
                lost = sorted(time for time in pending if time < picture.pts)
                pending.difference_update(lost)
                pending.discard(picture.pts)
                for time in lost[:refused]:
                    yield Frame(last or picture, time, 0, MISSING)
                refused = 0 if lost else refused
            last = picture
            damage = DAMAGED if picture.is_corrupt else ""
            yield Frame(picture, _UNTOLD if picture.pts is None else picture.pts, picture.duration or 0, damage)
    if last is not None:
        for time in sorted(pending)[:refused]:
            yield Frame(last, time, 0, MISSING)


_UNTOLD = -(2**62)  # the time of a frame that has none


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """Packets up to the end, or to where the file is cut off; the last one flushes the decoder."""
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        flush: Any = av.Packet()
        flush.stream = stream
        yield flush


def _resized(picture: VideoFrame, header: FilmHeader) -> VideoFrame:
    """A film whose size changes on the way keeps that of its first frame."""
    resized = picture.reformat(width=header.width, height=header.height, format=header.pixels)
    resized.pts, resized.time_base = picture.pts, picture.time_base
    return resized


def _in_order(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Times that grow: a frame without one, or with one that has been, follows the one before by its duration."""
    last: Frame | None = None
    for frame in frames:
        if last is not None and frame.time <= last.time:
            frame = replace(frame, time=last.time + max(1, last.duration))
        elif frame.time == _UNTOLD:
            frame = replace(frame, time=0)
        yield frame
        last = frame


def _deinterlaced(frames: Iterator[Frame], header: FilmHeader) -> Iterator[Frame]:
    """Frames from the first interlaced one on go through a filter, which changes only those."""
    graph: Graph | None = None
    waiting: deque[Frame] = deque()
    for frame in frames:
        interlaced = frame.picture.interlaced_frame
        if graph is None and (interlaced or header.fields not in _PROGRESSIVE):
            graph = _filter(frame.picture, header)
        if graph is None:
            yield frame
            continue
        waiting.append(replace(frame, interlaced=interlaced))
        graph.vpush(frame.picture)  # one that is shown again comes twice: only the order counts
        yield from _filtered(graph, waiting)
    if graph is not None:
        graph.vpush(None)
        yield from _filtered(graph, waiting)
    yield from waiting  # none, unless the filter swallowed some


def _filtered(graph: Graph, waiting: deque[Frame]) -> Iterator[Frame]:
    while True:
        try:
            picture = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield replace(waiting.popleft(), picture=picture)


def _filter(picture: VideoFrame, header: FilmHeader) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=header.width, height=header.height, format=picture.format, time_base=header.unit)
    woven = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    graph.link_nodes(source, woven, graph.add("buffersink")).configure()
    return graph
