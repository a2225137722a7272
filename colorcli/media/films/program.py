"""Encoders that PyAV's libav lacks, by way of an ffmpeg program: the system's, else that of imageio-ffmpeg."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from queue import SimpleQueue
from typing import IO, Any

import av
import ffmpeg
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from colorcli.errors import PhotoError

_LISTED = re.compile(r"^ V\S{5} (\S+) .*?(?:\(codec (\S+)\))?$", re.MULTILINE)  # of `ffmpeg -encoders`
_FORMATS = re.compile(r"Supported pixel formats: (.*)")  # of `ffmpeg -h encoder=NAME`
PLANAR = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")  # formats that are piped
_UPLOADED = "vaapi"  # what ends the names of encoders that see pictures in the memory of a GPU alone
_FROM_MEMORY = ("yuv420p", "yuv420p10le")  # and what such are given
_LAST_WORDS = 200  # characters of what the program says as it fails


@lru_cache(maxsize=1)
def find_program() -> str | None:
    """The ffmpeg program; None where there is none."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # not installed, or without a binary for this machine
        return None


@lru_cache(maxsize=1)
def program_encoders() -> Mapping[str, str]:
    """The program's video encoders, and the codec of each."""
    return {name: codec or name for name, codec in _LISTED.findall(_asked("-encoders"))}


@lru_cache(maxsize=8)
def program_formats(encoder: str) -> tuple[str, ...]:
    """The pixel formats of frames that an encoder of the program takes; () where it does not say."""
    if encoder.endswith(_UPLOADED):
        return _FROM_MEMORY
    found = _FORMATS.search(_asked("-h", f"encoder={encoder}"))
    return tuple(found[1].split()) if found else ()


def _asked(*question: str) -> str:
    """What the program says; "" where there is none."""
    program = find_program()
    if program is None:
        return ""
    return subprocess.run([program, "-hide_banner", *question], capture_output=True, text=True, check=False).stdout


@dataclass(frozen=True, slots=True)
class Picture:
    """What the program is told of the frames."""

    width: int  # pixels
    height: int
    pixels: str  # libav's planar pixel format
    rate: Fraction  # frames/s
    aspect: Fraction  # of a pixel
    color: tuple[int, int, int, int]  # libav's matrix, range, primaries, transfer


class ProgramEncoder:
    """Encodes frames as PyAV's encoders do: frames in, packets out, times count frames.

    options: the program's own, as `-crf`. Errors: PhotoError with the program's last words where it fails.
    """

    def __init__(self, encoder: str, picture: Picture, options: Mapping[str, str]) -> None:
        self.time_base = 1 / picture.rate
        self._encoder, self._first = encoder, -1
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self._process = subprocess.Popen(
            _command(encoder, picture, options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
        )
        weakref.finalize(self, self._process.kill)  # a film that is given up
        self._packets: SimpleQueue[Packet[VideoStream]] = SimpleQueue()
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, self._packets), daemon=True)
        self._reader.start()

    def encode(self, frame: VideoFrame | None) -> list[Packet[VideoStream]]:
        """The packets that are ready after this frame; after None all that are left. Their times are frames'."""
        stdin: Any = self._process.stdin
        try:
            if frame is None:
                stdin.close()
                self._reader.join()
                if self._process.wait():
                    raise self._failed()
            else:
                if self._first < 0:
                    self._first = frame.pts or 0
                for plane in frame.planes:
                    stdin.write(_packed(plane, frame))
        except OSError as error:  # the pipe is broken
            self._process.wait()
            raise self._failed() from error
        ready = []
        while not self._packets.empty():
            packet = self._packets.get()
            packet.pts = self._first + round(Fraction(packet.pts or 0) * (packet.time_base or 0) / self.time_base)
            ready.append(packet)
        return ready

    def _failed(self) -> PhotoError:
        self._said.seek(0)
        return _failure(self._encoder, self._said.read())


@contextmanager
def encoded_stream(encoder: str, picture: Picture, options: Mapping[str, str]) -> Iterator[VideoStream]:
    """A stream of one frame, the template of a film's. Errors: PhotoError with the program's last words."""
    command = _command(encoder, picture, options)
    frame = VideoFrame(picture.width, picture.height, picture.pixels)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    raw = b"".join(_packed(plane, frame) for plane in frame.planes)
    done = subprocess.run(command, input=raw, capture_output=True, check=False)
    if done.returncode:
        raise _failure(encoder, done.stderr)
    with av.open(io.BytesIO(done.stdout), format="matroska") as container:
        yield container.streams.video[0]


def _failure(encoder: str, said: bytes) -> PhotoError:
    lines = said.decode(errors="replace").strip().splitlines() or ["it does not say why"]
    return PhotoError(f"ffmpeg cannot encode with {encoder}: {lines[0][-_LAST_WORDS:]}")


def _command(encoder: str, picture: Picture, options: Mapping[str, str]) -> list[str]:
    """The program's command line: raw frames on its standard input, Matroska on its standard output."""
    program = find_program()
    if program is None:
        raise PhotoError(f"{encoder} needs the ffmpeg program, which is not here: install it, or imageio-ffmpeg")
    matrix, full, primaries, transfer = picture.color
    size = (picture.width, picture.height)
    frames = ffmpeg.input(
        "pipe:", format="rawvideo", pixel_format=picture.pixels, video_size=size, framerate=picture.rate
    )
    frames = frames.filter("setsar", str(picture.aspect))
    # numbers, which libav's options take as well as names
    frames = frames.filter("setparams", range=full, colorspace=matrix, color_primaries=primaries, color_trc=transfer)
    told = ["-hide_banner", "-loglevel", "error"]
    if encoder.endswith(_UPLOADED):
        told += ["-init_hw_device", f"{_UPLOADED}=gpu", "-filter_hw_device", "gpu"]
        frames = frames.filter("format", "p010le" if "10" in picture.pixels else "nv12").filter("hwupload")
    output = ffmpeg.output(frames, "pipe:", format="matroska", vcodec=encoder, **options)
    return [str(word) for word in ffmpeg.compile(output.global_args(*told), cmd=program)]


def _read(stdout: IO[bytes], packets: SimpleQueue[Packet[VideoStream]]) -> None:
    """Put the program's packets into a queue until it ends; why it ended is asked elsewhere."""
    try:
        with av.open(stdout, "r", format="matroska") as container:
            for packet in container.demux(video=0):
                if packet.size:
                    packets.put(packet)
    except (av.FFmpegError, ValueError, OSError):
        stdout.read()


def _packed(plane: Any, frame: VideoFrame) -> bytes:
    """A plane's rows without what libav puts behind them."""
    wide = plane.width * (2 if frame.format.components[0].bits > 8 else 1)
    data = memoryview(plane)
    if plane.line_size == wide:
        return bytes(data[: wide * plane.height])
    return b"".join(data[row * plane.line_size :][:wide] for row in range(plane.height))
