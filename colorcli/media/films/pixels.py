"""A film's frames as lightness, and coloured pixels as frames: libav's pixel formats in, libav's pixel formats out."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyvips
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from colorcli.media.films.header import FilmHeader
from colorcli.media.lightness import lightness_of
from colorcli.media.photos import network_size

# Without these, swscale's way from 4:2:0 to RGB is half a unit of L too dark.
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_SHRINKING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_NEUTRAL = 2  # 8-bit steps that chroma may be off gray in a gray film: encoders leave so much
_COLORSPACES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}  # libav's -> sws
_BLACK, _WHITE = 16, 235  # luma of the limited range, 8 bits: what cameras put beyond stays there

FloatArray = NDArray[np.float32]


def network_shape(header: FilmHeader, side: int, multiple: int) -> tuple[int, int]:
    """Height and width at which a network sees the film: upright, with square pixels."""
    return network_size(*header.seen, side, multiple)


def small_lightness(picture: VideoFrame, header: FilmHeader, height: int, width: int) -> FloatArray:
    """(height, width) CIE L, 0..100, upright."""
    across, down = (height, width) if header.turns % 2 else (width, height)
    told, size = _told(picture, header), (across, down)
    if is_gray(picture):
        kind = "gray" if header.bits <= 8 else "gray16le"
        small = _luma(told.reformat(*size, kind, interpolation=_SHRINKING, dst_color_range=ColorRange.JPEG))
        lightness = _of_gray(small)
    else:
        rgb = told.reformat(*size, "rgb24", interpolation=_SHRINKING)
        lightness = _of_rgb(rgb.to_ndarray()).numpy().reshape(down, across)
    return np.ascontiguousarray(np.rot90(lightness, header.turns), dtype=np.float32)


def small_rgb(picture: VideoFrame, header: FilmHeader, height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3) sRGB, upright, for a person to look at."""
    across, down = (height, width) if header.turns % 2 else (width, height)
    stored = picture.reformat(across, down, "rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(stored, header.turns))


def full_lightness(picture: VideoFrame, header: FilmHeader) -> pyvips.Image:
    """CIE L, 0..100, of each pixel as stored: one float band."""
    deep, told = header.bits > 8, _told(picture, header)
    if is_gray(picture):
        kind = "gray16le" if deep else "gray"
        gray = told.reformat(format=kind, interpolation=_EXACT, dst_color_range=ColorRange.JPEG)
        return pyvips.Image.new_from_array(_of_gray(_luma(gray)))
    # swscale's own way from 4:2:0 of 10 bits to packed 16-bit RGB leaves green out of the first line
    return _of_rgb(told.reformat(format="gbrp16le" if deep else "rgb24", interpolation=_EXACT).to_ndarray())


def colours_of(picture: VideoFrame, header: FilmHeader) -> FloatArray:
    """sRGB of each pixel as stored, (height, width, 3), 0..1, in finer steps than those of 8 bits."""
    values = _told(picture, header).reformat(format="gbrp16le", interpolation=_EXACT).to_ndarray()  # red comes first
    return values.astype(np.float32) / np.float32(65535)


def is_gray(picture: VideoFrame) -> bool:
    """Whether the frame has no colour of its own."""
    if picture.format.name.startswith(("gray", "mono", "ya8", "ya16")):
        return True
    planes, components = picture.planes, picture.format.components
    if picture.format.is_rgb or len(planes) < 3 or picture.format.has_palette:
        return False
    bits = components[1].bits
    return all(
        int(np.abs(plane_of(plane, bits).astype(np.int32) - (1 << (bits - 1))).max()) <= _NEUTRAL << (bits - 8)
        for plane in planes[1:3]
    )


def as_picture(rgb: pyvips.Image, source: VideoFrame, header: FilmHeader, pixels: str) -> VideoFrame:
    """8- or 16-bit sRGB as a frame in libav's format `pixels`, with the header's colour space and range.

    source: the frame that it was made of; its alpha is kept where both formats have it.
    """
    values = rgb.numpy()
    deep = values.dtype == np.uint16
    if header.animation:
        if header.alpha:
            values = np.concatenate((values, source.to_ndarray()[..., 3:]), axis=2)
        return VideoFrame.from_ndarray(np.ascontiguousarray(values), pixels)
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(values), "rgb48le" if deep else "rgb24")
    ranged = ColorRange.JPEG if header.full_range or pixels.startswith("yuvj") else ColorRange.MPEG
    space = _colorspace(header)
    made = picture.reformat(format=pixels, interpolation=_EXACT, dst_colorspace=space, dst_color_range=ranged)
    made.colorspace, made.color_range = header.matrix, int(ranged)
    made.color_trc, made.color_primaries = header.transfer, header.primaries
    keep_extremes(source, made, header)
    return made


def keep_extremes(source: VideoFrame, made: VideoFrame, header: FilmHeader) -> None:
    """Luma of a gray source blacker than black and whiter than white as it has it: its colour is gray there.

    Where both have the same depth.
    """
    if header.full_range or not is_gray(source):
        return
    bits = made.format.components[0].bits
    if source.format.components[0].bits != bits or made.format.is_rgb:
        return
    luma, new = plane_of(source.planes[0], bits), plane_of(made.planes[0], bits)
    beyond = (luma < _BLACK << (bits - 8)) | (luma > _WHITE << (bits - 8))
    if beyond.any():
        new[beyond] = luma[beyond]


def upright_to_stored(maps: FloatArray, header: FilmHeader) -> FloatArray:
    """(h, w, C) as the network saw them -> as the frames are stored."""
    return np.ascontiguousarray(np.rot90(maps, -header.turns))


def _colorspace(header: FilmHeader) -> Colorspace:
    return _COLORSPACES.get(header.matrix, Colorspace.ITU601)


def _told(picture: VideoFrame, header: FilmHeader) -> VideoFrame:
    """The frame, saying its colour space and range where the file does not."""
    if not picture.format.is_rgb:
        picture.colorspace = header.matrix
        picture.color_range = 2 if header.full_range else 1
    return picture


def plane_of(plane: object, bits: int) -> NDArray[Any]:
    """A plane of one sample a place, without the padding of its lines."""
    size = 1 if bits <= 8 else 2
    values = np.frombuffer(plane, np.uint8 if size == 1 else np.dtype("<u2"))  # type: ignore[call-overload]
    lines = values[: plane.height * plane.line_size // size].reshape(plane.height, -1)  # type: ignore[attr-defined]
    cut: NDArray[Any] = lines[:, : plane.width]  # type: ignore[attr-defined]
    return cut


def _luma(gray: VideoFrame) -> NDArray[np.uint8] | NDArray[np.uint16]:
    return plane_of(gray.planes[0], 16 if "16" in gray.format.name else 8)


@lru_cache(maxsize=2)
def _table(deep: bool) -> FloatArray:
    """CIE L of each of 256 or 65536 values of gray."""
    ramp = pyvips.Image.identity(ushort=deep).copy(interpretation="grey16" if deep else "b-w")
    values: FloatArray = lightness_of(ramp, 1).numpy().reshape(-1)
    return values


def _of_gray(values: NDArray[np.uint8] | NDArray[np.uint16]) -> FloatArray:
    return _table(values.dtype == np.uint16)[values]


def _of_rgb(values: NDArray[Any]) -> pyvips.Image:
    image = pyvips.Image.new_from_array(np.ascontiguousarray(values))
    return lightness_of(image.copy(interpretation="rgb16" if values.dtype == np.uint16 else "srgb"), 3)
