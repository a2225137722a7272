"""What the tool stands on, examined."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from colorcli import __version__
from colorcli.errors import ColorizeError

_LIBRARIES = {  # what is installed, and what is imported of it
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "pillow": "PIL",
    "pyvips": "pyvips",
    "pyvips-binary": None,  # part of pyvips
    "av": "av",
    "imageio": "imageio.v3",
    "imageio-ffmpeg": "imageio_ffmpeg",
    "ffmpeg-python": "ffmpeg",
    "opencv-contrib-python-headless": "cv2",
    "scikit-image": "skimage.data",
    "safetensors": "safetensors",
    "filelock": "filelock",
    "fsspec": "fsspec",
    "rich": "rich",
    "typer": "typer",
    "ray": None,  # takes seconds
}
_OPTIONAL = ("pyvips-binary", "ray")  # a system libvips serves as well; Ray is for clusters


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the screen."""

    what: str
    found: str
    sound: bool


def examine() -> list[Finding]:
    """Everything that a run needs, each tried rather than assumed."""
    findings = [
        Finding("colorize", __version__, True),
        Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", True),
        Finding("cores", str(os.cpu_count()), True),
    ]
    findings += [_library(name, module) for name, module in _LIBRARIES.items()]
    findings += [_tried("libvips", _libvips), _tried("device", _device), _tried("libav", _libav)]
    findings.append(_tried("ffmpeg", _ffmpeg))
    return findings + _weights()


def _library(name: str, module: str | None) -> Finding:
    """Its version, if it can be imported."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, "not installed", name in _OPTIONAL)
    if module is None:
        return Finding(name, found, True)
    tried = _tried(name, lambda: str(import_module(module).__name__))
    return Finding(name, found if tried.sound else f"{found}, but {tried.found}", tried.sound)


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look(), True)
    except Exception as error:  # whatever is wrong with a library, the screen says it
        return Finding(what, f"{type(error).__name__}: {error}", False)


def _libvips() -> str:
    import pyvips

    return f"{pyvips.version(0)}.{pyvips.version(1)}.{pyvips.version(2)}"


def _device() -> str:
    from colorcli.devices import choose_device, choose_precision, describe

    device = choose_device()
    return f"{describe(device)}, {str(choose_precision('auto', device, half=True)).removeprefix('torch.')}"


def _libav() -> str:
    import av

    from colorcli.media.films.codecs import FAMILIES, in_libav

    able = [name for name, family in FAMILIES.items() if any(map(in_libav, family.encoders))]
    return f"{av.ffmpeg_version_info}, in PyAV {av.__version__}; encodes {', '.join(able)}"


def _ffmpeg() -> str:
    from colorcli.media.films.codecs import in_libav
    from colorcli.media.films.program import find_program, program_encoders

    program = find_program()
    if program is None:
        return "no program: --codec has libav's encoders alone"
    further = sum(not in_libav(name) for name in program_encoders())
    return f"{program}, {further} encoders that libav lacks"


def _weights() -> list[Finding]:
    from colorcli.checkpoints import store

    try:
        entries = store.shipped()
    except ColorizeError as error:
        return [Finding("weights", str(error), False)]
    findings = [Finding("weights", lack, False) for lack in _lacking({entry.method for entry in entries})]
    for entry in entries:
        try:
            store.verify(entry)
            findings.append(Finding("weights", f"{entry.file}, {entry.bytes / 2**20:.1f} MiB, whole", True))
        except ColorizeError as error:
            findings.append(Finding("weights", str(error), False))
    return findings


def _lacking(shipped: set[str]) -> Iterator[str]:
    """The methods of which some parts are shipped and others are not."""
    from colorcli.methods.registry import METHODS

    for spec in METHODS:
        lack = [part for part in spec.parts if part not in shipped]
        if 0 < len(lack) < len(spec.parts):
            yield f"{spec.name} cannot run without weights of {', '.join(lack)}; `colorize train` makes some"
