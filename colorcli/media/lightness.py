"""CIE lightness of a photo's pixels, exact to its bit depth, whatever its mode and ICC profile."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from colorcli.media.libvips import VipsError

_LUMINANCE = (0.212671, 0.715160, 0.072169)  # linear sRGB -> Y, IEC 61966-2-1, the digits scikit-image uses
_STEPS = 65_535  # luminance is looked up in this many steps: at black one is 0.014 L, a tenth of an 8-bit step
# Relative colorimetric with black point compensation is what browsers and Photoshop do.
_TRANSFORM: dict[str, Any] = {"intent": "relative", "black_point_compensation": True, "depth": 16}
_SRGB_TOLERANCE = 257  # of 65535, one 8-bit step: profiles of sRGB round their curves and primaries


def lightness_of(image: pyvips.Image, color_bands: int) -> pyvips.Image:
    """CIE L, 0..100, D65, one float band; any alpha band is left out.

    The ICC profile is honoured; a damaged one, or one of another colour space, is as if it were not there (sRGB).
    """
    color = image.extract_band(0, n=color_bands) if image.bands > color_bands else image
    if color_bands == 1:
        return color.maplut(_gray_table(color))
    rgb = standard_rgb(color)
    if rgb.format == "ushort":
        return rgb.colourspace("lab").extract_band(0)
    # Three look-ups and a mean: a third of the time of libvips' way through XYZ.
    luminance = rgb.maplut(_weighted_light_table()).bandmean().cast("ushort")
    return luminance.maplut(_luminance_table())


def lab_of(image: pyvips.Image, color_bands: int) -> pyvips.Image:
    """CIE Lab, D65, three float bands; any alpha band is left out. L, and the profile, are as in `lightness_of`."""
    lightness = lightness_of(image, color_bands)
    rgb = standard_rgb(image.extract_band(0, n=color_bands))
    if rgb.bands == 1:
        return lightness.bandjoin([0, 0])
    return lightness.bandjoin(rgb.colourspace("lab").extract_band(1, n=2))


def standard_rgb(color: pyvips.Image) -> pyvips.Image:
    """sRGB pixels without alpha: the image itself where it is sRGB already, else converted, at 16 bits.

    Gray stays one band where it has no profile of its own.
    """
    cmyk = color.interpretation == "cmyk"
    profile = _usable_profile(color)
    if not cmyk and (profile is None or (color.bands == 3 and _is_srgb(profile))):
        return color
    fallback = "cmyk" if cmyk else "srgb"
    try:
        return color.icc_transform("srgb", embedded=True, input_profile=fallback, **_TRANSFORM)
    except VipsError:  # a damaged profile
        return color.icc_transform("srgb", input_profile=fallback, **_TRANSFORM) if cmyk else color


def _gray_table(gray: pyvips.Image) -> pyvips.Image:
    """Lightness of each of a gray image's 256 or 65536 values, one row, float."""
    deep = gray.format == "ushort"
    ramp = pyvips.Image.identity(ushort=deep).copy(interpretation="grey16" if deep else "b-w")
    profile = _usable_profile(gray)
    if profile is not None:
        ramp = ramp.copy()
        ramp.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        try:
            rgb = standard_rgb(ramp).copy_memory()
        except VipsError:
            rgb = ramp
        if rgb.bands == 3:
            return rgb.colourspace("lab").extract_band(0).copy_memory()
    return _table(_cie_lightness(_linear_light(65_536 if deep else 256)))


def _linear_light(count: int) -> NDArray[np.float64]:
    """The linear light 0..1 of each of `count` sRGB values (IEC 61966-2-1)."""
    encoded = np.arange(count) / (count - 1)
    return np.where(encoded > 0.04045, ((encoded + 0.055) / 1.055) ** 2.4, encoded / 12.92)


@lru_cache(maxsize=1)
def _weighted_light_table() -> pyvips.Image:
    """8-bit sRGB -> what each channel gives to three times the luminance, in steps."""
    weights = np.array(_LUMINANCE) * 3 * _STEPS
    light = _linear_light(256)[None, :, None] * weights  # (1, 256, 3)
    return pyvips.Image.new_from_array(light.astype(np.float32))


@lru_cache(maxsize=1)
def _luminance_table() -> pyvips.Image:
    """Luminance in steps -> lightness. Half a step up: the cast before the look-up rounds down; black stays exact."""
    centres = (np.arange(_STEPS + 1) + 0.5) / _STEPS
    centres[0] = 0.0
    return _table(_cie_lightness(np.minimum(centres, 1.0)))


def _cie_lightness(luminance: NDArray[np.float64]) -> NDArray[np.float32]:
    """CIE 15:2004: luminance 0..1 to L 0..100."""
    cube = 116 * np.cbrt(luminance) - 16
    return np.where(luminance > 216 / 24389, cube, luminance * 24389 / 27).astype(np.float32)


def _table(values: NDArray[np.float32]) -> pyvips.Image:
    return pyvips.Image.new_from_array(values[None, :])


def _usable_profile(color: pyvips.Image) -> bytes | None:
    """The embedded profile, where its colour space (ICC.1:2010, 7.2.6) is the image's; else None."""
    if not color.get_typeof("icc-profile-data"):
        return None
    profile = bytes(color.get("icc-profile-data"))
    space = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}[color.bands]
    return profile if len(profile) > 132 and profile[16:20] == space else None


@lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Whether an RGB profile means sRGB, whatever it calls itself: grays and colours come out as they went in.

    A damaged one does: it is as if it were not there.
    """
    levels = np.array([0, 8, 32, 64, 128, 192, 255], dtype=np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    image = pyvips.Image.new_from_array(colors, interpretation="srgb").copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    try:
        found = image.icc_transform("srgb", embedded=True, input_profile="srgb", **_TRANSFORM).numpy()
    except VipsError:
        return True
    return bool(np.abs(found.astype(int) - colors.astype(int) * 257).max() <= _SRGB_TOLERANCE)
