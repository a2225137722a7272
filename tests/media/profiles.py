"""Minimal ICC version 2 profiles by the layout of ICC.1:2001-04, and the closed forms of what they mean."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_D50 = (0.9642, 1.0, 0.8249)  # the white of profiles
_D65 = (0.95047, 1.0, 1.08883)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
ADOBE_GAMMA = 563 / 256  # Adobe RGB (1998), 4.3.1.2
# Adobe RGB (1998), annex C: the primaries' XYZ adapted to D50, one a column.
_ADOBE_XYZ = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])


def gray_profile(gamma: float) -> bytes:
    """A gray profile of that gamma; 1 is linear light."""
    return _profile(b"GRAY", f"gray {gamma:.2f}", {b"kTRC": _curve(gamma)})


def adobe_rgb_profile() -> bytes:
    """Adobe RGB (1998) as matrix and gamma."""
    tags = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), _ADOBE_XYZ.T, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(ADOBE_GAMMA))
    return _profile(b"RGB ", "Adobe RGB (1998)", tags)


def linear_srgb_profile() -> bytes:
    """sRGB's primaries (IEC 61966-2-1, adapted to D50) with linear light, under a common one's name."""
    columns = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
    tags = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(1))
    return _profile(b"RGB ", "sRGB-elle-V2-g10.icc", tags)


def adobe_lightness(pixels: NDArray[np.uint8]) -> FloatArray:
    """(..., 3) 8-bit Adobe RGB -> (...) CIE L under D65: gamma, matrix, Bradford's adaptation of D50 to D65."""
    linear = (pixels / 255) ** ADOBE_GAMMA
    scale = np.diag(_BRADFORD @ _D65 / (_BRADFORD @ _D50))
    return lightness((linear @ (np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ _ADOBE_XYZ).T)[..., 1])


def lightness(luminance: FloatArray) -> FloatArray:
    """CIE 15:2004."""
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _xyz(values: tuple[float, ...] | FloatArray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65_536) for value in values))


def _profile(space: bytes, name: str, tags: dict[bytes, bytes]) -> bytes:
    text = name.encode() + b"\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": description, b"wtpt": _xyz(_D50), **tags}
    blocks, table, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, block in tags.items():
        table += tag + struct.pack(">II", offset + len(blocks), len(block))
        blocks += block + bytes(-len(block) % 4)
    body = struct.pack(">I", len(tags)) + table + blocks
    head = bytearray(128)
    head[0:4] = struct.pack(">I", 128 + len(body))
    head[8:12] = b"\x02\x10\x00\x00"
    head[12:24] = b"mntr" + space + b"XYZ "
    head[36:40] = b"acsp"
    head[68:80] = _xyz(_D50)[8:]
    return bytes(head) + body
