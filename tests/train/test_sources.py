"""Where training pictures lie, and what their places and neighbours say of them."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colorcli.errors import UsageError
from colorcli.media.places import LEDGER, attention_path, comparison_path, hints_path, match_paths, stages_path
from colorcli.train.sources import Member, members, placed

FORMS = ["folder", "shard", "remote", "remote shard"]
Read = Callable[[dict[str, bytes], str], list[Member]]


def _tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as shard:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def _folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def _index(*rows: tuple[str, ...], header: str = "shard,member,source,label,split") -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([header.split(","), *rows])
    return gzip.compress(text.getvalue().encode())


def _remote(files: dict[str, bytes]) -> str:
    memory = fsspec.filesystem("memory")
    if memory.exists("/src"):
        memory.rm("/src", recursive=True)
    for name, data in files.items():
        memory.pipe(f"/src/{name}", data)
    return "memory://src"


def _source(tmp_path: Path, form: str, files: dict[str, bytes]) -> str:
    """The files as a folder, as a shard, or as one of both in fsspec's memory."""
    if "shard" in form:
        files = {"s.tar": _tar(files)}
    if "remote" in form:
        return _remote(files)
    folder = _folder(tmp_path / "src", files)
    return str(folder / "s.tar" if form == "shard" else folder)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.png", ("", None)),
        ("cat/a.png", ("cat", None)),
        ("pets/cat/a.png", ("cat", None)),
        ("train/a.png", ("", False)),
        ("train/cat/a.png", ("cat", False)),
        ("cat/train/a.png", ("", None)),
        ("val/a.png", ("", True)),
        ("validation/cat/a.png", ("cat", True)),
        ("test/pets/cat/a.png", ("cat", True)),
        ("cat/val/a.png", ("", None)),  # only the top is a split
        ("./val/cat/a.png", ("cat", True)),
        ("validated/a.png", ("validated", None)),
        ("val.png", ("", None)),
    ],
)
def test_what_a_path_says(path: str, expected: tuple[str, bool | None]) -> None:
    """Oracle: the rule, by hand."""
    assert placed(path) == expected


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_say_the_same(tmp_path: Path, form: str) -> None:
    """Oracle: the rule by hand, one for folders and shards, near and remote; the bytes are each file's own."""
    paths = ["a.png", "ant/1.JPG", "ant/2.webp", "train/cat/3.png", "val/4.png", "validation/cat/5.tiff"]
    files = {path: path.encode() for path in paths}
    damaged: list[str] = []
    found = list(members(_source(tmp_path, form, files), damaged))
    labels = {"a.png": "", "ant/1.JPG": "ant", "ant/2.webp": "ant", "train/cat/3.png": "cat", "val/4.png": ""}
    splits = {"train": False, "val": True, "validation": True}
    expected = [(p, labels.get(p, "cat"), splits.get(p.split("/")[0]), p.encode()) for p in paths]
    assert [(m.name.removeprefix("s.tar/"), m.label, m.held_out, m.read()) for m in found] == expected
    assert len({m.chosen for m in found}) == 1  # no checksum among them is a multiple of fifty
    assert not damaged


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_photo(tmp_path: Path, form: str) -> None:
    """Oracle: the names that `colorize auto` itself gives what it writes or reads beside photos; only the photo and
    what is merely called alike is left."""
    photo = Path("a.jpg")
    beside = [hints_path(photo), comparison_path(photo), attention_path(photo), LEDGER.parent / "b.png"]
    beside += [
        *match_paths(photo),
        stages_path(photo),
        Path("a.mask.png"),
        Path("A.HINTS.PNG"),
        Path("._a.jpg"),
        Path("sub") / LEDGER.parent / "deep" / "c.jpg",
        Path("d.txt"),
    ]
    files = {path.as_posix(): b"" for path in [*beside, photo, Path("compare.jpg"), Path("hints.png")]}
    found = members(_source(tmp_path, form, dict(sorted(files.items()))), [])
    assert [m.name.removeprefix("s.tar/") for m in found] == ["a.jpg", "compare.jpg", "hints.png"]


@pytest.mark.parametrize("form", FORMS)
def test_what_stands_beside_does_not_part_a_picture_from_its_mask(tmp_path: Path, form: str) -> None:
    """Oracle: the contract: a.jpg.compare.jpg comes between a.jpg and a.mask.png in the order of names."""
    files = {"a.jpg": b"photo", "a.jpg.compare.jpg": b"", "a.json": b"", "a.mask.png": b"mask", "b.jpg": b"alone"}
    found = list(members(_source(tmp_path, form, files), []))
    assert [(m.read(), m.mask and m.mask()) for m in found] == [(b"photo", b"mask"), (b"alone", None)]


@pytest.mark.parametrize("remote", [False, True])
def test_a_damaged_shard_fails_by_its_own_name(tmp_path: Path, remote: bool) -> None:
    """Oracle: house rule 10: what is in front of the damage, the other shards and the photos behind are all read; each
    damage carries the shard's name."""
    good = _tar({"1.png": b"one", "2.png": b"two"})
    files = {
        "a.png": b"a",
        "b.tar": b"no shard at all",
        "c.tar": good[: 3 * 512 + 2],  # in the second file's content
        "d.tar.gz": _tar({"3.png": b"three"}, "w:gz")[:30],
        "e.tar": good,
        "f/g.tar": good[: 2 * 512] + b"?" * 512 + good[3 * 512 :],  # the second header
        "h.tar": good[: 2 * 512],  # ends without an end
        "z.png": b"z",
    }
    damaged: list[str] = []
    found = list(members(_remote(files) if remote else str(_folder(tmp_path / "src", files)), damaged))
    whole = ["a.png", "c.tar/1.png", "e.tar/1.png", "e.tar/2.png", "f/g.tar/1.png", "h.tar/1.png", "z.png"]
    assert [m.name for m in found] == whole
    assert [m.title for m in found] == [f"src/{m.name}" for m in found]
    names = [f"src/{n}" for n in ("b.tar", "c.tar", "d.tar.gz", "f/g.tar", "h.tar")]
    assert [line.split(": ")[0] for line in damaged] == names
    assert all("the rest is unreadable" in line for line in damaged)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(["w", "w:gz", "w:xz", "w:bz2"]), st.data())
def test_altered_shards_never_raise(tmp_path_factory: pytest.TempPathFactory, mode: str, data: st.DataObject) -> None:
    """Oracle: the contract: whatever a shard holds, the photo behind it is read; one that lost a picture is named."""
    content = bytearray(_tar({f"{i}.png": bytes(range(256)) * 3 for i in range(3)}, mode))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = _folder(tmp_path_factory.mktemp("src"), {"a.tar": bytes(content), "b.png": b"photo"})
    damaged: list[str] = []
    assert [m.read() for m in members(str(folder), damaged)][-1] == b"photo"
    assert all(line.startswith(f"{folder.name}/a.tar: ") for line in damaged)


def test_a_gzip_header_that_tells_of_more_fields_than_there_are(tmp_path: Path) -> None:
    """Oracle: the contract: named, and the photo behind it is read. RFC 1952's flag for further fields, 65,535 bytes of
    them said, no deflate after that: Python 3.11.2's tarfile raises AttributeError."""
    content = b"\x1f\x8b\x08\x04" + bytes(6) + b"\xff" * 600
    damaged: list[str] = []
    found = list(members(str(_folder(tmp_path / "src", {"a.tar": content, "b.png": b"photo"})), damaged))
    assert [member.read() for member in found] == [b"photo"]
    assert len(damaged) == 1 and damaged[0].startswith("src/a.tar: the rest is unreadable: ")


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("single", [False, True])
def test_index_goes_by_the_shards_own_name(tmp_path: Path, remote: bool, single: bool) -> None:
    """Oracle: the rows by hand: of the shard's base name only, whatever folder it lies in; over the folder's val. An
    empty label is none, whatever the folder; a row that is too short for one leaves it to the folder."""
    files = {
        "deep/p.tar": _tar({"./1.png": b"", "2.png": b"", "val/3.png": b"", "x/4.png": b"", "x/5.png": b""}),
        "deep/index.csv.gz": _index(
            ("p.tar", "1.png", "s", "rose", "val"),
            ("q.tar", "2.png", "s", "tulip", "val"),
            ("shards/p.tar", "val/3.png", "s", "", "train"),
            ("p.tar", "x/4.png"),  # a short row
            ("p.tar", "x/5.png", "s", "", ""),
        ),
    }
    source = _remote(files) if remote else str(_folder(tmp_path / "src", files))
    damaged: list[str] = []
    found = list(members(f"{source}/deep/p.tar" if single else source, damaged))
    outer = "" if single else "deep"  # a shard's own folder labels what lies in it, as a picture's would
    expected = [("s/rose", True), (outer, None), ("", False), ("x", None), ("", None)]
    assert [(m.label, m.held_out) for m in found] == expected
    assert not damaged


BAD_INDEXES = {
    "no gzip": b"shard,member,split\n",
    "cut": _index(("p.tar", "1.png", "", "", "val"))[:-12],
    "altered": bytes(b ^ 255 if 12 < i < 20 else b for i, b in enumerate(_index(("p.tar", "1.png", "", "", "val")))),
    "no text": gzip.compress(b"shard,member,split\np.tar,\xff\xfe,val\n"),
    "other columns": _index(("p.tar", "val"), header="shard,split"),
    "empty": gzip.compress(b""),
    "quotes": gzip.compress(b'shard,member,split\n"' + b"x" * 200_000 + b'",,\n'),  # over csv's limit for a field
}


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("content", BAD_INDEXES.values(), ids=BAD_INDEXES)
def test_an_odd_index_is_named_once_and_the_shards_are_read(tmp_path: Path, content: bytes, remote: bool) -> None:
    """Oracle: house rule 10: one line for the index, and both shards' pictures as if there were none."""
    shard = _tar({"val/1.png": b"", "c/2.png": b""})
    files = {"p.tar": shard, "q.tar": shard, "index.csv.gz": content}
    damaged: list[str] = []
    found = list(members(_remote(files) if remote else str(_folder(tmp_path / "src", files)), damaged))
    assert [(m.label, m.held_out) for m in found] == 2 * [("", True), ("c", None)]
    assert len(damaged) == 1
    assert damaged[0].startswith("src/index.csv.gz: not used: ")


class BackEndError(Exception):
    """As botocore's and aiohttp's: no OSError."""


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """fsspec's memory whose `exists` is counted, and which fails for names with "bad" in them."""
    from fsspec.implementations.memory import MemoryFileSystem

    calls = {"exists": 0}
    original = {name: getattr(MemoryFileSystem, name) for name in ("exists", "cat_file", "_open", "find")}

    def failing(name: str) -> Callable[..., object]:
        def call(self: MemoryFileSystem, path: str, *rest: object, **options: object) -> object:
            calls["exists"] += name == "exists"
            if "bad" in path and options.get("mode") != "wb":
                raise BackEndError("slow down")
            return original[name](self, path, *rest, **options)

        return call

    for name in original:
        monkeypatch.setattr(MemoryFileSystem, name, failing(name))
    return calls


@pytest.mark.usefixtures("memory")
def test_errors_of_a_back_end_are_named() -> None:
    """Oracle: the contract: a picture's is an OSError when it is read, a shard's names the shard, a listing's the
    source; the others are there."""
    shard = _tar({"1.png": b"one"})
    source = _remote({"a.png": b"a", "bad.png": b"", "bad.tar": shard, "c.tar": shard, "z.png": b"z"})
    damaged: list[str] = []
    found = {m.name: m for m in members(source, damaged)}
    assert list(found) == ["a.png", "bad.png", "c.tar/1.png", "z.png"]
    with pytest.raises(OSError, match="BackEndError: slow down"):
        found["bad.png"].read()
    assert [found[name].read() for name in ("a.png", "c.tar/1.png", "z.png")] == [b"a", b"one", b"z"]
    assert damaged == ["src/bad.tar: the rest is unreadable: OSError: BackEndError: slow down"]
    damaged.clear()
    fsspec.filesystem("memory").pipe("/bad/a.png", b"")
    assert not list(members("memory://bad", damaged))
    assert damaged == ["memory://bad: cannot be listed: OSError: BackEndError: slow down"]


def test_a_stream_that_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: house rule 10, for a connection that is lost within a shard: the pictures before are there."""
    from fsspec.implementations.memory import MemoryFile

    source = _remote({"a.tar": _tar({f"{i}.png": bytes(40_000) for i in range(3)}), "z.png": b"z"})
    reads = itertools.count()
    original = MemoryFile.read

    def breaking(self: MemoryFile, size: int = -1) -> bytes:
        if next(reads) > 5:
            raise BackEndError("connection lost")
        return original(self, size)

    monkeypatch.setattr(MemoryFile, "read", breaking)
    damaged: list[str] = []
    names = [m.name for m in members(source, damaged)]
    assert names[0] == "a.tar/0.png"
    assert names[-1] == "z.png"
    assert len(names) < 4
    assert damaged == ["src/a.tar: the rest is unreadable: OSError: BackEndError: connection lost"]


def test_remote_pictures_cost_no_question_each(memory: dict[str, int]) -> None:
    """Oracle: not one `exists` for a listed source, and the masks that the listing names are found."""
    files = {f"{i}.png": b"photo" for i in range(9)} | {"3.mask.png": b"mask", "index.csv.gz": _index()}
    source = _remote(files)
    memory["exists"] = 0
    found = list(members(source, []))
    assert memory["exists"] == 0
    assert [m.name for m in found if m.mask] == ["3.png"]
    assert found[3].mask is not None
    assert found[3].mask() == b"mask"


def test_a_shards_folder_holds_out_and_labels(tmp_path: Path) -> None:
    """Oracle: the contract: as if the shard were unpacked where it lies, unless its own paths say more."""
    shard = _tar({"1.png": b"", "cat/2.png": b"", "train/3.png": b""})
    folder = _folder(tmp_path / "src", {"val/s.tar": shard, "dog/s.tar": shard})
    assert [(m.name, m.label, m.held_out) for m in members(str(folder), [])] == [
        ("dog/s.tar/1.png", "dog", None),
        ("dog/s.tar/cat/2.png", "cat", None),
        ("dog/s.tar/train/3.png", "dog", False),
        ("val/s.tar/1.png", "", True),
        ("val/s.tar/cat/2.png", "cat", True),
        ("val/s.tar/train/3.png", "", True),
    ]


def test_folders_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: house rule 10; permissions do not bind the superuser who tests, so that the system is made to refuse. A
    link to nothing is a picture that fails when it is read, a pipe is none."""
    folder = _folder(tmp_path / "src", {"a.png": b"a", "shut/b.png": b""})
    (folder / "link.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "pipe.png")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    damaged: list[str] = []
    found = list(members(str(folder), damaged))
    assert [m.name for m in found] == ["a.png", "link.png"]
    with pytest.raises(FileNotFoundError):
        found[1].read()
    assert len(damaged) == 1
    assert damaged[0].startswith("src/shut: PermissionError: ")


def test_linked_folders_are_read_once(tmp_path: Path) -> None:
    """Oracle: the tree as it was made: a folder elsewhere that two links lead to is read by the first of them in the
    order of names, with the split that this name says; one that lies in the source keeps its own place, though the
    link comes first; links in a circle, to the source itself and to nothing end."""
    folder = _folder(tmp_path / "src", {"a.png": b"", "m/b.png": b""})
    _folder(tmp_path / "else", {"c.png": b"", "cat/d.png": b""})
    for name, target in {"b": "m", "val": "../else", "zoo": "../else", "m/up": "..", "gone": "nowhere"}.items():
        (folder / name).symlink_to(target)
    (tmp_path / "else" / "back").symlink_to("../src")
    (tmp_path / "link").symlink_to("src")
    for source in (folder, tmp_path / "link"):
        damaged: list[str] = []
        found = [(m.name, m.label, m.held_out) for m in members(str(source), damaged)]
        assert not damaged and found == [
            ("a.png", "", None),
            ("m/b.png", "m", None),
            ("val/c.png", "", True),
            ("val/cat/d.png", "cat", True),
        ]


def test_what_is_no_source(tmp_path: Path) -> None:
    """Oracle: the contract: UsageError by name."""
    (tmp_path / "film.mp4").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.tar")  # nobody writes: to open it would be to wait for ever
    for source, message in (
        (str(tmp_path / "gone"), "gone does not exist"),
        (str(tmp_path / "film.mp4"), r"film\.mp4 is neither a folder of photos nor a tar shard"),
        (str(tmp_path / "pipe.tar"), r"pipe\.tar is a pipe or a device; expected a file or a folder"),
        ("memory://gone", "memory://gone does not exist"),
        ("nothing://at/all", "cannot read nothing://at/all"),
    ):
        with pytest.raises(UsageError, match=message):
            list(members(source, []))
