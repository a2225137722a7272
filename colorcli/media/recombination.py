"""Full-size colour from a photo's own lightness and the network's small chroma maps, streaming through libvips."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyvips
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# XYZ that libvips' own matrix takes to R = G = B = 1, so that ab = 0 is neutral; with its Lab white (95.047, 100,
# 108.8827) blue would be 5 of 65535 steps off.
_WHITE = (95.05, 100.0, 108.9)
_STEPS = 65_535  # linear light is looked up in this many steps: at black one is 0.05 of an 8-bit step
_BLOCK = 1 / 16  # of a map's cell: interpolating four times fewer pixels halves the time of a 100-megapixel photo


def recombine(
    lightness: pyvips.Image, slope: FloatArray, offset: FloatArray, gamut: FloatArray, bits: int
) -> pyvips.Image:
    """sRGB of the lightness L with the chroma ab = slope * L + offset, kept inside the gamut.

    lightness: one float band, 0..100, W x H. slope, offset: (h, w, 2) of any size, spread over W x H pixel-centre to
    pixel-centre, bilinear (fast guided filter: He & Sun 2015, arXiv 1505.00996). gamut: see `gamut_by_taxicab`.
    Returns 8- or 16-bit sRGB. Colour outside the gamut loses chroma at constant L and Lab hue.
    """
    width, height = lightness.width, lightness.height
    # Band 0 carries L itself through the same product and sum: cheaper than splitting and joining bands.
    keep, nothing = np.ones_like(slope[..., :1]), np.zeros_like(slope[..., :1])
    factor = enlarge(np.concatenate([keep, slope], axis=2), width, height)  # (h, w, 3) -> H x W
    addend = enlarge(np.concatenate([nothing, offset], axis=2), width, height)  # (h, w, 3) -> H x W
    return _encoded(lightness * factor + addend, gamut, bits)


def restyle(lab: pyvips.Image, slope: FloatArray, offset: FloatArray, gamut: FloatArray, bits: int) -> pyvips.Image:
    """sRGB of a photo's own Lab with slope * L + offset added, kept inside the gamut.

    lab: three float bands, W x H. slope, offset: (h, w, 3), spread as in `recombine`: the change is as smooth as they
    are, but for what follows the photo's own lightness, so that its detail stays. Returns 8- or 16-bit sRGB.
    """
    change = lab.extract_band(0) * enlarge(slope, lab.width, lab.height) + enlarge(offset, lab.width, lab.height)
    changed = lab + change
    lightness = changed.extract_band(0).maxpair(0).minpair(100)
    return _encoded(lightness.bandjoin(changed.extract_band(1, n=2)), gamut, bits)


def _encoded(lab: pyvips.Image, gamut: FloatArray, bits: int) -> pyvips.Image:
    straight = _standard_rgb(lab, bits)
    # No tilecache for the images with several readers: a thread's buffers already serve them (measured: no gain), and
    # libvips 8.18.7 crashed now and then in vips_buffer_unref_ref with threaded ones.
    # Most tiles are in gamut, and libvips computes only the branch a tile needs. A channel at either end of its range
    # is the cheap sign that a colour may be outside: the gamut's border maps to just those values.
    at_end = straight.maplut(_end_table(bits)).bandor()
    return at_end.ifthenelse(_standard_rgb(_within(lab, gamut), bits), straight)


def enlarge(small: FloatArray, width: int, height: int) -> pyvips.Image:
    """Maps (h, w, C) at width x height: bilinear, centre to centre, borders repeated. Float, C bands.

    Where a map's cell is very wide, blocks of a few pixels share a value: within _BLOCK of a cell of the exact one.
    """
    image = pyvips.Image.new_from_array(np.ascontiguousarray(small, dtype=np.float32))
    across, down = width / image.width, height / image.height
    block_x, block_y = (max(1, min(4, int(scale * _BLOCK))) for scale in (across, down))
    columns, rows = -(-width // block_x), -(-height // block_y)
    across, down = across / block_x, down / block_y
    # Output pixel x reads (x + 0.5) / s - 0.5. pyvips' resize shifts by the rounding of its size.
    blocks = image.affine(
        [across, 0, 0, down],
        idx=0.5 - 0.5 / across,
        idy=0.5 - 0.5 / down,
        oarea=[0, 0, columns, rows],
        extend="copy",
        interpolate=pyvips.Interpolate.new("bilinear"),
    )
    if (block_x, block_y) == (1, 1):
        return blocks
    return blocks.zoom(block_x, block_y).crop(0, 0, width, height)


def gamut_by_taxicab(gamut: FloatArray) -> FloatArray:
    """The gamut's table in |a| + |b| instead of chroma.

    gamut: (lightnesses, angles) largest chroma; rows are L = 0..100, columns the diamond angle t = 0..4 of (a, b):
    with n = |a| + |b|, t = 1 - a/n for b >= 0, else 3 + a/n; the last column repeats the first.
    """
    angle = np.linspace(0, 4, gamut.shape[1])
    a = np.where(angle <= 2, 1 - angle, angle - 3)  # where |a| + |b| = 1
    return np.asarray(gamut / np.hypot(a, 1 - np.abs(a)), dtype=np.float32)


def _within(lab: pyvips.Image, gamut: FloatArray) -> pyvips.Image:
    table = pyvips.Image.new_from_array(gamut_by_taxicab(gamut))
    lightness, chroma = lab.extract_band(0), lab.extract_band(1, n=2)
    size = chroma.abs().bandmean() * 2  # |a| + |b|
    cosine = lab.extract_band(1) / size  # libvips divides by zero to zero
    angle = (lab.extract_band(2) >= 0).ifthenelse(1 - cosine, cosine + 3)
    place = angle.bandjoin(lightness).linear([(table.width - 1) / 4, (table.height - 1) / 100], [0, 0])
    largest = table.mapim(place, interpolate=pyvips.Interpolate.new("bilinear"), extend="copy")
    scale = (largest / size).minpair(1)
    return lightness.bandjoin(chroma * scale)


def _standard_rgb(lab: pyvips.Image, bits: int) -> pyvips.Image:
    if bits == 16:
        return lab.Lab2XYZ(temp=list(_WHITE)).XYZ2scRGB().scRGB2sRGB(depth=16).copy(interpretation="rgb16")
    # libvips' own 8-bit conversion interpolates a 256-entry table, half a step off near black; this is exact and
    # a third faster: scaling the white scales the linear light up to table steps.
    linear = lab.Lab2XYZ(temp=[value * _STEPS for value in _WHITE]).XYZ2scRGB()
    return linear.cast("ushort").maplut(_encoding_table()).copy(interpretation="srgb")


@lru_cache(maxsize=1)
def _encoding_table() -> pyvips.Image:
    """Linear light in steps -> 8-bit sRGB (IEC 61966-2-1); half a step up because casts round down."""
    linear = np.minimum((np.arange(_STEPS + 1) + 0.5) / _STEPS, 1.0)
    encoded = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return pyvips.Image.new_from_array(np.rint(encoded * 255).astype(np.uint8)[None, :])


@lru_cache(maxsize=2)
def _end_table(bits: int) -> pyvips.Image:
    """255 at the two ends of a channel's range, 0 between."""
    ends = np.zeros((1, 2**bits), dtype=np.uint8)
    ends[0, [0, -1]] = 255
    return pyvips.Image.new_from_array(ends)
