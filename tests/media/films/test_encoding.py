"""Where a film's result goes and what it is encoded with."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from colorcli.errors import PhotoError, UsageError
from colorcli.items import FilmOptions
from colorcli.media.films.codecs import FAMILIES, chosen_family, has_encoder
from colorcli.media.films.encoding import choose_encoding
from colorcli.media.films.kinds import film_extensions
from colorcli.media.films.reading import header_of

from ...films import Recipe, pan, write_film

Photograph = Callable[..., Any]
_PLAIN = FilmOptions()
_VIDEO_FOR_WINDOWS = ("huffyuv", "utvideo", "png")


def test_every_family_has_an_encoder_that_takes_a_small_film(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: libav opens it, in Matroska, or AVI where libav says that only that holds it, at a rate that MPEG-1 knows
    and at one that it does not."""
    header = header_of(write_film(tmp_path / "a.mkv", pan(photograph, "astronaut", 2)))
    for name, family in FAMILIES.items():
        if any(map(has_encoder, family.encoders)):
            for rate in (Fraction(24), Fraction(16)):
                target = tmp_path / ("b.avi" if name in _VIDEO_FOR_WINDOWS else "b.mkv")
                chosen = choose_encoding(replace(header, rate=rate), target, FilmOptions(codec=name))
                assert chosen.family is family and not chosen.pixels.startswith("gray")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc: not Linux")
def test_no_thread_is_left_in_a_hurry(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: the scheduler of every thread, as before: as root SVT-AV1 makes its own and the caller's real-time."""
    header = header_of(write_film(tmp_path / "a.mkv", pan(photograph, "astronaut", 2)))
    encoder = choose_encoding(header, tmp_path / "b.mkv", FilmOptions(codec="av1")).open(header)
    policies = {os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()}
    assert policies == {os.SCHED_OTHER} and encoder.encode(None) == []


@pytest.mark.parametrize(
    ("pixels", "codec", "expected"),
    [
        ("yuv420p", "h264", "yuv420p"),
        ("yuv422p10le", "h264", "yuv422p10le"),
        ("yuv420p10le", "hevc", "yuv420p10le"),
        ("gray", "h264", "yuv420p"),
        ("gray", "ffv1", "yuv444p"),
        ("gray10le", "hevc", "yuv420p10le"),
        ("rgb24", "h264", "yuv444p"),
        ("yuv420p10le", "mpeg2video", "yuv420p"),
    ],
)
def test_the_pixel_format_is_the_films_own_where_it_can_be(
    pixels: str, codec: str, expected: str, photograph: Photograph, tmp_path: Path
) -> None:
    """Oracle: the table: same depth and same chroma where the encoder has it, never a format without colour."""
    header = header_of(write_film(tmp_path / "a.mkv", pan(photograph, "astronaut", 2)))
    header = replace(header, pixels=pixels, bits=10 if "10" in pixels else 8)
    assert choose_encoding(header, tmp_path / "b.mkv", FilmOptions(codec=codec)).pixels == expected


def test_odd_sizes_take_a_format_without_halved_chroma(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: x264 refuses odd sizes at 4:2:0."""
    header = header_of(write_film(tmp_path / "a.mkv", pan(photograph, "astronaut", 2, 63, 47), Recipe("ffv1", "gray")))
    assert choose_encoding(header, tmp_path / "b.mp4", FilmOptions(codec="h264")).pixels == "yuv444p"


def test_a_container_that_cannot_hold_the_sound_becomes_matroska(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: WebM's list of codecs has no AAC; one that we do not write becomes Matroska too; others stay."""
    frames = pan(photograph, "astronaut", 2)
    fitting = write_film(tmp_path / "a.mp4", frames, Recipe(sound=[("aac", "eng")]))
    other = write_film(tmp_path / "b.webm", frames, Recipe("libvpx", sound=[("aac", "eng")], muxer="matroska"))
    flash = write_film(tmp_path / "c.flv", frames)
    extension = film_extensions(_PLAIN)
    assert [extension(path) for path in (fitting, other, flash)] == [".mp4", ".mkv", ".mkv"]
    assert film_extensions(FilmOptions(codec="h264"))(other) == ".mkv"
    (tmp_path / "d.mp4").write_text("no film")
    assert extension(tmp_path / "d.mp4") == ".mp4"  # it fails later, by its name


def test_a_codec_that_the_container_lacks(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: libav's Matroska and QuickTime take no HuffYUV: asked for, it is refused before any work; of a film that
    has it, the result is lossless in the one and the container's usual codec in the other."""
    header = header_of(write_film(tmp_path / "a.avi", pan(photograph, "astronaut", 2), Recipe("huffyuv", "yuv422p")))
    asked = FilmOptions(codec="huffyuv")
    for name, instead in (("b.mkv", "ffv1"), ("b.mov", "h264")):
        with pytest.raises(PhotoError, match="holds no huffyuv"):
            choose_encoding(header, tmp_path / name, asked)
        assert choose_encoding(header, tmp_path / name, _PLAIN).family.name == instead
    assert choose_encoding(header, tmp_path / "b.avi", _PLAIN).family.name == "huffyuv"


def test_codecs_that_are_not_there_are_refused() -> None:
    """Oracle: UsageError, which names those that are; an encoder's own name is as good as its family's."""
    with pytest.raises(UsageError, match="h264, hevc"):
        chosen_family("nonsense")
    with pytest.raises(UsageError, match="must be one of"):
        chosen_family("aac")
    assert chosen_family("libx264") is FAMILIES["h264"]


def test_a_container_says_what_it_holds(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: an MPEG program stream holds MPEG video."""
    header = header_of(write_film(tmp_path / "a.mp4", pan(photograph, "astronaut", 2)))
    with pytest.raises(PhotoError, match="mpeg holds no h264"):
        choose_encoding(header, tmp_path / "b.mpg", FilmOptions(codec="h264"))


def test_h264_is_the_same_every_time(tmp_path: Path, photograph: Callable[..., Any]) -> None:
    """Oracle: eighty encodings of the same frames give the same packets. With AVX-512 x264's own choice of code gave
    others to 12 of 40, for frames that were compressed before: the fewer its threads, the more often."""
    with av.open(str(write_film(tmp_path / "a.mkv", pan(photograph, "rocket", 12, 160, 120, 4)))) as source:
        frames = [frame.to_ndarray(format="yuv420p") for frame in source.decode(video=0)]

    def packets() -> bytes:
        context: Any = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = 160, 120, "yuv420p"
        context.time_base, context.framerate, context.thread_count = Fraction(1, 24), 24, 1
        context.options = {"crf": "18", **FAMILIES["h264"].options}
        made = b""
        for number, planes in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            made += b"".join(map(bytes, context.encode(frame)))
        return made + b"".join(map(bytes, context.encode(None)))

    assert len({packets() for _ in range(80)}) == 1
