"""Training photographs: read from folders and shards, served as crops."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.train.data import Crops, decode, read_photos

Encoded = Callable[..., bytes]
Picture = Callable[..., Tensor]


def _held_out(name: str) -> bool:
    return zlib.crc32(name.encode()) % 50 == 0


HELD_OUT = next(f"{i}.png" for i in range(1000) if _held_out(f"{i}.png"))
TRAINED = [name for name in (f"{i}.png" for i in range(40)) if not _held_out(name)]


def _shard(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as shard:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    return path


def _folder(path: Path, members: dict[str, bytes]) -> Path:
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["photos", "photos.tar", "photos.tar.gz", "photos.tgz"])
def test_folders_and_shards(tmp_path: Path, encoded: Encoded, picture: Picture, name: str) -> None:
    """Oracle: the PNG's own pixels, exact; other files are passed over; the one whose checksum says so is held out."""
    members = {f"deep/{TRAINED[0]}": encoded(0), HELD_OUT: encoded(1), TRAINED[1]: encoded(2), "notes.txt": b"no photo"}
    source = tmp_path / name
    (_shard if "." in name else _folder)(source, members)
    photos = read_photos([source], 64)
    assert not photos.damaged
    assert len(photos.train) == 2
    assert {tuple(p.flatten().tolist()) for p in photos.train} == {
        tuple(picture(seed).flatten().tolist()) for seed in (0, 2)
    }
    assert torch.equal(photos.validation[0], picture(1))


def test_several_sources_keep_their_order(tmp_path: Path, encoded: Encoded, picture: Picture) -> None:
    """Oracle: the order of the request, and of names inside a folder; exact, whatever the number of workers."""
    names = TRAINED[:6]
    one = _folder(tmp_path / "one", {name: encoded(seed) for seed, name in enumerate(names)})
    two = _shard(tmp_path / "two.tar", {names[0]: encoded(10), names[1]: encoded(11)})
    expected = [picture(10), picture(11), *(picture(names.index(name)) for name in sorted(names))]
    for workers in (1, 4):
        photos = read_photos([two, one], 64, workers=workers)
        kept = photos.train + photos.validation  # the last one is held out where no checksum chose any
        assert all(torch.equal(a, b) for a, b in zip(kept, expected, strict=True))


def test_index_says_the_split(tmp_path: Path, encoded: Encoded, picture: Picture) -> None:
    """Oracle: the index.csv.gz beside the shard, against what the checksum would say; rows of other shards are not
    looked at."""
    shard = _shard(tmp_path / "p.tar", {HELD_OUT: encoded(0), TRAINED[0]: encoded(1), TRAINED[1]: encoded(2)})
    with gzip.open(tmp_path / "index.csv.gz", "wt", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["shard", "member", "source", "label", "width", "height", "split"])
        rows.writerow(["p.tar", HELD_OUT, "", "", 24, 24, "train"])
        rows.writerow(["p.tar", TRAINED[0], "", "", 24, 24, "val"])
        rows.writerow(["q.tar", TRAINED[1], "", "", 24, 24, "val"])
    photos = read_photos([shard], 64)
    assert [p.tolist() for p in photos.train] == [picture(0).tolist(), picture(2).tolist()]
    assert [p.tolist() for p in photos.validation] == [picture(1).tolist()]


@pytest.mark.parametrize("name", [TRAINED[0], HELD_OUT])
@pytest.mark.parametrize("form", ["file", "folder", "shard"])
def test_one_photo_is_enough(tmp_path: Path, encoded: Encoded, name: str, form: str) -> None:
    """Oracle: the contract: one photo is trained on, whatever its name's checksum says."""
    folder = _folder(tmp_path / "f", {name: encoded(0)})
    source = {"file": folder / name, "folder": folder, "shard": _shard(tmp_path / "s.tar", {name: encoded(0)})}[form]
    photos = read_photos([source], 64)
    assert (len(photos.train), len(photos.validation)) == (1, 0)


@pytest.mark.parametrize("form", ["folder", "shard"])
def test_damaged_files_are_named(tmp_path: Path, encoded: Encoded, form: str) -> None:
    """Oracle: house rule 10: a truncated JPEG, PNG and WebP, an empty file and a text are listed by name; the good ones
    are there."""
    bad = {
        "cut.jpg": encoded(1, 64, 64, "JPEG")[:-200],
        "cut.png": encoded(1, 64, 64)[:-200],
        "cut.webp": encoded(1, 64, 64, "WEBP")[:-60],
        "empty.png": b"",
        "text.jpg": b"not a photo",
    }
    members = {TRAINED[0]: encoded(0), **bad, TRAINED[1]: encoded(2)}
    source = _folder(tmp_path / "src", members) if form == "folder" else _shard(tmp_path / "src.tar.gz", members)
    seen: list[tuple[int, int]] = []
    photos = read_photos([source], 64, report=lambda read, damaged: seen.append((read, damaged)))
    assert len(photos.train) + len(photos.validation) == 2
    assert {line.split(": ")[0] for line in photos.damaged} == {f"{source.name}/{name}" for name in bad}
    assert all(len(line.split(": ", 1)[1]) > 5 for line in photos.damaged)
    assert seen[-1] == (2, 5)


def test_unreadable_file_is_named(tmp_path: Path, encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: house rule 10, for a file that the system refuses (permissions do not bind the superuser who tests)."""
    folder = _folder(tmp_path / "f", {name: encoded(0) for name in TRAINED[:3]})
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == TRAINED[1]:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    photos = read_photos([folder], 64)
    assert len(photos.train) + len(photos.validation) == 2
    assert len(photos.damaged) == 1
    assert photos.damaged[0].startswith(f"f/{TRAINED[1]}: PermissionError")


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_cut_shard_gives_what_is_before_the_cut(tmp_path: Path, ending: str) -> None:
    """Oracle: house rule 10: photos before the cut are used, and the cut is named."""
    generator = np.random.default_rng(0)
    members = {}
    for name in TRAINED[:6]:  # noise does not compress: the place of the cut is that of a member
        stream = io.BytesIO()
        Image.fromarray(generator.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(stream, "PNG")
        members[name] = stream.getvalue()
    shard = _shard(tmp_path / f"s.{ending}", members)
    shard.write_bytes(shard.read_bytes()[: int(0.6 * sum(map(len, members.values())))])
    photos = read_photos([shard], 64)
    assert len(photos.train) + len(photos.validation) == 3
    assert len(photos.damaged) == 1
    assert photos.damaged[0].startswith(f"s.{ending}: the rest is unreadable")


def test_what_is_no_source(tmp_path: Path) -> None:
    """Oracle: the contract: missing, of another kind, and without any photo; UsageError by name."""
    with pytest.raises(UsageError, match=r"gone does not exist"):
        read_photos([tmp_path / "gone"], 64)
    (tmp_path / "film.mp4").write_bytes(b"film")
    with pytest.raises(UsageError, match=r"film\.mp4 is neither a folder of photos nor a tar shard"):
        read_photos([tmp_path / "film.mp4"], 64)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no readable photo in .*empty \(0 damaged\)"):
        read_photos([tmp_path / "empty"], 64)
    (tmp_path / "empty" / "a.png").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"no readable photo in .*empty \(1 damaged\)"):
        read_photos([tmp_path / "empty"], 64)
    (tmp_path / "no.tar").write_bytes(b"no shard")
    with pytest.raises(UsageError, match=r"no readable photo in .*no\.tar \(1 damaged\)"):
        read_photos([tmp_path / "no.tar"], 64)


def test_names_that_are_not_unicode(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: the contract: archives from old systems have such names; the photos are read all the same."""
    folder = tmp_path / "f"
    folder.mkdir()
    for number in range(2):
        (folder / f"caf\udce9{number}.png").write_bytes(encoded(number))
    photos = read_photos([folder], 64)
    assert len(photos.train) + len(photos.validation) == 2


@pytest.mark.parametrize(
    ("width", "height", "side", "expected"),
    [
        (40, 30, 64, (40, 30)),  # never enlarged
        (80, 60, 30, (40, 30)),
        (60, 80, 30, (30, 40)),
        (300, 100, 50, (100, 50)),  # at most 2:1
        (100, 300, 50, (50, 100)),
        (1, 9, 16, (1, 2)),
        (9, 1, 16, (2, 1)),
        (1, 1, 16, (1, 1)),
        (3, 100, 16, (3, 6)),
    ],
)
def test_size_after_decoding(encoded: Encoded, width: int, height: int, side: int, expected: tuple[int, int]) -> None:
    """Oracle: the contract by hand: short side at most `side`, at most twice as long; exact."""
    decoded = decode(encoded(0, height, width), side)
    assert decoded.dtype is torch.uint8
    assert tuple(decoded.shape) == (3, expected[1], expected[0])


def test_long_picture_keeps_its_middle(picture: Picture, encoded: Encoded) -> None:
    """Oracle: the middle columns of the file; exact."""
    assert torch.equal(decode(encoded(0, 10, 60), 16), picture(0, 10, 60)[:, :, 20:40])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK"])
def test_other_modes_become_rgb(mode: str) -> None:
    """Oracle: the contract's shape; a plain gray of 255 or 0 stays that (exact, but CMYK's conversion: 1)."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "white").convert(mode).save(stream, "TIFF" if mode == "CMYK" else "PNG")
    decoded = decode(stream.getvalue(), 16)
    assert decoded.shape == (3, 8, 8)
    assert int(decoded.min()) >= 254


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP"]), st.data())
def test_altered_files_raise_only_what_is_listed(encoded: Encoded, kind: str, data: st.DataObject) -> None:
    """Oracle: decode's contract, OSError or ValueError: anything else would end a training over one bad file."""
    content = bytearray(encoded(0, 24, 24, kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(OSError, ValueError):
        assert decode(bytes(content), 16).shape[0] == 3


def test_crops_are_of_the_size_and_range(picture: Picture) -> None:
    """Oracle: the contract: (count, 3, size, size) float32 in 0..1, and not one the same as another."""
    crops = Crops([picture(seed, 40, 56) for seed in range(3)], seed=0).batch(6, 16)
    assert crops.shape == (6, 3, 16, 16)
    assert crops.dtype is torch.float32
    assert 0 <= float(crops.min()) < float(crops.max()) <= 1
    assert len({tuple(crop.flatten().tolist()) for crop in crops}) == 6


def test_each_picture_comes_once_before_any_comes_again() -> None:
    """Oracle: plain pictures numbered by their gray: every run of 7 is a permutation, over batches of 3; exact."""
    crops = Crops([torch.full((3, 20, 20), 30 * number, dtype=torch.uint8) for number in range(7)], seed=1)
    grays = torch.cat([crops.batch(3, 16)[:, 0, 0, 0] for _ in range(7)])
    numbers = (255 * grays / 30).round().to(torch.int).reshape(3, 7)  # 21 crops -> 3 rounds of 7
    assert numbers.sort(1).values.tolist() == [list(range(7))] * 3
    assert len({tuple(row) for row in numbers.tolist()}) == 3


def test_crop_is_a_region_of_the_picture() -> None:
    """Oracle: closed form on two ramps: the crop covers three quarters of the short side or more, keeps the direction
    downwards, mirrors about half of the time, and is stretched from a square to at most the whole shape."""
    picture = torch.zeros(3, 128, 254, dtype=torch.uint8)
    picture[0] = torch.arange(254)  # column
    picture[1] = 2 * torch.arange(128)[:, None]  # 2 x row
    crops = 255 * Crops([picture], seed=2).batch(200, 16)
    columns = crops[:, 0, 0, -1] - crops[:, 0, 0, 0]
    rows = (crops[:, 1, -1, 0] - crops[:, 1, 0, 0]) / 2
    inside = 15 / 16  # between the centres of the first and the last pixel
    assert 0.35 < float((columns < 0).double().mean()) < 0.65
    assert float(rows.min()) > 0.75 * 128 * inside - 3  # 3: the enlargement's window at the borders
    assert float(rows.max()) <= 128 * inside + 1
    assert float(columns.abs().min()) > 0.75 * 128 * inside - 3
    assert float(columns.abs().max()) > 1.3 * 128
    assert float(columns.abs().max()) <= 254 * inside + 1


def test_same_seed_gives_the_same_crops(picture: Picture) -> None:
    """Oracle: a second stream; exact. Another seed gives others."""
    pictures = [picture(seed, 32, 48) for seed in range(4)]
    first, second, other = (Crops(pictures, seed).batch(9, 16) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_state_carries_the_stream_over(picture: Picture) -> None:
    """Oracle: the unbroken stream; exact, from the middle of a round; the state taken does not change later."""
    pictures = [picture(seed, 32, 48) for seed in range(5)]
    crops = Crops(pictures, 7)
    crops.batch(3, 16)
    state = crops.state()
    expected = crops.batch(8, 16)
    for _ in range(2):
        later = Crops(pictures, 0)
        later.restore(state)
        assert torch.equal(later.batch(8, 16), expected)


def test_restore_with_fewer_pictures(picture: Picture) -> None:
    """Oracle: the contract: pictures that are gone are left out, the rest goes on."""
    crops = Crops([picture(seed) for seed in range(9)], 0)
    crops.batch(1, 16)
    later = Crops([picture(0)], 0)
    later.restore(crops.state())
    assert later.batch(3, 16).shape == (3, 3, 16, 16)


def test_small_pictures_are_passed_over() -> None:
    """Oracle: the contract: only the large one comes; with none, UsageError names the size."""
    small, large = torch.zeros(3, 15, 40, dtype=torch.uint8), torch.full((3, 16, 40), 255, dtype=torch.uint8)
    assert float(Crops([small, large, small], 0).batch(5, 16).min()) > 0.999
    with pytest.raises(UsageError, match="no training photo has a short side of 16 pixels or more"):
        Crops([small, small], 0).batch(1, 16)
