"""Encoders of the ffmpeg program: frames go in by a pipe, packets come out with frames' times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorcli.errors import PhotoError, UsageError
from colorcli.items import FilmOptions
from colorcli.media.films import program
from colorcli.media.films.codecs import chosen_family, in_libav
from colorcli.media.films.encoding import choose_encoding
from colorcli.media.films.kinds import film_extensions
from colorcli.media.films.program import Picture, ProgramEncoder, encoded_stream, find_program, program_encoders
from colorcli.media.films.reading import header_of

from ...films import pan, write_film

Photograph = Callable[..., Any]
_THEORA = "libtheora"  # which PyAV's libav lacks, and decodes

pytestmark = pytest.mark.skipif(
    in_libav(_THEORA) or _THEORA not in program_encoders(), reason="no encoder that the program alone has"
)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What is remembered of the program is forgotten before and after."""
    asked = (program.find_program, program.program_encoders)
    for answer in asked:
        answer.cache_clear()
    yield monkeypatch
    for answer in asked:
        answer.cache_clear()


@pytest.mark.parametrize("size", [(64, 48), (67, 51)])
def test_frames_come_out_as_they_went_in(size: tuple[int, int], photograph: Photograph) -> None:
    """Oracle: the frames, decoded by PyAV in the template's stream: 30 dB at Theora's best but one quality, and numbers
    that go on from the first frame's; odd sides and all."""
    width, height = size
    grays = pan(photograph, "astronaut", 20, width, height)
    picture = Picture(width, height, "yuv444p", Fraction(24000, 1001), Fraction(4, 3), (1, 1, 1, 1))
    encoder, packets = ProgramEncoder(_THEORA, picture, {"q:v": "9"}), []
    for number, gray in enumerate(grays):
        flat = np.full_like(gray, 128)
        frame = av.VideoFrame.from_ndarray(np.stack([gray, flat, flat]), "yuv444p")
        frame.pts = 7 + number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    assert sorted(packet.pts or 0 for packet in packets) == list(range(7, 27))
    assert packets[0].is_keyframe
    with encoded_stream(_THEORA, picture, {"q:v": "9"}) as stream:
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (width, height, Fraction(4, 3))
        decoder = stream.codec_context
        shown = [frame for packet in packets for frame in decoder.decode(packet)]
        shown += decoder.decode(None)
    assert len(shown) == len(grays)
    for gray, frame in zip(grays, shown, strict=True):
        error = frame.to_ndarray()[0].astype(float) - gray
        assert 10 * np.log10(255**2 / np.square(error).mean()) > 30


def test_what_fails_is_said_with_the_programs_words(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: Theora has no option of that name; MP4 no Theora."""
    picture = Picture(64, 48, "yuv420p", Fraction(25), Fraction(1), (1, 1, 1, 1))
    with pytest.raises(PhotoError, match=r"ffmpeg cannot encode with libtheora: .*nonsense"):
        ProgramEncoder(_THEORA, picture, {"nonsense": "1"}).encode(None)
    header = header_of(write_film(tmp_path / "a.mkv", pan(photograph, "astronaut", 2)))
    with pytest.raises(PhotoError, match="mp4 holds no theora"):
        choose_encoding(header, tmp_path / "b.mp4", FilmOptions(codec=_THEORA))
    assert choose_encoding(header, tmp_path / "b.mkv", FilmOptions(codec=_THEORA)).pixels == "yuv420p"


def test_a_container_without_the_codec_becomes_matroska(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: MP4's registered codecs have neither Theora nor VP8."""
    film = write_film(tmp_path / "a.mp4", pan(photograph, "astronaut", 2))
    assert film_extensions(FilmOptions(codec=_THEORA))(film) == ".mkv"
    assert film_extensions(FilmOptions(codec="vp8"))(film) == ".mkv"
    assert film_extensions(FilmOptions(codec="hevc"))(film) == ".mp4"


def test_the_systems_program_comes_first(elsewhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Oracle: PATH; without one there, imageio-ffmpeg's; without both, what lacks is said."""
    own = tmp_path / "ffmpeg"
    own.write_text("#!/bin/sh\necho ' V....D libnew  A new one (codec new)'\n")
    own.chmod(0o755)
    bundled = find_program()
    program.find_program.cache_clear()
    elsewhere.setenv("PATH", str(tmp_path))
    assert find_program() == str(own) != bundled
    assert program_encoders() == {"libnew": "new"}
    assert chosen_family("libnew").name == "new"
    for answer in (program.find_program, program.program_encoders):
        answer.cache_clear()
    elsewhere.setattr(program, "find_program", lambda: None)
    assert program_encoders() == {}
    with pytest.raises(PhotoError, match="needs the ffmpeg program, which is not here"):
        ProgramEncoder(_THEORA, Picture(64, 48, "yuv420p", Fraction(25), Fraction(1), (1, 1, 1, 1)), {})
    elsewhere.setattr("colorcli.media.films.codecs.find_program", lambda: None)
    with pytest.raises(UsageError, match="the ffmpeg program, which has further ones, is not here"):
        chosen_family("libelsewhere")
