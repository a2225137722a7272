"""What a result says about itself: XMP provenance, upright EXIF, no stale profile, preview or palette."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import cast
from xml.dom import minidom
from xml.parsers import expat
from xml.sax import saxutils

import pyvips

from colorcli.items import Reference

# "Edited using generative AI": an existing picture, modified by a trained model. The other candidate,
# algorithmicallyEnhanced, is for correction without generated content; here every hue is invented by the model.
# IPTC NewsCodes, http://cv.iptc.org/newscodes/digitalsourcetype/
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_XMP_NOTE = "http://ns.adobe.com/xmp/note/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_COLORIZE = "https://colorize.invalid/ns/1.0/"  # an identifier, not an address
_PREFIXES = {_IPTC: "Iptc4xmpExt", _XMP: "xmp", _COLORIZE: "colorize"}
_LONGEST_EXIF = 2**23  # bytes; with a longer block libvips 8.18 writes no result at all
_LONGEST_XMP = 2_000_000  # bytes; a tree of it takes 60 times as much, and descriptions are far shorter
_START = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'  # XMP part 1, 7.3.2
_END = b'\n<?xpacket end="w"?>'
_EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
_NEUTRAL = 72 / 25.4  # pixels per millimetre; EXIF 2.32, XResolution: 72 dpi where it is unknown
_FILLED_IN = (1.0, 2.834, _NEUTRAL)  # by libvips: TIFF, WebP and others; PNG (a real 72 dpi is 2.835); JPEG
_NAMED = 6  # things in one note
_STALE = (  # fields of the source that no longer hold for the result
    "icc-profile-data",
    "jpeg-thumbnail-data",
    "palette",
    "gif-palette",
    "palette-bit-depth",
    "bits-per-sample",
    "background",
    "gainmap-data",
    "interlaced",
    "jpeg-multiscan",
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a result's colour comes from."""

    software: str  # "colorize 0.1.0"
    method: str  # "smsanet"
    weights: str  # sha256 of the weights file, hexadecimal
    reference: str | None = None  # sha256 of the photo whose colours it has; not its name, which may tell of people

    def after(self, reference: Reference | None) -> Provenance:
        """The same of a result that has the colours of `reference`, if it has one's."""
        return self if reference is None else replace(self, reference=reference.sha256)

    @property
    def sentence(self) -> str:
        """For the comment of a film, which has no XMP."""
        after = f", after a reference of sha256 {self.reference}" if self.reference else ""
        return f"Its colour is synthetic: {self.software}, {self.method}, weights of sha256 {self.weights}{after}"


def describe_result(
    image: pyvips.Image,
    orientation: int,
    provenance: Provenance | None,
    exif: bytes | None = None,
    longest_xmp: int | None = None,
) -> tuple[pyvips.Image, tuple[str, ...]]:
    """The image with its metadata made true for an upright, coloured sRGB result.

    `orientation` is the source's EXIF value 1..8: 5 and more swap the two resolutions. `exif` is the source's EXIF
    block, for images that lack it; of one above 8 MiB no more is kept than the image's own fields. `longest_xmp` is
    what the target's format holds, in bytes. Returns the image and notes for a person: what of the source's EXIF
    and XMP was left out.
    """
    resolution = (image.yres, image.xres) if orientation >= 5 else (image.xres, image.yres)
    if not has_resolution(image):
        resolution = (_NEUTRAL, _NEUTRAL)
    result = image.copy()
    notes = []
    if exif is not None and len(exif) > _LONGEST_EXIF:
        notes.append(
            f"the source's EXIF was left out in part: {len(exif):,} bytes, of which {_LONGEST_EXIF:,} are read"
        )
        if result.get_typeof("exif-data"):
            result.remove("exif-data")
    elif exif is not None and not image.get_typeof("exif-data"):  # libvips reads none from TIFF
        result.set_type(pyvips.GValue.blob_type, "exif-data", exif)  # it also sets the fields that follow from it
    result = result.copy(xres=resolution[0], yres=resolution[1])
    for field in _STALE:
        if result.get_typeof(field):
            result.remove(field)
    if result.get_typeof("orientation"):
        result.set_type(pyvips.GValue.gint_type, "orientation", 1)
    if result.get_typeof("exif-ifd2-ColorSpace"):  # Adobe RGB scans say 65535, uncalibrated
        result.set_type(pyvips.GValue.gstr_type, "exif-ifd2-ColorSpace", "1")
    packet = bytes(result.get("xmp-data")) if result.get_typeof("xmp-data") else None
    if packet is not None and len(packet) > _LONGEST_XMP:
        notes.append(
            f"the source's XMP was left out: {len(packet):,} bytes, of which at most {_LONGEST_XMP:,} are read"
        )
        packet = None
        result.remove("xmp-data")
    if packet is None and provenance is None:
        return result, tuple(notes)
    extended, damaged = extend_xmp(packet, provenance)
    if damaged:
        notes.append("the source's XMP was unreadable and was replaced")
    if longest_xmp is not None and len(extended) > longest_xmp:  # libvips would leave it out without a word
        notes.append(
            f"the source's XMP was left out: results in this format hold {longest_xmp:,} bytes, PNG and TIFF more"
        )
        extended, _ = extend_xmp(None, provenance)
    result.set_type(pyvips.GValue.blob_type, "xmp-data", extended)
    return result, tuple(notes)


def has_resolution(image: pyvips.Image) -> bool:
    """Whether the file said how large the photo is on paper; libvips fills in a value of its own where it did not."""
    if image.get_typeof("resolution-unit") or image.get_typeof("exif-ifd0-XResolution"):
        return True
    return (image.xres, image.yres) not in {(value, value) for value in _FILLED_IN}


def extend_xmp(packet: bytes | None, provenance: Provenance | None) -> tuple[bytes, bool]:
    """An XMP packet with the provenance added, the orientation reset and thumbnails dropped; all else in it is kept.

    xmpNote:HasExtendedXMP is dropped too: it points to segments of a JPEG that results do not have.
    xmp:CreatorTool is only written where there is none: it names the first tool, often the scanner's.
    Returns the packet, and whether the given one was unreadable and was replaced.
    """
    document, damaged = _parse(packet)
    rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    _replace_value(rdf, _TIFF, "Orientation", "1")
    _replace_value(rdf, _PHOTOSHOP, "ICCProfile", "sRGB IEC61966-2.1")
    _replace_value(rdf, _PHOTOSHOP, "ColorMode", "3")  # RGB
    for node in _values(rdf, _XMP, "Thumbnails"):  # of the gray picture
        _drop(node)
    for node in _values(rdf, _XMP_NOTE, "HasExtendedXMP"):
        _drop(node)
    if provenance is not None:
        _add_provenance(document, rdf, provenance)
    written: list[str] = []
    _write(cast(minidom.Element, document.documentElement), written)
    return _START + "".join(written).encode() + _END, damaged


def listed(names: Collection[str]) -> str:
    """Names as a note has them: the first six in order, and how many more there are."""
    first = ", ".join(sorted(names)[:_NAMED])
    return first if len(names) <= _NAMED else f"{first} and {len(names) - _NAMED} more"


def _write(node: minidom.Node, written: list[str]) -> None:
    """Append a node's XML. Unlike minidom's own writer (Python 3.11) it escapes line ends, so that they stay."""
    if isinstance(node, minidom.Element):
        attributes = "".join(f" {name}={saxutils.quoteattr(value)}" for name, value in node.attributes.items())
        written.append(f"<{node.tagName}{attributes}")
        if not node.childNodes:
            written.append("/>")
            return
        written.append(">")
        for child in node.childNodes:
            _write(child, written)
        written.append(f"</{node.tagName}>")
    elif node.nodeType == minidom.Node.TEXT_NODE:
        written.append(saxutils.escape(cast(minidom.Text, node).data, {"\r": "&#13;"}))
    else:  # a comment, an instruction, CDATA
        written.append(node.toxml())


def _add_provenance(document: minidom.Document, rdf: minidom.Element, provenance: Provenance) -> None:
    properties = {
        (_IPTC, "DigitalSourceType"): DIGITAL_SOURCE_TYPE,
        (_COLORIZE, "Software"): provenance.software,
        (_COLORIZE, "Method"): provenance.method,
        (_COLORIZE, "WeightsSHA256"): provenance.weights,
    }
    for node in _values(rdf, _COLORIZE, "ReferenceSHA256"):  # of an earlier colouring
        _drop(node)
    if provenance.reference is not None:
        properties[_COLORIZE, "ReferenceSHA256"] = provenance.reference
    if not _values(rdf, _XMP, "CreatorTool"):
        properties[_XMP, "CreatorTool"] = provenance.software
    description = document.createElementNS(_RDF, f"{rdf.prefix or 'rdf'}:Description")
    description.setAttributeNS(_XMLNS, f"xmlns:{rdf.prefix or 'rdf'}", _RDF)
    description.setAttributeNS(_RDF, f"{rdf.prefix or 'rdf'}:about", _about(rdf))
    for (namespace, name), text in properties.items():
        for node in _values(rdf, namespace, name):
            _drop(node)
        prefix = _PREFIXES[namespace]
        description.setAttributeNS(_XMLNS, f"xmlns:{prefix}", namespace)
        element = document.createElementNS(namespace, f"{prefix}:{name}")
        element.appendChild(document.createTextNode(text))
        description.appendChild(element)
    rdf.appendChild(description)


def _parse(packet: bytes | None) -> tuple[minidom.Document, bool]:
    """The packet's document, or an empty one; and whether the packet was unreadable."""
    if packet is None:
        return minidom.parseString(_EMPTY), False
    try:
        packet = packet.strip(b"\0 \r\n\t")
        first = expat.ParserCreate()
        first.StartDoctypeDeclHandler = _refuse_doctype  # whatever the packet's encoding is
        first.Parse(packet, True)
        document = minidom.parseString(packet)
        if document.getElementsByTagNameNS(_RDF, "RDF"):
            return document, False
    except (expat.ExpatError, ValueError, LookupError, RecursionError):
        pass
    return minidom.parseString(_EMPTY), True


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a document type in XMP: no packet has one, entity bombs do")


def _about(rdf: minidom.Element) -> str:
    """All descriptions of one packet must be about the same thing: XMP part 1, 7.4."""
    for node in rdf.getElementsByTagNameNS(_RDF, "Description"):
        if node.hasAttributeNS(_RDF, "about"):
            return str(node.getAttributeNS(_RDF, "about"))
    return ""


def _values(rdf: minidom.Element, namespace: str, name: str) -> list[minidom.Element | minidom.Attr]:
    """Where a top-level property stands: as elements, or as attributes of a description (both are legal)."""
    found: list[minidom.Element | minidom.Attr] = []
    for description in rdf.getElementsByTagNameNS(_RDF, "Description"):
        if description.parentNode is not rdf:
            continue
        attribute = description.getAttributeNodeNS(namespace, name)
        if attribute is not None:
            found.append(attribute)
        found += [
            child
            for child in description.childNodes
            if isinstance(child, minidom.Element) and child.namespaceURI == namespace and child.localName == name
        ]
    return found


def _replace_value(rdf: minidom.Element, namespace: str, name: str, text: str) -> None:
    for node in _values(rdf, namespace, name):
        if isinstance(node, minidom.Attr):
            node.value = text
        else:
            for child in list(node.childNodes):
                node.removeChild(child)
            node.appendChild(cast(minidom.Document, node.ownerDocument).createTextNode(text))


def _drop(node: minidom.Element | minidom.Attr) -> None:
    if isinstance(node, minidom.Attr):
        cast(minidom.Element, node.ownerElement).removeAttributeNode(node)
    else:
        cast(minidom.Element, node.parentNode).removeChild(node)
