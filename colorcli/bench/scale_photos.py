"""Photos to measure scale on, made of the photographs in scikit-image's wheel: large scans, and many small photos."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pyvips
from PIL import Image

from colorcli.media.samples import PHOTOGRAPHS, photograph

KINDS = {"jpeg": ".jpg", "tiff": ".tif"}
_CELL = 512  # pixels of a photograph's side before it is enlarged
_ENLARGED = 4  # times; a scan has fewer details a pixel than a small photograph
_GRAIN = 4.0  # standard deviation, 8-bit steps: without it TIFF would be packed far too well
_ASPECT = 5 / 4
_TILE = 256  # pixels, of the TIFF
_SMALL = (300, 200)  # pixels
_QUALITY = 92
_A_FOLDER = 1000  # photos


def make_scan(path: Path, megapixels: float, kind: str, *, color: bool) -> None:
    """Write a scan: the photographs side by side, enlarged, repeated, with grain, 5:4.

    kind: of KINDS; a TIFF has deflate tiles of 256 x 256 pixels. color: sRGB in place of gray.
    """
    width = math.ceil(math.sqrt(megapixels * 1e6 * _ASPECT))
    height = math.ceil(megapixels * 1e6 / width)
    cells = [
        pyvips.Image.new_from_array(photograph(name)).thumbnail_image(_CELL, crop="centre") for name in PHOTOGRAPHS
    ]
    mosaic = pyvips.Image.arrayjoin(cells, across=2).colourspace("srgb" if color else "b-w").copy_memory()
    large = mosaic.resize(_ENLARGED, kernel="cubic")
    tiled = large.replicate(-(-width // large.width), -(-height // large.height)).crop(0, 0, width, height)
    grain = pyvips.Image.gaussnoise(width, height, mean=0, sigma=_GRAIN, seed=1)
    scan = (tiled + grain).cast("uchar").copy(interpretation=large.interpretation)
    if kind == "tiff":
        scan.tiffsave(
            str(path), tile=True, tile_width=_TILE, tile_height=_TILE, compression="deflate", predictor="horizontal"
        )
    else:
        scan.jpegsave(str(path), Q=_QUALITY)


def make_small_photos(folder: Path, count: int) -> None:
    """Write so many gray JPEGs of 300 x 200 pixels, a thousand in a folder; no two have the same content.

    They are four photographs, each with a comment of its own: so all cost the same.
    """
    encoded = []
    for name in PHOTOGRAPHS:
        stream = io.BytesIO()
        picture = Image.fromarray(photograph(name)).convert("L").resize(_SMALL, Image.Resampling.LANCZOS)
        picture.save(stream, "JPEG", quality=_QUALITY)
        encoded.append(stream.getvalue())
    for index in range(count):
        within = folder / f"{index // _A_FOLDER:04}"
        within.mkdir(parents=True, exist_ok=True)
        comment = f"photo {index}".encode()
        whole = encoded[index % len(encoded)]
        marked = whole[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + whole[2:]  # SOI, then COM
        (within / f"{index:07}.jpg").write_bytes(marked)
