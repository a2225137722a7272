"""Whole films through the command line with the tiny network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from colorcli.errors import ColorizeError
from colorcli.media.films.program import program_encoders
from colorcli.media.films.scan import Shot

from ..films import Recipe, held, pan, write_film

_TWO = [("aac", "eng"), ("libopus", "fra")]
Call = Callable[..., Any]
Photograph = Callable[..., Any]


def _lightness(rgb: Any) -> Any:
    from skimage.color import rgb2lab

    return rgb2lab(rgb)[..., 0]


@pytest.fixture
def film(tmp_path: Path, photograph: Photograph) -> Path:
    """Two shots of eight frames at a variable rate, with sound, tags and chapters; B-frames."""
    frames = pan(photograph, "astronaut", 8) + pan(photograph, "coffee", 8)
    times = [0, 3003, 9000, 12_000, 12_500, 20_000, 27_003, 30_000, 40_000, 41_000, 45_000, 51_000, 60_001, 60_900]
    recipe = Recipe(
        times=[*times, 70_000, 77_000],
        sound=[("aac", "eng"), ("aac", "fra")],
        tags={"title": "Summer", "comment": "from the attic"},
        chapters=True,
    )
    return write_film(tmp_path / "in" / "film.mp4", frames, recipe)


def test_a_film_keeps_what_it_has(film: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the source, read with PyAV: every frame's time (a variable rate, exactly), every packet of both sound
    tracks, tags and chapters; and the frames are no longer gray."""
    answer = auto(film, "--compare", "--json", out=tmp_path / "out")
    assert answer.code == 0, answer.err
    before, after = held(film), held(tmp_path / "out" / "film.mp4")
    assert after.times == before.times and len(after.times) == 16
    assert after.packets == before.packets and len(after.packets) == 2
    for fact in ("codec", "pixels", "size", "chapters", "streams", "rotation"):
        assert after.facts[fact] == before.facts[fact], fact
    assert after.facts["tags"]["title"] == "Summer"
    assert after.facts["tags"]["comment"].startswith("from the attic; Its colour is synthetic: colorize")
    spread = np.mean([frame.astype(int).max(axis=2) - frame.min(axis=2) for frame in after.frames])
    assert spread > 10 and np.mean([np.ptp(frame.astype(int), axis=2) for frame in before.frames]) < 3
    told = _report(answer)
    assert [(shot["first"], shot["frames"]) for shot in told["shots"]] == [(0, 8), (8, 8)]
    assert told["sheet"] == str(tmp_path / "out" / "film.mp4.compare.jpg")
    sheet = Image.open(tmp_path / "out" / "film.mp4.compare.jpg")
    assert sheet.size == (4 * 480 + 8, 360)  # two pairs of 4:3 pictures, 480 wide, and 8 between
    assert not (tmp_path / "out" / ".colorize" / "films").exists()


def _times_by_ffmpeg(film: Path) -> list[Fraction]:
    """The time of every frame, in seconds from the first, as the ffmpeg program sees them."""
    frames = ffmpeg.input(str(film)).video.output(
        "pipe:", format="framecrc", fps_mode="passthrough", enc_time_base="demux"
    )
    lines = frames.run(cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True)[0].decode().splitlines()
    unit = next(Fraction(line.split()[-1]) for line in lines if line.startswith("#tb 0"))
    times = [int(line.split(",")[2]) for line in lines if not line.startswith("#")]
    return [(time - times[0]) * unit for time in times]


def test_the_ffmpeg_program_sees_the_same_times(film: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: another reader than the one that wrote it: ffmpeg itself, on the source; a variable rate, exactly."""
    assert auto(film, out=tmp_path / "out").code == 0
    before = _times_by_ffmpeg(film)
    assert len(before) == 16 and len({later - time for time, later in pairwise(before)}) > 5
    assert _times_by_ffmpeg(tmp_path / "out" / "film.mp4") == before


@pytest.mark.skipif("libtheora" not in program_encoders(), reason="no ffmpeg program with libtheora")
def test_an_encoder_of_the_ffmpeg_program(film: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the source: number of frames and their distances in time (Matroska's whole ms, shifted as a whole for
    sound that begins before 0), and both sound tracks; the codec asked for, in a container that holds it."""
    answer = auto(film, "--codec", "libtheora", out=tmp_path / "out")
    assert answer.code == 0, answer.err
    before, after = held(film), held(tmp_path / "out" / "film.mkv")
    assert after.facts["codec"] == "theora" and len(after.packets) == 2
    expected, found = ([time - times[0] for time in times] for times in (before.times, after.times))
    assert len(found) == 16
    assert max(abs(one - other) for one, other in zip(expected, found, strict=True)) <= Fraction(1, 1000)
    assert np.mean([frame.astype(int).max(axis=2) - frame.min(axis=2) for frame in after.frames]) > 10


def test_lightness_stays(tmp_path: Path, photograph: Photograph, auto: Call) -> None:
    """Oracle: the promise (|dL| <= 1 for 99.9 %), by scikit-image's L of the source's frames; FFV1 loses nothing."""
    source = write_film(tmp_path / "a.mkv", pan(photograph, "chelsea", 3), Recipe("ffv1", "gray"))
    assert auto(source, out=tmp_path / "out").code == 0
    for before, after in zip(held(source).frames, held(tmp_path / "out" / "a.mkv").frames, strict=True):
        difference = np.abs(_lightness(before) - _lightness(after))
        assert np.quantile(difference, 0.999) <= 1


def test_done_films_are_left_and_a_changed_option_redoes_films_alone(
    film: Path, tmp_path: Path, put_photo: Call, auto: Call
) -> None:
    """Oracle: the ledger's word in the summary, of a photo and a film in one run."""
    put_photo(film.parent / "b" / "photo.png")
    out = tmp_path / "out"
    assert "2 coloured" in auto(film.parent, out=out).out
    assert (out / "b" / "photo.png").is_file()
    assert "0 coloured, 2 done before" in auto(film.parent, out=out).out
    assert "1 coloured, 1 done before" in auto(film.parent, "--crf", "30", out=out).out


def _report(answer: Any) -> dict[str, Any]:
    """What `--json` tells of the first film."""
    assert answer.code == 0, answer.err
    told: dict[str, Any] = json.loads(answer.out.splitlines()[0])["film"]
    return told


class _Killed(BaseException):
    """The process ends here."""


def test_a_killed_film_goes_on_by_shot(film: Path, tmp_path: Path, auto: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the film and the figures of an unbroken run, byte for byte: the killed one's first shot is not coloured a
    second time."""
    from colorcli.run import film as module

    whole = _report(auto(film, "--json", out=tmp_path / "whole"))
    encode = module.FilmRun._encode

    def kill(self: Any, coloured: Any, shot: Shot, file: Path) -> Any:
        if shot.first:
            raise _Killed
        return encode(self, coloured, shot, file)

    monkeypatch.setattr(module.FilmRun, "_encode", kill)
    with pytest.raises(_Killed):
        auto(film, out=tmp_path / "out")
    monkeypatch.undo()
    kept = list((tmp_path / "out" / ".colorize" / "films").rglob("shot-*"))
    assert (
        sorted(path.name for path in kept) == ["shot-00000", "shot-00000.json"]
        and not (tmp_path / "out" / "film.mp4").exists()
    )
    answer = auto(film, "--json", out=tmp_path / "out")
    assert answer.code == 0 and "2 shots, 1 of them done before" in answer.err
    resumed = _report(answer)
    assert (whole["found"], resumed["found"]) == (0, 1) and whole["shots"][0]["flicker"]["warp"] > 0
    assert {**resumed, "found": 0, "rate": 0, "sheet": None} == {**whole, "rate": 0, "sheet": None}
    assert (tmp_path / "out" / "film.mp4").read_bytes() == (tmp_path / "whole" / "film.mp4").read_bytes()
    assert not (tmp_path / "out" / ".colorize" / "films").exists()


def test_a_run_without_room_says_so(film: Path, tmp_path: Path, auto: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: a disk with 1 KB free, as the system would tell; and one that fills up while a shot is written."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1024))
    answer = auto(film, out=tmp_path / "out")
    assert answer.code == 3 and "has 0 MB free and the film needs about" in answer.err
    monkeypatch.undo()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("colorcli.media.films.segments.SegmentWriter._write", full)
    answer = auto(film, out=tmp_path / "out")
    assert answer.code == ColorizeError.exit_code and "No space left on device" in answer.err
    assert not (tmp_path / "out" / "film.mp4").exists()


def test_shots_are_listed(film: Path, tmp_path: Path, auto: Call) -> None:
    """Oracle: the film was made of two shots; its ninth frame is seen at 40000/90000 s; nothing is written."""
    answer = auto(film, "--shots", out=tmp_path / "out")
    lines = answer.out.splitlines()
    assert [line.split("shot")[1].split() for line in lines] == [
        ["1", "0.000", "s", "frames", "0..7"],
        ["2", "0.444", "s", "frames", "8..15"],
    ]
    assert not (tmp_path / "out").exists()


def test_each_shot_takes_the_nearest_reference(film: Path, tmp_path: Path, put_color: Call, exemplar: Call) -> None:
    """Oracle: stills of the very pictures that the shots were made of, in colour; one reference for all goes too."""
    stills = tmp_path / "stills"
    for name in ("astronaut", "coffee", "rocket"):
        put_color(stills / f"{name}.png", name, 64, 48)
    answer = exemplar(film, "--json", ref=[stills], out=tmp_path / "best")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out.splitlines()[0])
    assert [shot["reference"] for shot in told["film"]["shots"]] == ["astronaut.png", "coffee.png"]
    assert "shot 2 has the colours of coffee.png" in told["notes"]
    assert exemplar(film, ref=[stills / "rocket.png"], out=tmp_path / "one").code == 0
    best, one = (held(tmp_path / folder / "film.mp4").frames[0].astype(int) for folder in ("best", "one"))
    assert np.abs(best - one).mean() > 1


def test_without_temporal_each_frame_is_its_own(tmp_path: Path, photograph: Photograph, auto: Call) -> None:
    """Oracle: seen alone a frame has the colour that it has in a film of `--no-temporal`; steadied it differs."""
    frames = pan(photograph, "astronaut", 6, step=4)
    film = write_film(tmp_path / "a.mkv", frames, Recipe("ffv1", "gray"))
    last = write_film(tmp_path / "last.mkv", frames[-1:], Recipe("ffv1", "gray"))
    assert auto(film, last, "--no-temporal", out=tmp_path / "own").code == 0
    assert auto(film, out=tmp_path / "steady").code == 0
    own, steady = (held(tmp_path / folder / "a.mkv").frames[-1].astype(int) for folder in ("own", "steady"))
    alone = held(tmp_path / "own" / "last.mkv").frames[0].astype(int)
    assert np.abs(own - alone).max() <= 2 < np.abs(steady - alone).max()


def test_a_film_says_how_much_it_flickers(tmp_path: Path, photograph: Photograph, auto: Call) -> None:
    """Oracle: closed form: a still film does not flicker, whatever its colours. Steadied, a pan changes less along its
    motion than its frames' own predictions; without steadying these are the film, and its figures the same."""
    still = write_film(tmp_path / "still.mkv", pan(photograph, "astronaut", 1) * 6, Recipe("ffv1", "gray"))
    flicker = _report(auto(still, "--json", out=tmp_path / "still"))["flicker"]
    assert max(flicker.values()) < 1e-6  # float32: carrying along no motion interpolates all the same
    moving = write_film(tmp_path / "pan.mkv", pan(photograph, "astronaut", 10, step=4), Recipe("ffv1", "gray"))
    answer = auto(moving, "--json", "-v", out=tmp_path / "steady")
    steady = _report(answer)["flicker"]
    own = _report(auto(moving, "--json", "--no-temporal", out=tmp_path / "own"))["flicker"]
    assert steady["warp"] < 0.8 * steady["warp_own"]
    assert own == {
        "warp": steady["warp_own"],
        "warp_own": None,
        "consistency": steady["consistency_own"],
        "consistency_own": None,
        "consistency_gray": steady["consistency_gray"],
    }
    assert f"shot 1 at 0.000 s, frames 0..9: chroma warp error {steady['warp']:.3f} ab" in answer.err


@pytest.mark.parametrize("kind", [".gif", ".webp"])
def test_an_animation_is_a_short_film(kind: str, tmp_path: Path, photograph: Photograph, auto: Call) -> None:
    """Oracle: Pillow's count of pages and their durations, before and after; the pages are in colour."""
    source = tmp_path / f"a{kind}"
    pages = [Image.fromarray(frame) for frame in pan(photograph, "astronaut", 5, step=6)]
    pages[0].save(
        source, save_all=True, append_images=pages[1:], duration=[40, 200, 70, 40, 100], loop=3, lossless=True
    )
    assert auto(source, "--quality", "90", out=tmp_path / "out").code == 0

    def pages_of(path: Path) -> tuple[list[int], float]:
        durations, spreads = [], []
        with Image.open(path) as image:
            for page in range(image.n_frames):  # type: ignore[attr-defined]
                image.seek(page)
                image.load()
                durations.append(image.info["duration"])
                spreads.append(float(np.ptp(np.asarray(image.convert("RGB")).astype(int), axis=2).mean()))
        return durations, min(spreads)

    durations, spread = pages_of(source)
    assert durations == [40, 200, 70, 40, 100] and spread == 0
    durations, spread = pages_of(tmp_path / "out" / f"a{kind}")
    assert durations == [40, 200, 70, 40, 100] and spread > 10


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("turned.mov", Recipe(rotation=90, sound=[("pcm_s16le", "eng")])),
        ("two.mkv", Recipe(sound=_TWO, subtitles="subrip", chapters=True, attachment=True, aspect=Fraction(4, 3))),
        ("full.mp4", Recipe(color=(1, 2, 1, 1), subtitles="mov_text")),
        ("old.avi", Recipe("mpeg4", sound=[("libmp3lame", "eng")])),
        ("web.webm", Recipe("libvpx", options={"crf": "10", "b": "2M"})),
        ("disc.mpg", Recipe("mpeg2video", rate=25, sound=[("mp2", "eng")])),
        ("odd.avi", Recipe("mjpeg", "yuvj444p")),
        ("edit.mov", Recipe("prores_ks", "yuv422p10le", options={"profile": "lt"})),
        ("frames.mkv", Recipe("ffv1", fields=1)),
        ("late.avi", Recipe(options={"bf": "0"}, sound=[("pcm_s16le", "eng")])),
    ],
)  # fmt: skip
def test_kinds_of_films(name: str, recipe: Recipe, tmp_path: Path, photograph: Photograph, auto: Call) -> None:
    """Oracle: the source, read with PyAV. Containers write the streams' names their own way, so these are not compared,
    nor is a matrix that the source does not tell: the result tells the one that it was made with."""
    frames = pan(photograph, "astronaut", 5, *((63, 47) if name.startswith("odd") else (64, 48)))
    source = write_film(tmp_path / name, frames, recipe)
    answer = auto(source, out=tmp_path / "out")
    assert answer.code == 0, answer.err
    before, after = held(source), held(tmp_path / "out" / name)
    start = before.times[0] - after.times[0]  # an MPEG stream begins where its writer likes
    assert [time + start for time in after.times] == before.times
    assert after.packets == before.packets
    for fact in ("codec", "pixels", "size", "chapters", "rotation", "fields"):
        assert after.facts[fact] == before.facts[fact], fact
    assert after.facts["codec"] != "prores" or after.facts["profile"] == before.facts["profile"]
    assert (after.facts["aspect"] or 1) == (before.facts["aspect"] or 1)
    assert [kind for kind, *_ in after.facts["streams"]] == [kind for kind, *_ in before.facts["streams"]]
    told = before.facts["color"]
    assert after.facts["color"][1] in (told[1], 1) and after.facts["color"][2:] == told[2:]
    assert told[0] == 2 or after.facts["color"][0] == told[0]


def test_ten_bits_stay(tmp_path: Path, auto: Call) -> None:
    """Oracle: a ramp of 10-bit steps: more values of luma than 8 bits have come back."""
    ramp = np.linspace(8000, 56_000, 64 * 48).reshape(48, 64).astype(np.uint16)
    source = write_film(tmp_path / "deep.mkv", [ramp] * 2, Recipe("ffv1", "gray10le"))
    assert auto(source, "--codec", "ffv1", out=tmp_path / "out").code == 0
    after = held(tmp_path / "out" / "deep.mkv")
    assert after.facts["pixels"].endswith("10le")
    import av

    with av.open(str(tmp_path / "out" / "deep.mkv")) as container:
        picture = next(container.decode(video=0))
        luma = np.frombuffer(picture.planes[0], "<u2")
    assert len(np.unique(luma)) > 400


def test_interlaced_frames(tmp_path: Path, photograph: Photograph, auto: Call) -> None:
    """Oracle: libav's flag of each frame, and the promise that it is said; with `off` the fields stay."""
    fine = pan(photograph, "astronaut", 12, step=3)
    frames = [first.copy() for first in fine[::2]]
    for frame, second in zip(frames, fine[1::2], strict=True):
        frame[1::2] = second[1::2]
    recipe = Recipe("mpeg2video", rate=25, interlaced=True, options={"flags": "+ildct+ilme"})
    source = write_film(tmp_path / "a.mpg", frames, recipe)
    assert held(source).facts["interlaced"] == 6
    answer = auto(source, out=tmp_path / "auto")
    assert "6 of 6 frames are interlaced and were deinterlaced" in answer.err
    assert held(tmp_path / "auto" / "a.mpg").facts["interlaced"] == 0
    assert "coloured as they are" in auto(source, "--deinterlace", "off", out=tmp_path / "off").err
    assert held(tmp_path / "off" / "a.mpg").facts["interlaced"] == 6
