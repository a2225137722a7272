"""Films that are no films, or damaged: refused by name, or told frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from colorcli.errors import PhotoError
from colorcli.media.films.kinds import is_film
from colorcli.media.films.reading import DAMAGED, MISSING, frames_of, header_of
from colorcli.media.films.scan import scan

from ...films import Recipe, pan, write_film

Photograph = Callable[..., Any]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut", "cut short"),
        ("text", "its content is no known format"),
        ("still", "a still picture"),
        ("sound", "no video stream"),
        ("gone", "cannot be opened"),
    ],
)
def test_what_is_no_film_is_refused_by_name(kind: str, message: str, photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: what each file is."""
    path = tmp_path / "film.mp4"
    if kind == "cut":
        whole = write_film(tmp_path / "whole.mp4", pan(photograph, "astronaut", 6)).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "text":
        path.write_text("no film at all\n" * 100)
    elif kind == "still":
        Image.fromarray(photograph("coffee", 64, 48)).save(path, "PNG")
    elif kind == "sound":
        write_film(tmp_path / "both.mp4", pan(photograph, "astronaut", 6), Recipe(sound=[("aac", "eng")]))
        with av.open(str(tmp_path / "both.mp4")) as source, av.open(str(path), "w") as output:
            copy = output.add_stream_from_template(source.streams.audio[0])
            for packet in source.demux(source.streams.audio[0]):
                if packet.size:
                    packet.stream = copy
                    output.mux(packet)
    with pytest.raises(PhotoError, match=message):
        header_of(path)


def test_a_refused_frame_is_shown_again_in_its_place(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: the packet whose bytes were overwritten: that frame alone is MISSING, at its own time, and its picture is
    the one before; all others are as in the whole film."""
    whole = write_film(tmp_path / "whole.mp4", pan(photograph, "astronaut", 12), Recipe(options={"g": "6", "bf": "0"}))
    with av.open(str(whole)) as source:
        place = [(packet.pos, packet.size) for packet in source.demux(video=0) if packet.size][5]
    content = bytearray(whole.read_bytes())
    content[place[0] : place[0] + place[1]] = b"\xff" * place[1]
    (tmp_path / "broken.mp4").write_bytes(content)
    header = header_of(tmp_path / "broken.mp4")
    frames = list(frames_of(header))
    assert [frame.damage for frame in frames] == [MISSING if n == 5 else "" for n in range(12)]
    assert [frame.time for frame in frames] == [frame.time for frame in frames_of(header_of(whole))]
    assert (frames[5].picture.to_ndarray() == frames[4].picture.to_ndarray()).all()
    assert scan(header).damage == {5: MISSING}
    assert DAMAGED != MISSING


def test_a_film_that_breaks_off_is_read_up_to_there(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: half of a Matroska file: its first frames, as in the whole one."""
    whole = write_film(tmp_path / "whole.mkv", pan(photograph, "astronaut", 12), Recipe("ffv1", "gray"))
    content = whole.read_bytes()
    (tmp_path / "half.mkv").write_bytes(content[: len(content) // 2])
    times = [frame.time for frame in frames_of(header_of(whole))]
    half = [frame.time for frame in frames_of(header_of(tmp_path / "half.mkv"))]
    assert 3 <= len(half) < 9 and half == times[: len(half)]


def test_which_files_are_films(photograph: Photograph, tmp_path: Path) -> None:
    """Oracle: names of films; GIFs of several pages, unless they are to become photos."""
    still, moving = tmp_path / "still.gif", tmp_path / "moving.gif"
    pages = [Image.fromarray(frame) for frame in pan(photograph, "astronaut", 3, step=8)]
    pages[0].save(still)
    pages[0].save(moving, save_all=True, append_images=pages[1:])
    assert is_film(Path("a.MKV"), Path("out/a.MKV")) and is_film(moving, Path("out/moving.gif"))
    assert not is_film(still, Path("out/still.gif")) and not is_film(moving, Path("out/moving.png"))
