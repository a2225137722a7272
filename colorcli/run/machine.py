"""What a bug report has to say of the machine: processor, memory, disk, builds of libraries, the environment."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from colorcli.errors import ColorizeError

_ENVIRONMENT = (  # variables that change what a run does, and tell nothing of a person
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_AFFINITY", "GOMP_CPU_AFFINITY"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE"),
    *("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "PYTORCH_ENABLE_MPS_FALLBACK", "TRITON_INTERPRET"),
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "VIPS_CONCURRENCY", "VIPS_DISC_THRESHOLD", "VIPS_NOVECTOR"),
    *("LD_PRELOAD", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "IMAGEIO_FFMPEG_EXE", "LANG", "LC_ALL", "PYTHONPATH"),
    *("COLORIZE_DATA", "TMPDIR", "RANK", "WORLD_SIZE"),
)
_MEGABYTE = 1e6
_MEMORY = Path("/proc/meminfo")  # of Linux


def machine() -> dict[str, Any]:
    """By topic; each a text, a number, or such by name. A topic that cannot be looked at says why."""
    topics: dict[str, Callable[[], Any]] = {
        "system": _system,
        "processor": _processor,
        "memory, MB": _memory,
        "free disk, MB": _disk,
        "devices": _devices,
        "precision by itself": _precision,
        "weights": _weights,
        "environment": lambda: {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        "torch": _torch,
        "libvips": _libvips,
    }
    return {topic: _looked_at(look) for topic, look in topics.items()}


def _looked_at(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except Exception as error:  # whatever is wrong there, the others are told
        return f"{type(error).__name__}: {error}"


def _system() -> dict[str, str]:
    return {
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "C library": " ".join(platform.libc_ver()) or "unknown",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "file names": sys.getfilesystemencoding(),
    }


def _processor() -> dict[str, Any]:
    from colorcli.devices import choose_device, cores_here, describe

    return {"cores": os.cpu_count(), "cores of this process": cores_here(), "name": describe(choose_device("cpu"))}


def _memory() -> dict[str, int]:
    if not _MEMORY.exists():
        return {"total": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE)}
    rows = (line.split(":") for line in _MEMORY.read_text().splitlines())
    sizes = {name: int(value.split()[0]) * 1024 / _MEGABYTE for name, value in rows}  # it says kB and means 1024 bytes
    told = {"total": "MemTotal", "available": "MemAvailable", "swap": "SwapTotal"}
    return {name: round(sizes[row]) for name, row in told.items() if row in sizes}


def _disk() -> dict[str, int]:
    places = {"here": ".", "for temporary files": gettempdir()}
    return {name: round(shutil.disk_usage(place).free / _MEGABYTE) for name, place in places.items()}


def _devices() -> list[str]:
    import torch

    from colorcli.devices import describe

    found = [
        f"{describe(torch.device('cuda', n))}, {torch.cuda.get_device_properties(n).total_memory / _MEGABYTE:,.0f} MB, "
        f"capability {'.'.join(map(str, torch.cuda.get_device_capability(n)))}"
        for n in range(torch.cuda.device_count())
    ]
    return found + (["mps"] if torch.backends.mps.is_available() else []) + ["cpu"]


def _precision() -> str:
    from colorcli.devices import choose_processor

    chosen = choose_processor("auto", "auto", half=True)
    return f"{chosen.precision} on {chosen.device.type}"


def _weights() -> list[dict[str, Any]]:
    from colorcli.checkpoints import store

    told = []
    for entry in store.shipped():
        try:
            found = store.digest(store.path_of(entry))
        except ColorizeError as error:
            found = str(error)
        told.append({"file": entry.file, "sha256": found, "whole": found == entry.sha256})
    return told


def _torch() -> list[str]:
    import torch

    return [f"{torch.__version__}, {torch.get_num_threads()} threads", *_lines(torch.__config__.show())]


def _libvips() -> list[str]:
    import pyvips

    version = ".".join(str(pyvips.version(n)) for n in range(3))
    return [f"{version}, {pyvips.vips_lib.vips_concurrency_get()} threads"]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
