"""Remote folders by way of fsspec's own stores, in memory and on disk: the results are those of local folders."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from colorcli.items import Finished
from colorcli.media.places import LEDGER, sha256_of
from colorcli.media.remote import store as stores
from colorcli.run import ledger_copy
from colorcli.run.errand import Order, absolute_job
from colorcli.run.far_discovery import discover_far
from colorcli.run.session import Request, prepare
from colorcli.run.worker import Worker
from tests.conftest import PHOTOGRAPHS, Answer

Auto = Callable[..., Answer]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs keep what lasts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """The store in memory, empty."""
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries without pauses."""
    monkeypatch.setattr(stores, "DELAYS", (0.0, 0.0, 0.0))


@pytest.fixture
def tree(tmp_path: Path, put_photo: Callable[..., Path]) -> Path:
    """Photos in folders, and what is none."""
    folder = tmp_path / "photos"
    for number, name in enumerate(PHOTOGRAPHS):
        put_photo(folder / ("", "deep", "deep/er", "other")[number] / f"{name}.png", name, 96, 72 + 8 * number)
    (folder / "deep" / "torn.jpg").write_bytes(b"no picture")
    (folder / "other" / "notes.txt").write_text("no photo")
    (folder / "empty.png").touch()
    return folder


@pytest.fixture
def local(tree: Path, tmp_path: Path, auto: Auto, files_in: Callable[[Path], dict[str, bytes]]) -> dict[str, bytes]:
    """What the run of folders of this machine makes of them."""
    answer = auto(tree, "--batch", "1", out=tmp_path / "local")
    assert answer.code == 3
    return files_in(tmp_path / "local")


def _put(folder: Path) -> None:
    fsspec.filesystem("memory").put(f"{folder}/", "/in/", recursive=True)


def _files(root: str) -> dict[str, bytes]:
    """What is in memory below a folder, the ledger's own left out."""
    memory = fsspec.filesystem("memory")
    below = {path.removeprefix(f"{root}/"): path for path in memory.find(root)}
    return {name: memory.cat(path) for name, path in below.items() if not name.startswith(".colorize")}


@pytest.mark.parametrize("engine", ["in and out", "in", "out"])
def test_the_same_bytes_as_of_local_folders(
    engine: str, tree: Path, local: dict[str, bytes], tmp_path: Path, auto: Auto, files_in: Callable[..., object]
) -> None:
    """Oracle: the local run's bytes, its failures, and "done before" for all of them at the next run; nothing is left
    in the state folder but what is kept."""
    _put(tree)
    source: object = "memory://in" if "in" in engine.split() else tree
    out: object = "memory://out" if "out" in engine.split() else tmp_path / "out"
    first = auto(source, "--batch", "1", out=out)
    assert first.code == 3 and "4 coloured, 0 done before, 2 failed" in first.out, first
    made = _files("/out") if out == "memory://out" else files_in(tmp_path / "out")
    assert made == local
    assert "deep/torn.jpg: FAILED (decode)" in first.err and "empty.png: FAILED (discover)" in first.err
    second = auto(source, "--batch", "1", out=out)
    assert second.code == 3 and "0 coloured, 4 done before, 2 failed" in second.out, second
    works = [
        path for folder in (tmp_path / "state", tmp_path / "out") if folder.exists() for path in folder.rglob("work")
    ]
    assert works == []


def test_file_urls(
    tree: Path, local: dict[str, bytes], tmp_path: Path, auto: Auto, files_in: Callable[..., object]
) -> None:
    """Oracle: the local run's bytes; a local run knows the results by the ledger there."""
    answer = auto(f"file://{tree}", "--batch", "1", out=f"file://{tmp_path}/out")
    assert answer.code == 3 and "4 coloured" in answer.out, answer
    assert files_in(tmp_path / "out") == local
    assert "0 coloured, 4 done before" in auto(tree, "--batch", "1", out=tmp_path / "out").out


def test_only_what_changed_is_coloured_anew(
    tree: Path, tmp_path: Path, auto: Auto, put_photo: Callable[..., Path]
) -> None:
    """Oracle: the ledger's rule: other content, other settings; a copy of the same content is done before."""
    _put(tree)
    auto("memory://in", out="memory://out")
    before = _files("/out")
    put_photo(tmp_path / "new.png", "rocket", 96, 96)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "new.png"), "/in/astronaut.png")
    memory.put(str(tree / "deep" / "chelsea.png"), "/in/deep/chelsea.png")  # of another time
    again = auto("memory://in", out="memory://out")
    assert "1 coloured, 3 done before" in again.out
    after = _files("/out")
    assert {name for name in after if after[name] != before[name]} == {"astronaut.png"}
    assert "4 coloured" in auto("memory://in", "--saturation", "0.5", out="memory://out").out


def test_foreign_files_stay(tree: Path, auto: Auto) -> None:
    """Oracle: the bytes of a file that this tool did not make, until --overwrite; a URL in the message."""
    _put(tree)
    memory = fsspec.filesystem("memory")
    memory.pipe("/out/deep/chelsea.png", b"mine")
    answer = auto("memory://in", out="memory://out")
    assert "3 coloured" in answer.out and memory.cat("/out/deep/chelsea.png") == b"mine"
    assert "memory://out/deep/chelsea.png exists and was not made by this tool" in answer.err
    assert "1 coloured" in auto("memory://in", "--overwrite", out="memory://out").out
    assert memory.cat("/out/deep/chelsea.png") != b"mine"


def test_another_machine_goes_on(tree: Path, auto: Auto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: "done before" with an empty state folder; what two machines noted is known to both."""
    _put(tree)
    auto("memory://in", out="memory://out")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    fsspec.filesystem("memory").rm("/out/other/rocket.png")
    assert "1 coloured, 3 done before" in auto("memory://in", out="memory://out").out
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert "0 coloured, 4 done before" in auto("memory://in", out="memory://out").out


def test_the_options_that_reach_remote_folders(tree: Path, auto: Auto, tmp_path: Path) -> None:
    """Oracle: the local run's names for --format and --compare; --dry-run writes nothing; --json names URLs."""
    _put(tree)
    how = ("--format", "jpg", "--compare")
    planned = auto("memory://in", *how, "--dry-run", out="memory://out")
    assert "4 to colour" not in planned.out and "5 to colour" in planned.out  # damage is seen when it is decoded
    assert _files("/out") == {} and not (tmp_path / "state").exists()
    answer = auto("memory://in", *how, "--json", out="memory://out")
    entries = [json.loads(line) for line in answer.out.splitlines()]
    results = {entry["result"] for entry in entries if entry.get("state") == "done"}
    assert results == {
        f"memory://out/{name}.jpg" for name in ("astronaut", "deep/chelsea", "deep/er/coffee", "other/rocket")
    }
    assert entries[-1]["out"] == "memory://out"
    assert auto(tree, *how, out=tmp_path / "local").code == 3
    made = {str(path.relative_to(tmp_path / "local")) for path in (tmp_path / "local").rglob("*.jpg")}
    assert _files("/out").keys() == made and len(made) == 8
    assert "0 to colour, 4 done before" not in auto("memory://in", *how, "--dry-run", out="memory://out").out
    assert "1 to colour, 4 done before" in auto("memory://in", *how, "--dry-run", out="memory://out").out


def test_one_remote_photo(tree: Path, auto: Auto) -> None:
    """Oracle: its name alone in the output."""
    _put(tree)
    assert auto("memory://in/deep/chelsea.png", out="memory://out").code == 0
    assert _files("/out").keys() == {"chelsea.png"}


def test_exemplar_takes_remote_targets(
    tree: Path,
    tmp_path: Path,
    exemplar: Auto,
    put_color: Callable[..., Path],
    files_in: Callable[..., dict[str, bytes]],
) -> None:
    """Oracle: the local run's bytes."""
    reference = put_color(tmp_path / "ref.png")
    _put(tree)
    assert exemplar(tree, "--batch", "1", ref=[reference], out=tmp_path / "local").code == 3
    answer = exemplar("memory://in", "--batch", "1", ref=[reference], out="memory://out")
    assert answer.code == 3 and "4 coloured" in answer.out
    assert _files("/out") == files_in(tmp_path / "local")


@pytest.mark.parametrize(
    ("arguments", "out", "said"),
    [
        (["memory://in", "memory://other"], "memory://out", "only input"),
        (["memory://in", "--report", "r.html"], "memory://out", "--report is for folders of this machine"),
        (["memory://in", "--report", "memory://r.html"], "memory://out", "report takes a path of this machine"),
        (["memory://in", "-m", "agin", "--save-attention", "maps"], "memory://out", "--save-"),
        (["memory://in"], "memory://in", "among the photos"),
        (["memory://nowhere"], "memory://out", "memory://nowhere is not there"),
        (["memory://in/*.png"], "memory://out", "patterns are not for remote folders"),
        (["nosuch://in"], "memory://out", "nosuch"),
        (["memory://in"], "http://127.0.0.1:9/out", "http"),
    ],
    ids=str,
)
def test_what_is_refused(arguments: list[str], out: str, said: str, tree: Path, colorize: Auto) -> None:
    """Oracle: exit 2 or 1, the reason, nothing written."""
    _put(tree)
    before = set(fsspec.filesystem("memory").store)
    answer = colorize("auto", *arguments, "-o", out)
    assert answer.code in (1, 2) and said in answer.err and "Traceback" not in answer.err, answer
    assert set(fsspec.filesystem("memory").store) == before


def test_what_is_no_photo_fails_by_name(tree: Path, auto: Auto, tmp_path: Path) -> None:
    """Oracle: films, also animations that their names do not tell, are named failures; an older output is skipped."""
    from PIL import Image

    _put(tree)
    memory = fsspec.filesystem("memory")
    memory.pipe("/in/film.mp4", b"film")
    pictures = [Image.new("L", (64, 64), shade) for shade in (0, 200)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    memory.put(str(tmp_path / "a.gif"), "/in/a.gif")
    memory.pipe(f"/in/older/{LEDGER.as_posix()}", b"ledger")
    memory.pipe("/in/older/result.png", b"result")
    answer = auto("memory://in", "-v", out="memory://out")
    assert answer.code == 3 and "4 coloured, 0 done before, 4 failed" in answer.out
    assert "film.mp4: FAILED (discover): a film" in answer.err and "a.gif: FAILED (fetch): a film" in answer.err
    assert "older: skipped, an output folder of an earlier run" in answer.err


class _Broken:
    """A method of a driver that fails so many times for the names that have a text in them."""

    def __init__(self, error: Exception, text: str, times: int) -> None:
        self.error, self.text, self.times, self.calls = error, text, times, 0
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        with self._lock:
            if self.text in name and self.calls < self.times:
                self.calls += 1
                raise self.error


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., _Broken]:
    """breaking(method, error, text, times): so the store in memory is."""

    def make(method: str, error: Exception, text: str, times: int) -> _Broken:
        broken = _Broken(error, text, times)
        kind = type(fsspec.filesystem("memory"))
        real = getattr(kind, method)

        def called(self: object, *given: object, **named: object) -> object:
            broken(" ".join(map(str, given)))
            return real(self, *given, **named)

        monkeypatch.setattr(kind, method, called)
        return broken

    return make


@pytest.mark.parametrize("method", ["get_file", "put_file", "info", "ls", "mv"])
def test_what_passes_is_tried_again(method: str, tree: Path, auto: Auto, breaking: Callable[..., _Broken]) -> None:
    """Oracle: the run without trouble: nothing of it is seen."""
    _put(tree)
    broken = breaking(method, ConnectionResetError(104, "Connection reset by peer"), "", 2)
    answer = auto("memory://in", out="memory://out")
    assert "4 coloured, 0 done before, 2 failed" in answer.out, answer
    assert broken.calls == 2 and _files("/out").keys() >= {"astronaut.png", "deep/chelsea.png"}


@pytest.mark.parametrize(("method", "stage"), [("get_file", "fetch"), ("put_file", "deliver")])
def test_what_is_refused_fails_by_name(
    method: str, stage: str, tree: Path, auto: Auto, breaking: Callable[..., _Broken]
) -> None:
    """Oracle: one failure of that name, told once and asked once; the next run finishes it."""
    _put(tree)
    broken = breaking(method, PermissionError(13, "Permission denied"), "chelsea", 1)
    answer = auto("memory://in", out="memory://out")
    assert "3 coloured, 0 done before, 3 failed" in answer.out and broken.calls == 1
    assert f"deep/chelsea.png: FAILED ({stage})" in answer.err and "Permission denied" in answer.err
    assert [name for name in _files("/out") if "part" in name] == []
    assert "1 coloured, 3 done before" in auto("memory://in", out="memory://out").out


@pytest.mark.parametrize("method", ["get_file", "put_file"])
def test_a_store_that_has_gone_ends_the_run(
    method: str, tree: Path, auto: Auto, breaking: Callable[..., _Broken]
) -> None:
    """Oracle: exit 1 with a clear text; the next run finishes, and takes nothing for another's."""
    _put(tree)
    broken = breaking(method, TimeoutError("timed out"), "rocket", 10**6)
    answer = auto("memory://in", out="memory://out")
    assert answer.code == 1 and "memory://" in answer.err and "the same command goes on where it stopped" in answer.err
    broken.times = 0
    again = auto("memory://in", out="memory://out")
    assert again.code == 3 and "2 failed" in again.out and "not made by this tool" not in again.err
    assert len(_files("/out")) == 4


def test_a_result_whose_arrival_nobody_heard_of_is_ours(
    tree: Path, local: dict[str, bytes], auto: Auto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: a store that goes right after a rename: the next run does not take the result for another's."""
    _put(tree)
    kind = type(fsspec.filesystem("memory"))
    real = kind.mv

    def moved_and_gone(self: object, part: str, path: str, **named: object) -> None:
        real(self, part, path, **named)
        if "rocket" in path:
            raise ConnectionResetError(104, "Connection reset by peer")

    with monkeypatch.context() as patch:
        patch.setattr(kind, "mv", moved_and_gone)
        assert auto("memory://in", "--batch", "1", out="memory://out").code == 1
    assert _files("/out")["other/rocket.png"] == local["other/rocket.png"]
    again = auto("memory://in", "--batch", "1", out="memory://out")
    assert again.code == 3 and "2 failed" in again.out and "not made by this tool" not in again.err
    assert _files("/out") == local


def test_a_worker_of_a_cluster_fetches_and_delivers_itself(
    tree: Path, local: dict[str, bytes], tiny_weights: Path, tmp_path: Path
) -> None:
    """Oracle: the local run's bytes; what goes between processes is pickled; of each photo what was read and what was
    written; nothing stays here."""
    _put(tree)
    request = Request("smsanet", (tiny_weights,), "cpu", batch=1)
    how = {"recursive": True, "extension": None, "compare": False}
    found, _, remote = discover_far(["memory://in"], "memory://out", request, **how)  # type: ignore[arg-type]
    request = replace(request, remote=replace(remote, facts={}))
    order = Order(request, prepare(request, lambda _: None).settings, (), None, 1)
    worker = Worker(pickle.loads(pickle.dumps(order)))
    assert worker.prepare().error is None
    jobs = [absolute_job(job, str(place)) for place, job in enumerate(found.jobs)]
    answers = pickle.loads(pickle.dumps([worker.colour(jobs[:1]), worker.colour(jobs[1:])]))
    outcomes = [pair for answer in answers for pair in answer.outcomes]
    assert {made.job.name if isinstance(made, Finished) else made.name for made, _ in outcomes} == set("01234")
    assert _files("/out") == local
    for made, written in outcomes:
        if isinstance(made, Finished):
            job = found.jobs[int(made.job.name)]
            read, result = written
            assert read.digest == sha256_of(tree / job.name) and result.size == len(local[job.name])
        else:
            assert found.jobs[int(made.name)].name == "deep/torn.jpg" and made.stage == "decode"
    assert not [path for path in (tmp_path / "state").rglob("*") if path.is_file()]


def test_no_half_file_under_its_name(tree: Path, auto: Auto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: what each result's name ever held is its final content, watched at every write to the store."""
    _put(tree)
    memory = fsspec.filesystem("memory")
    seen: dict[str, set[int]] = {}
    real = type(memory).put_file

    def watched(self: object, place: str, path: str, **named: object) -> None:
        real(self, place, path, **named)
        for name, file in list(memory.store.items()):
            if name.startswith("/out/") and ".colorize" not in name:
                seen.setdefault(name, set()).add(file.getbuffer().nbytes)

    monkeypatch.setattr(type(memory), "put_file", watched)
    auto("memory://in", out="memory://out")
    finals = {f"/out/{name}": len(content) for name, content in _files("/out").items()}
    assert {Path(name).name[0] for name in seen.keys() - finals.keys()} == {"."}  # hidden, while they come
    assert all(seen[name] == {finals[name]} for name in seen.keys() & finals.keys())


def test_few_photos_are_here_at_once(
    tmp_path: Path, auto: Auto, put_photo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the bound of `Porters`, whatever the number of photos, counted at every delivery."""
    for number in range(60):
        put_photo(tmp_path / "many" / f"{number:02}.png", "coffee", 32, 32)
    _put(tmp_path / "many")
    memory = fsspec.filesystem("memory")
    real, most = type(memory).put_file, [0]

    def counted(self: object, place: str, path: str, **named: object) -> None:
        here = [name for _, _, names in os.walk(tmp_path / "state") for name in names if name.endswith(".png")]
        most[0] = max(most[0], len(here))
        real(self, place, path, **named)

    monkeypatch.setattr(type(memory), "put_file", counted)
    assert "60 coloured" in auto("memory://in", "--batch", "1", "-j", "2", out="memory://out").out
    assert 1 <= most[0] <= 2 * (4 + 4 + 4 + 8)  # a photo and its result, for those that may be on their way


def test_photos_of_many_shapes_in_batches(tmp_path: Path, auto: Auto, put_photo: Callable[..., Path]) -> None:
    """Oracle: every photo, although batches wait for photos of their shape, which are not all here at once."""
    for number in range(45):
        put_photo(tmp_path / "many" / f"{number:02}.png", "coffee", 32 + 8 * (number % 9), 32)
    _put(tmp_path / "many")
    answer = auto("memory://in", "--batch", "3", "-j", "1", out="memory://out")
    assert "45 coloured" in answer.out and len(_files("/out")) == 45, answer


def test_the_ledger_is_sent_in_the_run(tree: Path, auto: Auto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the ledger's arrivals at the store: more than the one of the end, where every moment is time to send."""
    _put(tree)
    monkeypatch.setattr(ledger_copy, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(ledger_copy, "_LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(ledger_copy, "_SHARE", 0)
    memory = fsspec.filesystem("memory")
    real, sent = type(memory).put_file, []

    def noted(self: object, place: str, path: str, **named: object) -> None:
        sent.append(path)
        real(self, place, path, **named)

    monkeypatch.setattr(type(memory), "put_file", noted)
    auto("memory://in", out="memory://out")
    assert len([path for path in sent if "ledger" in path]) == 5  # after each of four, and at the end


@pytest.mark.parametrize(
    "arguments",
    [
        ["stylize", "sftp://me:secret@host/in", "--ref", "a.png", "-o", "out"],
        ["stylize", "a.png", "--ref", "a.png", "-o", "sftp://me:secret@host/out"],
        ["exemplar", "a.png", "--ref", "sftp://me:secret@host/ref.png", "-o", "out"],
        ["exemplar", "sftp://me:secret@host/in", "--ref", "a.png"],
        ["auto", "a.png", "-o", "out", "--weights", "sftp://me:secret@host/w.safetensors"],
        ["auto", "nosuch://me:secret@host/in", "-o", "out"],
        ["samples", "sftp://me:secret@host/out"],
    ],
    ids=" ".join,
)
def test_urls_where_paths_are_taken(
    arguments: list[str],
    tmp_path: Path,
    colorize: Auto,
    put_color: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Oracle: exit 2, a reason without the password, and no folder called like a URL."""
    monkeypatch.chdir(tmp_path)
    put_color(tmp_path / "a.png")
    before = set(tmp_path.rglob("*"))
    answer = colorize(*arguments)
    assert answer.code == 2 and answer.err.strip() and "secret" not in answer.out + answer.err, answer
    assert set(tmp_path.rglob("*")) == before
