"""8-bit chroma that rests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from colorcli.color.flow import Motion
from colorcli.media.films.pixels import _EXACT, plane_of
from colorcli.media.films.reading import header_of
from colorcli.stages.settled import Settled, fine_format

from ..films import Recipe, write_film

SIDE = 48


def _picture(seed: int) -> VideoFrame:
    pixels = np.random.default_rng(seed).normal(128, 60, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
    return VideoFrame.from_ndarray(pixels, "rgb24")


def _still() -> Motion:
    return Motion(torch.zeros(2, SIDE, SIDE), torch.ones(1, SIDE, SIDE))


def _made(picture: VideoFrame, pixels: str, full: bool) -> VideoFrame:
    ranged = ColorRange.JPEG if full else ColorRange.MPEG
    return picture.reformat(
        format=pixels, interpolation=_EXACT, dst_colorspace=Colorspace.ITU601, dst_color_range=ranged
    )


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("chroma", ["420", "422", "444"])
def test_a_first_frame_is_rounded_as_ever(chroma: str, full: bool, tmp_path: Path) -> None:
    """Oracle: swscale's own way to 8 bits, within its one step, and nine in ten samples alike; so in both ranges."""
    recipe = Recipe(color=(6, 2 if full else 1, 6, 6))
    header = header_of(write_film(tmp_path / "a.mkv", [np.zeros((SIDE, SIDE), np.uint8)] * 2, recipe))
    assert header.full_range == full
    pixels, source = f"yuv{chroma}p", _picture(0)
    direct = _made(source, pixels, full)
    settled = Settled(header, pixels).rounded(_made(source, fine_format(pixels), full), source, None)
    for ours, theirs in zip(settled.planes, direct.planes, strict=True):
        apart = np.abs(plane_of(ours, 8).astype(int) - plane_of(theirs, 8).astype(int))
        assert apart.max() <= 1 and (apart == 0).mean() > 0.9


def test_chroma_rests_and_follows(tmp_path: Path) -> None:
    """Oracle: by hand: 100.4, 100.6 and 100.7 stay at 100, where rounding says 100, 101, 101; 101.1 becomes 101 and
    100.3 then stays there; luma is rounded each time; a new shot begins with rounding."""
    header = header_of(write_film(tmp_path / "a.mkv", [np.zeros((SIDE, SIDE), np.uint8)] * 2))
    settled = Settled(header, "yuv420p")

    def shown(rests: Settled, value: float) -> tuple[int, int]:
        fine = VideoFrame(SIDE, SIDE, "yuv420p16le")
        for plane in fine.planes:
            plane_of(plane, 16)[:] = round(256 * value)
        made = rests.rounded(fine, _picture(0), _still())
        luma, blue = (np.unique(plane_of(plane, 8)) for plane in made.planes[:2])
        return int(luma.item()), int(blue.item())

    values = (100.4, 100.6, 100.7, 101.1, 100.3)
    assert [shown(settled, value) for value in values] == [(100, 100), (101, 100), (101, 100), (101, 101), (100, 101)]
    assert shown(Settled(header, "yuv420p"), 100.6) == (101, 101)


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_what_moves_takes_its_value_along(turns: int, tmp_path: Path) -> None:
    """Oracle: by hand: values between two steps, another for each column, move four columns of the upright picture to
    the right: what was rounded goes with them, to the sample; where motion is not known, rounding decides."""
    recipe = Recipe(rotation=90 * turns)
    header = header_of(write_film(tmp_path / "a.mp4", [np.zeros((SIDE, SIDE), np.uint8)] * 2, recipe))
    settled = Settled(header, "yuv444p")
    columns = 100 + np.arange(SIDE)

    def fine(values: np.ndarray) -> VideoFrame:
        frame = VideoFrame(SIDE, SIDE, "yuv444p16le")
        for plane in frame.planes:
            plane_of(plane, 16)[:] = np.rot90(np.broadcast_to(np.round(256 * values), (SIDE, SIDE)), -header.turns)
        return frame

    def shown(frame: VideoFrame, moved: Motion | None) -> np.ndarray:
        made = settled.rounded(frame, _picture(0), moved)
        return np.rot90(plane_of(made.planes[1], 8), header.turns)[SIDE // 2].astype(int)

    first = shown(fine(columns + 0.4), None)
    assert (first == columns).all()
    moved = replace(_still(), flow=torch.stack((torch.full((SIDE, SIDE), -4.0), torch.zeros(SIDE, SIDE))))
    second = shown(fine(columns - 4 + 0.6), moved)  # rounding alone: one more
    assert (second[4:] == first[:-4]).all()
    third = shown(fine(columns - 4 + 0.6), replace(_still(), reliable=torch.zeros(1, SIDE, SIDE)))
    assert (third == columns - 4 + 1).all()


def test_other_formats_are_left(tmp_path: Path) -> None:
    """Oracle: the frame itself: ten bits have steps of a quarter, RGB is of animations."""
    header = header_of(write_film(tmp_path / "a.mkv", [np.zeros((SIDE, SIDE), np.uint8)] * 2))
    for pixels in ("yuv420p10le", "rgb24", "nv12"):
        frame = _picture(0).reformat(format=pixels)
        assert fine_format(pixels) == pixels and Settled(header, pixels).rounded(frame, frame, None) is frame
