"""Photoshop's image resources, where a photo's IPTC description stands: kept, without the picture as it was when gray.

A JPEG file has one block of them, in one or more segments, and IPTC is one of the resources; a TIFF file has IPTC in a
tag of its own, and the resources in another. Source: Adobe Photoshop File Formats Specification, Image Resource Blocks.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pyvips

MARK = b"Photoshop 3.0\0"  # what each segment of a JPEG's block starts with
_IPTC_NAA = 0x0404
_STALE = frozenset({0x0409, 0x040C, 0x040F})  # thumbnails of Photoshop 4.0 and 5.0, ICC profile
_KINDS = (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR")
_LONGEST_SEGMENT = 65_000  # bytes; libvips leaves out longer ones without a word, the segment itself holds 65,533
_FIELDS = ("iptc-data", "photoshop-data")


@dataclass(frozen=True, slots=True)
class _Resource:
    number: int
    head: bytes  # signature, number and name, as in the file
    data: bytes


def keep_resources(image: pyvips.Image, saver: str) -> tuple[pyvips.Image, tuple[str, ...]]:
    """The image with what its source says in IPTC and in Photoshop's resources, in the form that `saver` writes.

    Thumbnails and the profile of the source are left out. Returns the image and notes for a person: what was lost.
    """
    blocks = [bytes(image.get(field)) if image.get_typeof(field) else b"" for field in _FIELDS]
    if not any(blocks):
        return image, ()
    iptc, resources, whole = _parse(*blocks)
    result = image.copy()
    for field in _FIELDS:
        if result.get_typeof(field):
            result.remove(field)
    notes = [] if whole else ["Photoshop's resources were damaged and were left out in part"]
    if saver == "jpegsave":
        described = [resource for resource in resources if resource.number != _IPTC_NAA]
        if iptc:
            described.insert(0, _Resource(_IPTC_NAA, _KINDS[0] + struct.pack(">HH", _IPTC_NAA, 0), iptc))
        packed = _pack(described)
        if len(packed) > _LONGEST_SEGMENT and iptc:
            notes.append("Photoshop's resources were left out: they do not fit into JPEG, --format tiff keeps them")
            packed = _pack(described[:1])
        if len(packed) > _LONGEST_SEGMENT:
            notes.append("the source's IPTC was left out: it does not fit into JPEG, --format tiff keeps it")
        elif packed:
            result.set_type(pyvips.GValue.blob_type, "iptc-data", MARK + packed)
    elif saver == "tiffsave":
        if iptc:
            # libvips 8.18 takes the length for one of four-byte numbers, and writes the first quarter as bytes.
            result.set_type(pyvips.GValue.blob_type, "iptc-data", iptc.ljust(4 * len(iptc), b"\0"))
        if packed := _pack(resources):
            result.set_type(pyvips.GValue.blob_type, "photoshop-data", packed)
    elif iptc:
        notes.append("the source's IPTC was left out: --format jpg or tiff keeps it")
    return result, tuple(notes)


def _parse(iptc: bytes, packed: bytes) -> tuple[bytes, list[_Resource], bool]:
    """IPTC itself, the resources that hold for the result, and whether all could be read."""
    if iptc.startswith(MARK):
        iptc, packed = b"", iptc.removeprefix(MARK) + packed
    elif iptc[3:4] == b"\x1c" != iptc[:1]:  # a tag of numbers, in the other byte order: every data set starts with 1C
        iptc = struct.pack(f"<{len(iptc) // 4}I", *struct.unpack_from(f">{len(iptc) // 4}I", iptc))
    resources, whole = _resources(packed)
    if not iptc:
        described = dict.fromkeys(resource.data for resource in resources if resource.number == _IPTC_NAA)
        iptc = b"".join(described)  # a JPEG's several segments may have one each
    return iptc, [resource for resource in resources if resource.number not in _STALE], whole


def _resources(packed: bytes) -> tuple[list[_Resource], bool]:
    found: list[_Resource] = []
    at = 0
    while at < len(packed):
        name = packed[at + 6] + 1 if at + 6 < len(packed) else 0  # with its length
        data_at = at + 6 + name + name % 2 + 4
        if packed[at : at + 4] not in _KINDS or data_at > len(packed):
            return found, not packed[at:].strip(b"\0")
        (number,) = struct.unpack_from(">H", packed, at + 4)
        (length,) = struct.unpack_from(">I", packed, data_at - 4)
        if data_at + length > len(packed):
            return found, False
        found.append(_Resource(number, packed[at : data_at - 4], packed[data_at : data_at + length]))
        at = data_at + length + length % 2
    return found, True


def _pack(resources: list[_Resource]) -> bytes:
    return b"".join(
        resource.head + struct.pack(">I", len(resource.data)) + resource.data + b"\0" * (len(resource.data) % 2)
        for resource in resources
    )
