"""Training pictures: decoded, told apart and split, from folders, shards and URLs."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import tarfile
import weakref
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.train import data as data_module
from colorcli.train.crops import Crops
from colorcli.train.data import Example, Photos, is_gray, read_photos
from colorcli.train.decoding import decode
from colorcli.train.pixels import Pixels
from colorcli.train.sources import Member

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
    assert {tuple(p.rgb.flatten().tolist()) for p in photos.train} == {
        tuple(picture(seed).flatten().tolist()) for seed in (0, 2)
    }
    assert torch.equal(photos.validation[0].rgb, picture(1))


@pytest.mark.parametrize(("side", "expected"), [(45, (60, 80)), (46, (62, 83)), (68, (90, 120)), (500, (90, 120))])
def test_the_smallest_region_fills_the_largest_crop(
    tmp_path: Path, encoded: Encoded, side: int, expected: tuple[int, int]
) -> None:
    """Oracle: side / 0.75, rounded up, by hand, and the other side in proportion; never above the file's own."""
    photos = read_photos([_folder(tmp_path / "f", {"a.png": encoded(0, 90, 120)})], side)
    assert tuple(photos.train[0].rgb.shape) == (3, *expected)


def test_smaller_regions_need_larger_pictures_and_validation_its_own_size(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: 30 / 0.5 = 60 for training; 80 for the one held out, and 60 where validation needs less."""
    folder = _folder(tmp_path / "f", {name: encoded(0, 90, 90) for name in (TRAINED[0], HELD_OUT)})
    for validated_at, expected in ((80, 80), (40, 60)):
        photos = read_photos([folder], 30, smallest=0.5, validated_at=validated_at)
        assert photos.train[0].rgb.shape == (3, 60, 60) and photos.validation[0].rgb.shape == (3, expected, expected)


def test_several_sources_keep_their_order(tmp_path: Path, encoded: Encoded, picture: Picture) -> None:
    """Oracle: the order of the request, and of names inside a folder; exact, whatever the number of workers."""
    names = TRAINED[:6]
    one = _folder(tmp_path / "one", {name: encoded(seed) for seed, name in enumerate(names)})
    two = _shard(tmp_path / "two.tar", {names[0]: encoded(10), names[1]: encoded(11)})
    expected = [picture(10), picture(11), *(picture(names.index(name)) for name in sorted(names))]
    for workers in (1, 4):
        photos = read_photos([two, one], 64, workers=workers)
        kept = photos.train + photos.validation  # the last one is held out where no checksum chose any
        assert all(torch.equal(a.rgb, b) for a, b in zip(kept, expected, strict=True))


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
    assert [p.rgb.tolist() for p in photos.train] == [picture(0).tolist(), picture(2).tolist()]
    assert [p.rgb.tolist() for p in photos.validation] == [picture(1).tolist()]


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
    """Oracle: the contract: missing, and without any photo; UsageError by name, and with what was damaged."""
    with pytest.raises(UsageError, match=r"gone does not exist"):
        read_photos([tmp_path / "gone"], 64)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no readable photo in .*empty \(0 damaged\)"):
        read_photos([tmp_path / "empty"], 64)
    (tmp_path / "empty" / "a.png").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"no readable photo in .*empty \(1 damaged\); the first: empty/a\.png: "):
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


def _masked(members: dict[str, bytes]) -> dict[str, bytes]:
    """A mask beside each picture: its left half."""
    stream = io.BytesIO()
    half = np.zeros((24, 24), dtype=np.uint8)
    half[:, :12] = 255
    Image.fromarray(half).save(stream, "PNG")
    masks = {f"{name.rpartition('.')[0]}.mask.png": stream.getvalue() for name in members}
    return dict(sorted({**members, **masks}.items()))


def _read_from(tmp_path: Path, form: str, members: dict[str, bytes], kind: str) -> Photos:
    """The members as a folder, as a shard, or as one of both in fsspec's memory."""
    tmp_path.mkdir(exist_ok=True)
    if form in ("folder", "shard"):
        source = _folder(tmp_path / "src", members) if form == "folder" else _shard(tmp_path / "src.tar", members)
        return read_photos([source], 64, kind)
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.rm("/src", recursive=True) if memory.exists("/src") else None
    if form == "remote shard":
        memory.pipe("/src/s.tar", _shard(tmp_path / "s.tar", members).read_bytes())
    else:
        for name, data in members.items():
            memory.pipe(f"/src/{name}", data)
    return read_photos(["memory://src"], 64, kind)


FORMS = ["folder", "shard", "remote", "remote shard"]


@pytest.mark.parametrize("form", FORMS)
def test_masks_stay_with_their_pictures(tmp_path: Path, encoded: Encoded, picture: Picture, form: str) -> None:
    """Oracle: each picture's own pixels and the mask's left half, exact; a picture without a mask is left out, and for
    "photos" no mask is taken for a picture."""
    members = _masked({name: encoded(seed) for seed, name in enumerate(TRAINED[:4])})
    members["alone.png"] = encoded(50)
    photos = _read_from(tmp_path, form, members, "masked")
    kept = photos.train + photos.validation
    expected = {name: picture(seed) for seed, name in enumerate(TRAINED[:4])}
    assert [e.rgb.tolist() for e in kept] == [expected[name].tolist() for name in sorted(expected)]
    for example in kept:
        assert example.mask is not None
        assert example.mask.shape == (1, 24, 24)
        assert (example.mask[0, :, :12] == 255).all()
        assert (example.mask[0, :, 12:] == 0).all()
    plain = _read_from(tmp_path / "plain", form, members, "photos")
    assert len(plain.train) + len(plain.validation) == 5


@pytest.mark.parametrize("form", FORMS)
def test_labels_are_the_folders(tmp_path: Path, encoded: Encoded, picture: Picture, form: str) -> None:
    """Oracle: the folder's names, sorted; pictures at the top have none and are left out."""
    members = {f"{kind}/{i}.png": encoded(10 * seed + i) for seed, kind in enumerate(("cat", "ant")) for i in range(3)}
    members = dict(sorted({**members, "top.png": encoded(99)}.items()))
    photos = _read_from(tmp_path, form, members, "labelled")
    assert photos.classes == ("ant", "cat")
    kept = photos.train + photos.validation
    found = {tuple(e.rgb.flatten().tolist()): photos.classes[e.label] for e in kept}
    expected = {
        tuple(picture(10 * s + i).flatten().tolist()): k for s, k in enumerate(("cat", "ant")) for i in range(3)
    }
    assert found == expected


def test_labels_of_an_index_and_of_webdataset(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: source/label of the index.csv.gz, where an empty label is none, so that the picture is left out; the text
    of a .cls file under the same key, before or after."""
    shard = _shard(tmp_path / "p.tar", {"s/a.png": encoded(0), "s/b.png": encoded(1), "s/c.png": encoded(2)})
    with gzip.open(tmp_path / "index.csv.gz", "wt", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["shard", "member", "source", "label", "width", "height", "split"])
        for name, label in (("a", "rose"), ("b", "tulip"), ("c", "")):
            rows.writerow(["p.tar", f"s/{name}.png", "s", label, 24, 24, "train"])
    assert read_photos([shard], 64, "labelled").classes == ("s/rose", "s/tulip")
    other = tmp_path / "web"
    other.mkdir()
    members = {"0.cls": b"7\n", "0.png": encoded(0), "1.png": encoded(1), "1.cls": b"12", "2.png": encoded(2)}
    photos = read_photos([_shard(other / "w.tar", members)], 64, "labelled")
    assert photos.classes == ("12", "7")
    assert len(photos.train) + len(photos.validation) == 2


def test_numbers_for_classes_of_different_sources(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: the contract: 1 of one folder's shards is not 1 of another's, and is called after both folders, as far
    up as they differ; shards of one folder, its train and val, and a link to it number alike, and keep their numbers;
    names and an index's labels are the same class wherever they stand."""

    def shard(name: str, label: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        members = {f"{i}{ending}": data for i in range(2) for ending, data in ((".png", encoded(i)), (".cls", label))}
        return _shard(path, {key: data if isinstance(data, bytes) else data.encode() for key, data in members.items()})

    def classes(*sources: Path | str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        photos = read_photos(sources, 64, "labelled")
        return photos.classes, photos.numbered

    a, b = shard("x/set/train/0.tar", "1"), shard("x/set/val/0.tar", "1")
    other, named = shard("y/set/0.tar", "1"), shard("z/0.tar", "cat")
    (tmp_path / "link").symlink_to("x")
    for alike in ((a, b), (a.parent, b.parent), (tmp_path / "x" / "set", tmp_path / "link" / "set", a)):
        assert classes(*alike) == (("1",), ())
    assert classes(a, b, other) == (("x/set/1", "y/set/1"), ("x/set", "y/set"))
    assert classes(other.parent, a, named) == (("cat", "x/set/1", "y/set/1"), ("x/set", "y/set"))
    assert classes(named, shard("w/0.tar", "cat")) == (("cat",), ())


def test_a_mask_of_another_shape_is_named(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: house rule 10."""
    members = _masked({TRAINED[0]: encoded(0), TRAINED[1]: encoded(1, 24, 30)})
    photos = read_photos([_folder(tmp_path / "src", members)], 64, "masked")
    assert len(photos.train) == 1
    assert "the mask is (24, 24), the picture (24, 30)" in photos.damaged[0]


def test_gray_pictures(picture: Picture) -> None:
    """Oracle: the contract: gray with a step of noise is gray, a painted field is not."""
    gray = torch.full((3, 8, 8), 100, dtype=torch.uint8)
    gray[0] += 2
    assert is_gray(gray)
    assert not is_gray(picture(0))


def _tinted(level: int, tint: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    """A plain 24x24 PNG of one gray, or of a tone such as sepia."""
    stream = io.BytesIO()
    Image.new("RGB", (24, 24), tuple(level + t for t in tint)).save(stream, "PNG")
    return stream.getvalue()


SEPIA = (60, 20, -40)


def _levels(examples: list[Example]) -> list[int]:
    """Where each plain picture's green is."""
    return [int(e.rgb[1, 0, 0]) for e in examples]


def test_gray_photos_are_left_out_and_counted(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: the contract: from training and validation, by count; a sepia one has colour; only gray ones are a
    UsageError; "labelled" and "masked" keep them."""
    gray = {f"c/{name}": _tinted(100) for name in (*TRAINED[:3], HELD_OUT)}
    coloured = {"val/a.png": encoded(0), "c/x.png": encoded(1), "c/y.png": _tinted(100, SEPIA)}
    folder = _folder(tmp_path / "f", gray | coloured)
    photos = read_photos([folder], 64)
    assert (len(photos.train), len(photos.validation), photos.gray) == (2, 1, 4)
    assert photos.summary() == "2 photos to train on, 1 held out, 4 gray and left out"
    labelled = read_photos([folder], 64, "labelled")
    assert (len(labelled.train) + len(labelled.validation), labelled.gray) == (6, 0)
    masked = read_photos([_folder(tmp_path / "m", _masked(gray))], 64, "masked")
    assert (len(masked.train) + len(masked.validation), masked.gray) == (4, 0)
    with pytest.raises(UsageError, match=r"every readable photo in .*g is gray \(4\): there is no colour to learn"):
        read_photos([_folder(tmp_path / "g", gray)], 64)


def test_a_folder_train_is_not_held_out(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: the contract: the name whose checksum would hold it out is trained on beside a folder val; without one,
    the checksum chooses."""
    name = next(f"train/{i}.png" for i in range(10**4) if zlib.crc32(f"train/{i}.png".encode()) % 50 == 0)
    files = {name: encoded(0), "train/x.png": encoded(1)}
    for more, held_out in (({"val/y.png": encoded(2)}, "val/y.png"), ({}, name)):
        photos = read_photos([_folder(tmp_path / f"f{len(more)}", files | more)], 64)
        assert [e.name for e in photos.validation] == [held_out]
        assert len(photos.train) == 1 + len(more)


@pytest.mark.parametrize("form", ["folder", "shard", "memory"])
def test_a_named_gray_domain(tmp_path: Path, encoded: Encoded, form: str) -> None:
    """Oracle: the contract: what `gray=` names is gray whatever its tint, the others are not, even a gray one; no gray
    one is held out by its checksum, and one in `val` is left out."""
    scans = {HELD_OUT: _tinted(100, SEPIA), TRAINED[0]: _tinted(110, SEPIA), "val/a.png": _tinted(120)}
    if form == "memory":
        import fsspec

        for name, data in scans.items():
            fsspec.filesystem("memory").pipe(f"/scans/{name}", data)
        source = "memory://scans"
    else:
        source = str(_folder(tmp_path / "s", scans) if form == "folder" else _shard(tmp_path / "s.tar", scans))
    coloured = _folder(tmp_path / "c", {"1.png": encoded(0), "2.png": _tinted(90), "val/3.png": encoded(1)})
    photos = read_photos([f"gray={source}", coloured], 64, "unpaired")
    assert sorted(_levels([e for e in photos.train if e.gray])) == [120, 130]
    assert [e.name for e in photos.train if not e.gray] == ["1.png", "2.png"]
    assert not any(e.grayed for e in photos.train)
    assert [(e.name, e.gray) for e in photos.validation] == [("val/3.png", False)]
    assert not photos.damaged


def test_gray_domain_without_a_name(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: the contract: gray pictures are of the gray domain alone, coloured ones, as sepia is, of both; the
    picture held out for want of another one has colour."""
    files = {"1.png": _tinted(100), "2.png": _tinted(100, SEPIA), "3.png": encoded(0), "4.png": _tinted(50)}
    photos = read_photos([_folder(tmp_path / "f", files)], 64, "unpaired")
    assert [(e.name, e.gray, e.grayed) for e in photos.train] == [
        ("1.png", True, False),
        ("2.png", False, True),
        ("4.png", True, False),
    ]
    assert [(e.name, e.gray) for e in photos.validation] == [("3.png", False)]


def test_domains_that_cannot_be_trained_on(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: the contract: `gray=` for another kind, no colour, and no scan that can be read; UsageError."""
    coloured = _folder(tmp_path / "c", {"1.png": encoded(0)})
    empty = _folder(tmp_path / "e", {"1.png": b"no"})
    for kind in ("photos", "labelled", "masked"):
        with pytest.raises(UsageError, match="gray=PATH is for methods that train on unpaired pictures"):
            read_photos([coloured, f"gray={coloured}"], 64, kind)
    with pytest.raises(UsageError, match="of the gray domain: there is no colour to learn"):
        read_photos([f"gray={coloured}"], 64, "unpaired")
    with pytest.raises(UsageError, match=r"no readable photo to train on in the gray= .*\(1 damaged\); the first: e/1"):
        read_photos([coloured, f"gray={empty}"], 64, "unpaired")


def test_identity_is_of_the_names_splits_and_labels(tmp_path: Path, encoded: Encoded) -> None:
    """Oracle: the contract: the same for a copy elsewhere and for another size; another one for each of a name, a
    split, a label, a domain, a further picture, and the order of the sources."""
    files = {f"{kind}/{name}": encoded(seed) for seed, kind in enumerate("ab") for name in TRAINED[:3]}

    def identity(folder: str, files: dict[str, bytes], kind: str = "labelled", side: int = 64) -> str:
        return read_photos([_folder(tmp_path / folder, files)], side, kind).identity()

    first = identity("one", files)
    assert len(first) == 64
    assert identity("copy", files) == first
    assert identity("one", {}, side=12) == first
    moved = dict(list(files.items())[1:])
    others = [
        identity("name", moved | {"a/other.png": encoded(0)}),
        identity("label", moved | {f"b/{TRAINED[4]}": encoded(0)}),
        identity("class", {name.replace("b/", "c/"): data for name, data in files.items()}),
        identity("split", moved | {f"val/a/{TRAINED[0]}": encoded(0)}),
        identity("more", files | {"b/more.png": encoded(9)}),
        identity("one", {}, kind="photos"),
    ]
    assert len({first, *others}) == 7
    one, more = tmp_path / "one", tmp_path / "more"
    assert read_photos([one, more], 64).identity() != read_photos([more, one], 64).identity()
    rgb = torch.zeros(3, 4, 4, dtype=torch.uint8)
    single = {Photos([Example(rgb, name="a", gray=gray)]).identity() for gray in (False, True)}
    assert len(single) == 2


def test_damage_in_a_remote_source_does_not_end_the_run(
    tmp_path: Path, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: house rule 10, for an error that is no OSError in one picture and one whole source."""
    from fsspec.implementations.memory import MemoryFileSystem

    class BackEndError(Exception):
        pass

    def refuse(*_: object, **__: object) -> bytes:
        raise BackEndError("slow down")

    _read_from(tmp_path, "remote", {TRAINED[0]: encoded(0), TRAINED[1]: encoded(1)}, "photos")
    near = _folder(tmp_path / "near", {TRAINED[2]: encoded(2)})
    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "cat_file", refuse)
        photos = read_photos(["memory://src", near], 64)
        names = [f"src/{name}" for name in sorted(TRAINED[:2])]
        assert photos.damaged == [f"{name}: OSError: BackEndError: slow down" for name in names]
        assert photos.summary() == "1 photos to train on, 0 held out, 2 damaged and left out"
    monkeypatch.setattr(MemoryFileSystem, "find", refuse)
    photos = read_photos(["memory://src", near], 64)
    assert photos.damaged == ["memory://src: cannot be listed: OSError: BackEndError: slow down"]
    assert len(photos.train) == 1


@pytest.mark.parametrize("room", [0, 6000])
@pytest.mark.parametrize("kind", ["photos", "labelled", "masked", "unpaired"])
def test_batches_do_not_depend_on_where_pictures_lie(tmp_path: Path, encoded: Encoded, kind: str, room: int) -> None:
    """Oracle: the pictures in memory: every batch, name and split exact; with a room of 6000 bytes some lie here and
    some there. 8 pictures of 22 x 22 and, for "masked", as many masks."""
    members = _masked({f"{'ab'[seed % 2]}/{name}": encoded(seed) for seed, name in enumerate(TRAINED[:8])})
    folder = _folder(tmp_path / "src", members)
    here = read_photos([folder], 16, kind)
    there = read_photos([folder], 16, kind, pixels=Pixels(room, tmp_path))
    total = 8 * 22 * 22 * (4 if kind == "masked" else 3)
    assert (here.in_file, here.size(), there.size()) == (0, total, total)
    assert there.in_file == total if room == 0 else 0 < total - there.in_file <= room
    assert there.identity() == here.identity()
    assert all(torch.equal(a.rgb, b.rgb) for a, b in zip(there.validation, here.validation, strict=True))
    one, other = Crops(here.train, 5, kind), Crops(there.train, 5, kind)
    for size in (16, 16, 20, 16):
        expected, found = one.batch(5, size), other.batch(5, size)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_files_are_let_go_once_decoded(encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: weak references to what reads each member: when the next chunk of two is asked for, the one before is
    gone, but for the last member, which the loop still has a name for. A shard's members hold their files' bytes."""

    class Reader:
        def __init__(self, seed: int) -> None:
            self.seed = seed

        def __call__(self) -> bytes:
            return encoded(self.seed)

    readers: list[weakref.ref[Reader]] = []

    def members(*_: object) -> Iterator[Member]:
        for seed in range(12):
            gc.collect()
            assert sum(reader() is not None for reader in readers) <= 4
            reader = Reader(seed)
            readers.append(weakref.ref(reader))
            yield Member(f"{seed}.png", f"{seed}.png", reader, "", None, False)

    monkeypatch.setattr(data_module, "_READ_AHEAD", 2)
    monkeypatch.setattr(data_module, "members", members)
    assert len(read_photos(["anything"], 64).train) == 11
    assert len(readers) == 12


def test_a_gpu_decodes_what_it_can(tmp_path: Path, encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: a stand-in for the GPU that gives plain pictures for JPEGs: those come as it gave them, at the size for
    crops of 48 pixels, the others as Pillow does; no file is read twice, a damaged and an unreadable one are named."""
    files = {
        "a.jpg": encoded(0, 24, 24, "JPEG"),
        "b.png": encoded(1),
        "c.png": b"no",
        "d.jpg": b"",
        "e.png": encoded(2),
    }
    files["f.jpg"] = encoded(3, 24, 24, "JPEG")
    folder = _folder(tmp_path / "src", files)
    painted = torch.tensor([9, 90, 200], dtype=torch.uint8)[:, None, None].expand(3, 20, 20).contiguous()
    reads: list[str] = []
    read = Path.read_bytes

    def counting(path: Path) -> bytes:
        reads.append(path.name)
        if path.name == "d.jpg":
            raise PermissionError(13, "Permission denied")
        return read(path)

    def stand_in(given: list[bytes], sides: list[int], device: torch.device) -> list[Tensor | None]:
        assert (set(sides), device) == ({64}, torch.device("cuda", 3))
        return [painted if data.startswith(b"\xff\xd8") else None for data in given]

    monkeypatch.setattr(Path, "read_bytes", counting)
    monkeypatch.setattr(data_module, "decode_on_gpu", stand_in)
    photos = read_photos([folder], 48, device=torch.device("cuda", 3))
    kept = {example.name: example.rgb for example in photos.train + photos.validation}
    expected = {"a.jpg": painted, "b.png": decode(files["b.png"], 64), "e.png": decode(files["e.png"], 64)}
    assert kept.keys() == {*expected, "f.jpg"}
    assert all(torch.equal(kept[name], rgb) for name, rgb in {**expected, "f.jpg": painted}.items())
    assert [line.split(": ")[:2] for line in photos.damaged] == [
        ["src/c.png", "ValueError"],
        ["src/d.jpg", "PermissionError"],
    ]
    assert sorted(reads) == ["a.jpg", "b.png", "c.png", "d.jpg", "d.jpg", "e.png", "f.jpg"]  # d: to say why not
    reads.clear()
    assert not torch.equal(read_photos([folder], 48, device=torch.device("cpu")).train[0].rgb, painted)
