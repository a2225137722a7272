"""The codecs and containers of films: facts as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import av

from colorcli.errors import UsageError
from colorcli.media.films.program import find_program, program_encoders

_CRF, _QSCALE = "crf", "qscale"
_PRORES = {"Proxy": "proxy", "LT": "lt", "Standard": "standard", "HQ": "hq", "4444": "4444", "XQ": "4444xq"}
MPEG_RATES = tuple(  # frames/s that MPEG-1 and MPEG-2 can say (ISO 13818-2, table 6-4)
    (number, denominator)
    for number, denominator in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1)
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Family:
    """A codec and how we encode it."""

    name: str  # as libav names the codec
    encoders: tuple[str, ...]  # the first that is here
    scale: str = ""  # of the quality: "crf"; "qscale", 1..31; or "": it has none
    quality: float = 0.0  # ours on that scale: near lossless to the eye
    options: Mapping[str, str] = field(default_factory=dict)
    bit_rate: int = 0  # bits/s, the most; 0: no limit
    bits_per_pixel: float = 0.3  # about, for the check of free disk space
    profiles: Mapping[str, str] = field(default_factory=dict)  # of a film -> what the encoders' option calls it


@dataclass(frozen=True, slots=True)
class Container:
    """A file type as a place for films."""

    name: str  # libav's muxer
    extensions: tuple[str, ...]  # lower case, with the dot
    family: str  # of films whose own codec we cannot encode
    reorders: bool = True  # holds the order of frames that are encoded in another; AVI has no times
    restricted: tuple[str, ...] = ()  # the families that it may hold; (): what libav says


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        # x264's AVX-512 code gives other bytes now and then for the same frames, those below never
        Family("h264", ("libx264",), _CRF, 18.0, {"x264-params": "cpu-independent=1"}),
        Family("hevc", ("libx265",), _CRF, 20.0, {"x265-params": "log-level=error"}),
        Family("av1", ("libsvtav1", "libaom-av1"), _CRF, 24.0, {"svtav1-params": "lp=2"}),
        Family("vp9", ("libvpx-vp9",), _CRF, 22.0, {"row-mt": "1", "deadline": "good", "cpu-used": "3"}),
        Family("vp8", ("libvpx",), _CRF, 8.0, {"deadline": "good", "cpu-used": "3"}, bit_rate=50_000_000),
        Family("mpeg4", ("mpeg4",), _QSCALE, 2.0, bits_per_pixel=0.6),
        Family("mpeg2video", ("mpeg2video",), _QSCALE, 2.0, bits_per_pixel=0.8),
        Family("mpeg1video", ("mpeg1video",), _QSCALE, 2.0, bits_per_pixel=0.8),
        Family("mjpeg", ("mjpeg",), _QSCALE, 2.0, bits_per_pixel=1.6),
        Family("prores", ("prores_ks", "prores"), bits_per_pixel=4.0, profiles=_PRORES),
        Family("ffv1", ("ffv1",), options={"level": "3", "slicecrc": "1"}, bits_per_pixel=8.0),
        Family("huffyuv", ("huffyuv",), bits_per_pixel=10.0),
        Family("utvideo", ("utvideo",), bits_per_pixel=10.0),
        Family("png", ("png",), bits_per_pixel=14.0),
    )
}
_LOSSLESS = ("rawvideo", "v210", "ffvhuff", "magicyuv", "qtrle", "lagarith")  # whose family is ffv1
_SCALES = {"nvenc": "cq", "qsv": "global_quality", "vaapi": "qp", "videotoolbox": "q"}  # of hardware encoders
_OTHERS = {  # encoders that PyAV's wheel lacks: scale and quality
    "libtheora": (_QSCALE, 9.0),
    "libvvenc": ("qp", 24.0),
    "libxvid": (_QSCALE, 2.0),
}

CONTAINERS: tuple[Container, ...] = (
    Container("mp4", (".mp4", ".m4v"), "h264"),
    Container("mov", (".mov", ".qt"), "h264"),
    Container("matroska", (".mkv",), "h264"),
    Container("avi", (".avi",), "mpeg4", reorders=False),
    Container("webm", (".webm",), "vp9", restricted=("vp8", "vp9", "av1")),
    Container("mpeg", (".mpg", ".mpeg", ".mpe"), "mpeg2video", restricted=("mpeg1video", "mpeg2video")),
    Container("vob", (".vob",), "mpeg2video", restricted=("mpeg1video", "mpeg2video")),
    Container("mpegts", (".mts", ".m2ts"), "h264", restricted=("h264", "hevc", "mpeg2video", "mpeg1video")),
)
ANYTHING = ".mkv"  # the container that holds nearly all

_BY_EXTENSION = {extension: container for container in CONTAINERS for extension in container.extensions}


def container_of(path: Path) -> Container | None:
    """The container that a file name says; None where we write none of that kind."""
    return _BY_EXTENSION.get(path.suffix.lower())


@lru_cache(maxsize=32)
def in_libav(encoder: str) -> bool:
    """Whether PyAV's libav can encode with it; being listed, a hardware encoder may still lack its hardware."""
    try:
        av.Codec(encoder, "w")
    except ValueError:  # UnknownCodecError
        return False
    return True


def has_encoder(name: str) -> bool:
    """Whether PyAV's libav or the ffmpeg program can encode with it."""
    return in_libav(name) or name in program_encoders()


def family_of(codec: str, container: Container) -> Family:
    """The family that a film of this codec is encoded in again; the container's own where we cannot encode it."""
    name = "ffv1" if codec in _LOSSLESS or codec.startswith("pcm") else codec
    family = FAMILIES.get(name)
    if family is None or not any(map(has_encoder, family.encoders)):
        family = FAMILIES[container.family]
    return family


def chosen_family(codec: str) -> Family:
    """What `--codec` says: a family's name, or any encoder of libav's or of the ffmpeg program's, hardware ones too.

    UsageError otherwise.
    """
    family = FAMILIES.get(codec)
    if family is not None and any(map(has_encoder, family.encoders)):
        return family
    usual = next((one for one in FAMILIES.values() if codec == one.encoders[0]), None)
    if usual is not None and has_encoder(codec):
        return usual
    name = _codec_of(codec)
    if name is None:
        others = "" if find_program() else "; the ffmpeg program, which has further ones, is not here"
        raise UsageError(
            f"--codec must be one of {', '.join(FAMILIES)}, or an encoder of ffmpeg, not {codec!r}{others}"
        )
    like = FAMILIES.get(name)
    scale, quality = _OTHERS.get(codec) or (
        next((scale for maker, scale in _SCALES.items() if codec.endswith(maker)), ""),
        like.quality if like else 0.0,
    )
    return Family(name, (codec,), scale, quality if scale else 0.0)


def _codec_of(encoder: str) -> str | None:
    """The codec that a video encoder makes; None where there is no such encoder."""
    if not in_libav(encoder):
        return program_encoders().get(encoder)
    codec = av.Codec(encoder, "w")
    return str(codec.canonical_name) if codec.type == "video" else None
