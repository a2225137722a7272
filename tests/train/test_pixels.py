"""Where decoded pictures lie: memory, and a file that is mapped into it."""

from __future__ import annotations

import errno
import gc
import math
import mmap
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from colorcli.errors import ColorizeError
from colorcli.train import pixels as pixels_module
from colorcli.train.pixels import Pixels, fits_on, room_for

Picture = Callable[..., Tensor]


@pytest.mark.parametrize("segment", [1, 3 * mmap.ALLOCATIONGRANULARITY])
def test_what_memory_does_not_hold_is_in_the_file(
    tmp_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch, segment: int
) -> None:
    """Oracle: the pictures themselves, exact, also when the keeper is gone; the first 4000 bytes stay in memory, by
    hand; the folder shows no file. Segments of one page, which some pictures exceed, and of three."""
    monkeypatch.setattr(pixels_module, "_SEGMENT", segment)
    pixels = Pixels(4000, tmp_path)
    sizes = [(24, 24), (40, 30), (24, 31), (90, 61), (24, 24), (60, 60), (16, 20)]  # 1728, 3600, 2232, ... bytes
    given = [picture(seed, *size) for seed, size in enumerate(sizes)]
    kept = [pixels.keep(one) for one in given]
    assert [a is b for a, b in zip(kept, given, strict=True)] == [True, False, True, False, False, False, False]
    assert pixels.in_memory == 1728 + 2232
    assert pixels.in_file == 3600 + 3 * (90 * 61 + 24 * 24 + 60 * 60 + 16 * 20)
    assert not list(tmp_path.iterdir())
    del pixels
    gc.collect()
    assert all(torch.equal(a, b) for a, b in zip(kept, given, strict=True))


def test_masks_and_slices_are_kept_as_they_look(tmp_path: Path, picture: Picture) -> None:
    """Oracle: the tensors given, exact: one channel, and memory that is not in order."""
    pixels = Pixels(0, tmp_path)
    given = [picture(0)[:1], picture(1, 20, 30).transpose(1, 2), picture(2, 20, 30)[:, ::2, 3:]]
    for one in given:
        assert torch.equal(pixels.keep(one), one)


def test_a_full_disk_is_named(tmp_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the contract: ENOSPC at the second picture, after a part of it, is a ColorizeError that names the folder;
    what was kept before is whole and the folder is empty."""
    opened = tempfile.TemporaryFile

    class Full:
        """A file on a disk with room for 2000 bytes."""

        def __init__(self, file: Any) -> None:
            self.file, self.left = file, 2000

        def write(self, data: memoryview) -> int:
            if not self.left:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = int(self.file.write(data[: self.left]))
            self.left -= written
            return written

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full(opened(**options)))
    pixels = Pixels(0, tmp_path)
    first = pixels.keep(picture(0))
    with pytest.raises(ColorizeError, match=rf"cannot be written to {tmp_path}: .*No space left on device"):
        pixels.keep(picture(1))
    assert torch.equal(first, picture(0))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, picture: Picture) -> None:
    """Oracle: the contract; and no folder is needed while memory holds all."""
    assert Pixels(math.inf, tmp_path / "gone").keep(picture(0)).shape == (3, 24, 24)
    with pytest.raises(ColorizeError, match=r"cannot be written to .*gone: .*No such file"):
        Pixels(0, tmp_path / "gone").keep(picture(0))


def test_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the contract by hand: half of 8000 bytes, for one process and for each of four; exact."""
    monkeypatch.setattr(pixels_module, "_free_memory", lambda: 8000)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert [room_for(hold) for hold in ("memory", "file", "auto")] == [math.inf, 0, 4000]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert [room_for(hold) for hold in ("memory", "file", "auto")] == [math.inf, 0, 1000]


_USED = {"memory.current": "1000\n", "memory.stat": "anon 700\ninactive_file 300\nactive_file 50\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"meminfo": "MemTotal: 900 kB\nMemAvailable:   500 kB\n", "memory.max": "max\n"}, 500 * 1024),
        ({"meminfo": "MemAvailable: 500 kB\n", "memory.max": "2048\n", **_USED}, 2048 - 1000 + 300),
        ({"meminfo": "MemAvailable: 500 kB\n", "memory.max": "900000000\n", **_USED}, 500 * 1024),
        ({"meminfo": "MemAvailable: 500 kB\n", "memory.max": "600\n", **_USED}, 0),  # lowered since
        ({"meminfo": "MemAvailable: 500 kB\n"}, 500 * 1024),
        ({"meminfo": "MemTotal: 900 kB\n"}, 3000 * 10),  # an old kernel
        ({}, 3000 * 10),  # a Mac
    ],
)
def test_free_memory(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: int) -> None:
    """Oracle: the kernel's own words (proc(5), kB are 1024 bytes; cgroup v2: memory.max less memory.current, of which
    inactive_file is the page cache that goes first) by hand; all of 10 pages of 3000 bytes where they are missing."""

    def read(path: Path, **_: object) -> str:
        if path.name not in files:
            raise FileNotFoundError(path)
        return files[path.name]

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(pixels_module.os, "sysconf", {"SC_PAGE_SIZE": 3000, "SC_PHYS_PAGES": 10}.__getitem__)
    assert pixels_module._free_memory() == expected


def test_half_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the contract by hand, with a stand-in for CUDA's own figure; the CPU takes all, MPS nothing."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 4000))
    assert [fits_on(torch.device("cuda:0"), size) for size in (500, 501)] == [True, False]
    assert fits_on(torch.device("cpu"), 10**15)
    assert not fits_on(torch.device("mps"), 1)


def test_the_file_goes_with_its_pictures(tmp_path: Path, picture: Picture) -> None:
    """Oracle: the system's list of this process' open files: one of the folder while a picture is there, then none."""
    listing = Path("/proc/self/fd")
    if not listing.is_dir():
        pytest.skip("needs /proc")

    def still_open() -> int:
        found = 0
        for link in listing.iterdir():
            try:
                found += str(link.readlink()).startswith(str(tmp_path))
            except OSError:  # the listing's own
                continue
        return found

    kept = Pixels(0, tmp_path).keep(picture(0))
    gc.collect()
    assert still_open() == 1
    assert torch.equal(kept, picture(0))
    del kept
    gc.collect()
    assert still_open() == 0
