"""The local engine: results do not depend on neighbours, every job gets one answer, nothing stops or hangs the rest."""

from __future__ import annotations

import errno
import itertools
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image
from torch import Tensor

from colorcli.errors import ColorizeError, PhotoError, WeightsError
from colorcli.items import Colored, Failure, Finished, Job
from colorcli.loader import LoadedMethod
from colorcli.media.places import comparison_path, held_path, part_path
from colorcli.media.results import Ready, ResultOptions
from colorcli.methods.registry import METHODS
from colorcli.run.engine import Engine
from colorcli.run.judge import Unchanged
from colorcli.run.ledger import Ledger
from colorcli.run.local import LocalRun, Outcome
from colorcli.run.rows import Rows
from colorcli.stages.encode import encode

Auto = Callable[..., "object"]
_CPU = torch.device("cpu")


@pytest.mark.parametrize("cores", [1, 2, 3, 8, 64])
def test_plan_gives_a_lane_the_same_cores_whatever_the_number_of_jobs(
    cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: torch's last bits depend on the threads of a call, and a result must not depend on its neighbours."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    plans = [Engine.plan(_CPU, jobs) for jobs in (1, 2, 3, 100)]
    assert len({plan.threads_per_lane for plan in plans}) == 1
    for plan, jobs in zip(plans, (1, 2, 3, 100), strict=True):
        assert 1 <= plan.lanes <= min(jobs, cores) and 1 <= plan.workers <= jobs
        assert plan.lanes * plan.threads_per_lane <= cores
        assert plan.batch == 1


def test_plan_keeps_what_was_asked_for() -> None:
    """Oracle: the arguments; a GPU gets one lane and batches."""
    assert Engine.plan(_CPU, 100, batch=7, workers=3).batch == 7
    assert Engine.plan(_CPU, 100, batch=7, workers=3).workers == 3
    gpu = Engine.plan(torch.device("cuda"), 100)
    assert (gpu.lanes, gpu.batch) == (1, 16)


# the whole stream, through the command line with the tiny network


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_alone_or_in_a_folder_the_same_bytes(photos: Path, tmp_path: Path, auto: Auto, files_in: Auto) -> None:
    """Oracle: the promise: same bytes with --batch 1, here for every photo of the folder, coloured alone."""
    assert auto(photos, "--batch", "1", out=tmp_path / "together").code == 0
    for photo in sorted(photos.iterdir()):
        assert auto(photo, "--batch", "1", out=tmp_path / "alone").code == 0
    together = files_in(tmp_path / "together")
    assert len(together) == 4 and together == files_in(tmp_path / "alone")


def test_threads_do_not_change_a_byte(photos: Path, tmp_path: Path, auto: Auto, files_in: Auto) -> None:
    """Oracle: the promise: the same bytes with one thread that decodes and encodes as with three."""
    assert auto(photos, "-j", "1", out=tmp_path / "one").code == 0
    assert auto(photos, "-j", "3", out=tmp_path / "three").code == 0
    assert files_in(tmp_path / "one") == files_in(tmp_path / "three")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_in_a_batch_the_same_to_one_step(precision: str, photos: Path, tmp_path: Path, auto: Auto) -> None:
    """Oracle: the promise: one 8-bit step, since a batch may be computed in another order."""
    assert auto(photos, "--batch", "4", "--precision", precision, out=tmp_path / "batched").code == 0
    for photo in sorted(photos.iterdir()):
        assert auto(photo, "--precision", precision, out=tmp_path / "alone").code == 0
        difference = _pixels(tmp_path / "batched" / photo.name) - _pixels(tmp_path / "alone" / photo.name)
        assert np.abs(difference).max() <= 1
    different = _pixels(tmp_path / "alone" / "astronaut.png") - _pixels(tmp_path / "alone" / "chelsea.png")
    assert np.abs(different).max() > 50  # photos that were mixed up would have shown


def test_rerun_does_nothing_and_a_changed_setting_redoes(photos: Path, tmp_path: Path, auto: Auto) -> None:
    """Oracle: inode and time of every result: untouched by the same run, replaced by another saturation."""
    out = tmp_path / "out"

    def facts() -> dict[str, tuple[int, int]]:
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.glob("*.png")}

    first = auto(photos, out=out)
    assert first.code == 0 and "4 coloured, 0 done before" in first.out
    made = facts()
    again = auto(photos, out=out)
    assert again.code == 0 and "0 coloured, 4 done before" in again.out
    assert facts() == made and len(made) == 4
    changed = auto(photos, "--saturation", "0.5", out=out)
    assert changed.code == 0 and "4 coloured, 0 done before" in changed.out
    assert not set(facts().values()) & set(made.values())


def test_other_weights_redo(photos: Path, tmp_path: Path, auto: Auto, other_weights: Path, files_in: Auto) -> None:
    """Oracle: the weights' sha256 is part of the settings; other weights give other pixels."""
    out = tmp_path / "out"
    assert auto(photos, out=out).code == 0
    before = files_in(out)
    changed = auto(photos, out=out, weights=other_weights)
    assert "4 coloured" in changed.out
    after = files_in(out)
    assert before.keys() == after.keys() and all(before[name] != after[name] for name in before)


def test_only_the_changed_photo_is_redone(
    photos: Path, tmp_path: Path, auto: Auto, put_photo: Callable[..., Path]
) -> None:
    """Oracle: content: one photo replaced by another picture, one touched only."""
    out = tmp_path / "out"
    assert auto(photos, out=out).code == 0
    put_photo(photos / "coffee.png", "astronaut", 96, 96)
    os.utime(photos / "rocket.png")
    again = auto(photos, out=out)
    assert "1 coloured, 3 done before, 0 failed" in again.out


def test_one_bad_file_does_not_stop_the_others(photos: Path, tmp_path: Path, auto: Auto) -> None:
    """Oracle: exit 3, the bad files named with reasons, every good one there."""
    whole = (photos / "astronaut.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photos / "text.jpg").write_bytes(b"no picture")
    (photos / "empty.png").touch()
    answer = auto(photos, out=tmp_path / "out")
    assert answer.code == 3
    assert "4 coloured, 0 done before, 3 failed" in answer.out
    for name in ("cut.png", "text.jpg", "empty.png"):
        assert any(name in line and "FAILED" in line for line in answer.err.splitlines())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *(f"{name}.png" for name in ("astronaut", "chelsea", "coffee", "rocket")),
        ".colorize",
    }
    again = auto(photos, out=tmp_path / "out")
    assert again.code == 3 and "0 coloured, 4 done before, 3 failed" in again.out


def test_fail_fast_stops(tmp_path: Path, auto: Auto, put_photo: Callable[..., Path]) -> None:
    """Oracle: the first file fails; of 30 at most what was already under way is finished, and each of those is told."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"no picture")
    for number in range(30):
        put_photo(tmp_path / "photos" / f"b{number:02}.png", "coffee", 64 + number, 64)
    answer = auto(tmp_path / "photos", "--fail-fast", "-j", "1", "--json", out=tmp_path / "out")
    *entries, summary = map(json.loads, answer.out.splitlines())
    assert answer.code == 3 and summary["summary"]["failed"] == 1
    made = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert {entry["file"] for entry in entries if entry["state"] == "done"} == made
    assert len(list((tmp_path / "out").glob("*.png"))) < 25
    assert not list((tmp_path / "out").glob(".*.part"))


def test_a_foreign_file_needs_overwrite(photos: Path, tmp_path: Path, auto: Auto) -> None:
    """Oracle: the bytes of a file that was there before; replaced only with --overwrite."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "coffee.png").write_bytes(b"hand-coloured")
    answer = auto(photos, out=out)
    assert answer.code == 3 and "3 coloured, 0 done before, 1 failed" in answer.out
    assert any("coffee.png" in line and "--overwrite" in line for line in answer.err.splitlines())
    assert (out / "coffee.png").read_bytes() == b"hand-coloured"
    answer = auto(photos, "--overwrite", out=out)
    assert answer.code == 0 and "1 coloured, 3 done before" in answer.out
    assert Image.open(out / "coffee.png").size == (96, 96)


def test_a_foreign_comparison_needs_overwrite(photos: Path, tmp_path: Path, auto: Auto) -> None:
    """Oracle: as of results: a file that was there keeps its bytes, and its photo fails by name; what the tool wrote
    itself is replaced without being asked."""
    out = tmp_path / "out"
    out.mkdir()
    foreign = out / "coffee.png.compare.jpg"
    foreign.write_bytes(b"a picture of mine")
    answer = auto(photos, "--compare", out=out)
    assert answer.code == 3 and "3 coloured, 0 done before, 1 failed" in answer.out
    assert any(str(foreign) in line and "--overwrite" in line for line in answer.err.splitlines())
    assert foreign.read_bytes() == b"a picture of mine" and not (out / "coffee.png").exists()
    assert auto(photos, "--compare", "--overwrite", out=out).code == 0
    first = foreign.read_bytes()
    assert Image.open(foreign).format == "JPEG"
    assert "0 coloured, 4 done before, 0 failed" in auto(photos, "--compare", out=out).out
    assert "4 coloured, 0 done before, 0 failed" in auto(photos, "--compare", "--saturation", "0.2", out=out).out
    assert foreign.read_bytes() != first


def test_too_large_photos_fail_by_name(photos: Path, tmp_path: Path, auto: Auto) -> None:
    """Oracle: 96x96 = 9216 pixels; the fourth photo has 96x72. At the limit itself a photo passes; 0 is no limit."""
    answer = auto(photos, "--max-pixels", "9215", out=tmp_path / "out")
    assert answer.code == 3 and "1 coloured, 0 done before, 3 failed" in answer.out
    assert "coffee.png: FAILED (decode): the photo has" in answer.err and "--max-pixels" in answer.err
    assert "3 coloured, 1 done before, 0 failed" in auto(photos, "--max-pixels", "9216", out=tmp_path / "out").out
    assert "4 coloured" in auto(photos, "--max-pixels", "0", out=tmp_path / "all").out
    assert auto(photos, "--max-pixels", "-1", out=tmp_path / "out").code == 2


def test_odd_file_names(tmp_path: Path, auto: Auto, put_photo: Callable[..., Path]) -> None:
    """Oracle: each result under the very bytes of its source's name; what is said stays printable, a line a file."""
    names = [b"line\nend.png", b"latin \xe9.png", "été [1].png".encode(), b"-q.png", b"esc\x1b[31m.png"]
    try:
        for name in names:
            put_photo(tmp_path / "photos" / os.fsdecode(name), "rocket", 40, 40)
    except OSError:
        pytest.skip("this file system refuses one of the names")
    answer = auto(tmp_path / "photos", out=tmp_path / "out")
    assert answer.code == 0, answer.err
    assert {os.fsencode(path.name) for path in (tmp_path / "out").glob("*.png")} == set(names)
    assert len(answer.err.splitlines()) == 1 + len(names) and "line\\nend.png" in answer.err
    assert "\x1b" not in answer.err and "\udce9" not in answer.err and "\\x1b[31m" in answer.err
    assert "0 coloured, 5 done before" in auto(tmp_path / "photos", out=tmp_path / "out").out


# the engine itself, with networks that misbehave


def _plain(lightness: Tensor) -> Tensor:
    return torch.full((len(lightness), 2, *lightness.shape[2:]), 30.0)


class _Setting:
    """Jobs and a ledger, to run the engine with any network."""

    def __init__(self, folder: Path, put_photo: Callable[..., Path], count: int) -> None:
        self.out = folder / "out"
        self.jobs = [
            Job(
                put_photo(folder / "in" / f"{number:02}.png", "coffee", 32, 32),
                self.out / f"{number:02}.png",
                f"{number:02}.png",
            )
            for number in range(count)
        ]
        self.said: list[str] = []

    def run(
        self,
        predict: Callable[[Tensor], Tensor] = _plain,
        exact: Callable[[], LoadedMethod] | None = None,
        batch: int = 1,
        verbosity: int = 0,
        compare: bool = False,
        max_pixels: int = 0,
        take: Callable[[LocalRun], list[Outcome]] = list,
    ) -> list[Outcome]:
        def loaded(function: Callable[[Tensor], Tensor]) -> LoadedMethod:
            return LoadedMethod(METHODS["smsanet"], function, _CPU, torch.float32, "0" * 64, 32, {})

        ledger = Ledger(self.out, "settings", compare=compare)
        try:
            run = LocalRun(
                self.jobs,
                loaded(predict),
                exact or (lambda: loaded(_plain)),
                ledger,
                ResultOptions(compare=compare),
                Engine(batch, 2, 2, 1),
                size=32,
                max_pixels=max_pixels,
                overwrite=False,
                say=self.said.append,
                verbosity=verbosity,
            )
            return take(run)
        finally:
            ledger.close()


@pytest.fixture
def setting(tmp_path: Path, put_photo: Callable[..., Path]) -> Callable[[int], _Setting]:
    return lambda count: _Setting(tmp_path, put_photo, count)


def _names(outcomes: list[Outcome], kind: type) -> list[str]:
    chosen = [outcome for outcome in outcomes if isinstance(outcome, kind)]
    return sorted(outcome.name if isinstance(outcome, Failure) else outcome.job.name for outcome in chosen)


def _stage_threads() -> list[str]:
    stages = ("feed", "decode", "batch", "infer", "encode")
    return [thread.name for thread in threading.enumerate() if thread.name.split("-")[0] in stages]


def test_an_unforeseen_error_is_one_photos_failure(setting: Callable[[int], _Setting]) -> None:
    """Oracle: every job has just one outcome; the third network call fails, the others are finished."""
    calls: list[int] = []

    def predict(lightness: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError("a defect")
        return _plain(lightness)

    run = setting(6)
    outcomes = run.run(predict)
    assert len(outcomes) == 6 and len(_names(outcomes, Finished)) == 5
    (failure,) = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert failure.stage == "infer" and "unexpected ZeroDivisionError: a defect" in failure.reason
    assert not any("Traceback" in said for said in run.said)
    assert _stage_threads() == []


def test_the_traceback_is_for_those_who_ask(setting: Callable[[int], _Setting]) -> None:
    """Oracle: product.md: no traceback unless -vv; Python's own first and last line, each said by itself."""

    def predict(_: Tensor) -> Tensor:
        raise ZeroDivisionError("a defect")

    run = setting(1)
    assert len(run.run(predict, verbosity=2)) == 1
    assert "Traceback (most recent call last):" in run.said and "ZeroDivisionError: a defect" in run.said


def test_a_batch_that_fails_half_way_answers_each_photo_once(setting: Callable[[int], _Setting]) -> None:
    """Oracle: one outcome per job, although the first half of the batch was through when the second broke."""

    def predict(lightness: Tensor) -> Tensor:
        if len(lightness) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError("a defect")
        return _plain(lightness)

    calls: list[int] = []
    outcomes = setting(4).run(predict, batch=4)
    assert len(outcomes) == 4
    assert len(_names(outcomes, Finished)) == 2 and len(_names(outcomes, Failure)) == 2
    assert len({*_names(outcomes, Finished), *_names(outcomes, Failure)}) == 4


def test_non_finite_half_precision_is_redone_with_the_exact_network_loaded_once(
    setting: Callable[[int], _Setting],
) -> None:
    """Oracle: colour (ab = 30, 30) in every result: R above B; the exact network is loaded once for all."""
    loads: list[int] = []

    def exact() -> LoadedMethod:
        loads.append(1)
        return LoadedMethod(METHODS["smsanet"], _plain, _CPU, torch.float32, "0" * 64, 32, {})

    run = setting(5)
    outcomes = run.run(torch.inference_mode()(lambda lightness: _plain(lightness) * torch.nan), exact=exact)
    assert len(_names(outcomes, Finished)) == 5 and loads == [1]
    for job in run.jobs:
        mean = np.asarray(Image.open(job.target)).reshape(-1, 3).mean(0)
        assert mean[0] > mean[2] + 10
    assert sum("redone in fp32" in said for said in run.said) == 5


def test_a_fatal_error_stops_the_run_and_is_raised(setting: Callable[[int], _Setting]) -> None:
    """Oracle: weights that cannot be loaded are nobody's photo's fault: the error itself, and no thread is left."""

    def exact() -> LoadedMethod:
        raise WeightsError("the weights are gone")

    with pytest.raises(WeightsError, match="gone"):
        setting(40).run(lambda lightness: _plain(lightness) * torch.nan, exact=exact)
    assert _stage_threads() == []


def test_photos_that_cannot_be_stacked_do_not_hang_the_run(
    setting: Callable[[int], _Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the error comes out, though the batch stage, between full channels, is the one that broke."""

    def broken(_: object) -> None:
        raise MemoryError("no room for a batch")

    monkeypatch.setattr("colorcli.stages.batch.make_batch", broken)
    with pytest.raises(MemoryError):
        setting(40).run()
    assert _stage_threads() == []


def test_leaving_the_loop_ends_every_stage(setting: Callable[[int], _Setting]) -> None:
    """Oracle: no thread left, no .part; what was finished is known as done, the rest is made by the next run."""

    def first(stream: LocalRun) -> list[Outcome]:
        for outcome in stream:
            return [outcome]
        return []

    run = setting(40)
    (outcome,) = run.run(take=first)
    assert isinstance(outcome, Finished)
    assert _stage_threads() == []
    made = {path.name for path in run.out.glob("*.png")}
    assert 1 <= len(made) < 40 and not list(run.out.glob(".*.part"))
    outcomes = run.run()
    assert set(_names(outcomes, Unchanged)) == made
    assert len(_names(outcomes, Finished)) == 40 - len(made)


def test_photos_in_hand_at_a_stop_are_told(setting: Callable[[int], _Setting], monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the files that are there: every one has its outcome, also the one whose writing ends after the stop."""
    second, stopped = threading.Event(), threading.Event()
    calls = itertools.count()
    late: list[str] = []

    def slow(colored: Colored, options: ResultOptions, ready: Ready) -> Finished | Failure:
        call = next(calls)
        if call == 0:
            assert second.wait(30)
        elif call == 1:
            late.append(colored.photo.job.name)
            second.set()
            assert stopped.wait(30)
        return encode(colored, options, ready)

    def stop_at_first(stream: LocalRun) -> list[Outcome]:
        outcomes = []
        for outcome in stream:
            outcomes.append(outcome)
            stream.stop()
            stopped.set()
        return outcomes

    monkeypatch.setattr("colorcli.run.local.encode", slow)
    run = setting(40)
    outcomes = run.run(take=stop_at_first)
    names = _names(outcomes, Finished)
    assert names == sorted(path.name for path in run.out.glob("*.png"))
    assert len(names) == len(outcomes) < 40 and set(late) < set(names)
    assert _stage_threads() == []


def test_leftovers_of_a_killed_run_are_cleaned(setting: Callable[[int], _Setting]) -> None:
    """Oracle: begun rows, .part and .held files, of the result and of its comparison, as kill -9 leaves them."""
    run = setting(2)
    ledger = Ledger(run.out, "settings", compare=True)
    for job in run.jobs:
        ledger.begin(job, ledger.look(job)[1])
        part_path(job.target).write_bytes(b"half a picture")
        part_path(comparison_path(job.target)).write_bytes(b"half a comparison")
        held_path(job.target).write_bytes(b"half of the lightness")
    run.jobs[1].target.write_bytes(b"renamed, but not noted")
    ledger.close()
    run.jobs = run.jobs[:1]  # the second photo is not among the next run's: its leftovers go all the same
    assert _names(run.run(), Finished) == ["00.png"]
    assert sorted(path.name for path in run.out.iterdir()) == [".colorize", "00.png", "01.png"]
    assert Image.open(run.jobs[0].target).size == (32, 32)


def test_a_failed_writing_leaves_a_place_that_is_not_ours(
    setting: Callable[[int], _Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: after the failure a person puts their own file there; the next run must not replace it."""
    run = setting(1)
    monkeypatch.setattr("colorcli.media.results.pyvips.Image.pngsave", _refused, raising=False)
    outcomes = run.run()
    assert _names(outcomes, Failure) == ["00.png"]
    monkeypatch.undo()
    run.jobs[0].target.write_bytes(b"theirs")
    (failure,) = run.run()
    assert isinstance(failure, Failure) and "--overwrite" in failure.reason
    assert run.jobs[0].target.read_bytes() == b"theirs"


def _refused(*_: object, **__: object) -> None:
    raise OSError(5, "Input/output error")


def _marks_left(run: LocalRun) -> list[Outcome]:
    outcomes = list(run)
    assert run._marks == {}
    return outcomes


def test_failed_photos_leave_no_mark(setting: Callable[[int], _Setting], monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the engine's own table is empty after failures of decoding, of the network in each of its ways, and of
    the writing: memory does not grow with the number of photos."""
    run = setting(8)
    run.jobs[0].source.write_bytes(b"no picture")
    calls = itertools.count()

    def predict(lightness: Tensor) -> Tensor:
        call = next(calls)
        if call == 0:
            raise ZeroDivisionError("a defect")
        if call == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return _plain(lightness)

    outcomes = run.run(predict, take=_marks_left)
    assert len(outcomes) == 8 and len(_names(outcomes, Failure)) == 3
    monkeypatch.setattr("colorcli.media.results.pyvips.Image.pngsave", _refused, raising=False)
    for photo in run.out.glob("*.png"):
        photo.unlink()
    assert len(_names(run.run(take=_marks_left), Failure)) == 8


@pytest.mark.parametrize("error", [ZeroDivisionError("a defect"), MemoryError("no room")])
def test_a_defect_while_writing_is_told_and_leaves_no_claim(
    error: Exception, setting: Callable[[int], _Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: one photo's Failure, no row that is begun, and a file that a person puts there is theirs."""

    def broken(*_: object) -> None:
        raise error

    run = setting(1)
    monkeypatch.setattr("colorcli.stages.encode.write_result", broken)
    (failure,) = run.run()
    assert isinstance(failure, Failure) and failure.stage == "encode" and str(error) in failure.reason
    monkeypatch.undo()
    run.jobs[0].target.write_bytes(b"theirs")
    (failure,) = run.run()
    assert isinstance(failure, Failure) and "--overwrite" in failure.reason


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("library", ["system", "libvips"])
def test_a_full_disk_ends_the_run(
    code: int, library: str, setting: Callable[[int], _Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: one error that is no photo's, with the system's words and what to do, after the outcomes of those that
    were written; nothing else lies there, and the rest is made by the next run."""
    calls = itertools.count()
    write = pyvips.Image.pngsave

    def save(image: pyvips.Image, *given: object, **options: object) -> None:
        if next(calls) >= 3:
            words = os.strerror(code)
            raise (
                OSError(code, words) if library == "system" else pyvips.Error("", f"write error\nsystem error: {words}")
            )
        write(image, *given, **options)

    told: list[Outcome] = []

    def take(stream: LocalRun) -> list[Outcome]:
        told.extend(stream)
        return told

    run = setting(40)
    monkeypatch.setattr(pyvips.Image, "pngsave", save, raising=False)
    with pytest.raises(ColorizeError, match=rf"{os.strerror(code)}.*make room") as caught:
        run.run(take=take)
    assert caught.value.exit_code == 1
    assert len(told) == 3 == len(_names(told, Finished))
    assert sorted(path.name for path in run.out.glob("*.png")) == _names(told, Finished)
    assert not list(run.out.glob(".*.part")) and _stage_threads() == []
    monkeypatch.undo()
    assert len(_names(run.run(), Finished)) == 37


def test_a_ledger_that_takes_no_notes_ends_the_run(
    setting: Callable[[int], _Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: sqlite's own limit of pages, as on a full disk: one error, as what it is; nothing is to be removed."""
    run = setting(40)

    def narrow(self: Rows, file: Path) -> None:
        made(self, file)
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        self._connection.execute(f"PRAGMA max_page_count={pages + 1}")

    made = Rows.__init__
    monkeypatch.setattr(Rows, "__init__", narrow)
    with pytest.raises(ColorizeError, match=r"ledger.*full.*free space") as caught:
        run.run()
    assert not isinstance(caught.value, PhotoError) and "remove" not in str(caught.value)
    assert _stage_threads() == []


def test_a_place_that_cannot_be_looked_at_is_no_fault_of_the_photo(setting: Callable[[int], _Setting]) -> None:
    """Oracle: the system refuses a name of 300 bytes: the failure speaks of the result."""
    run = setting(2)
    run.jobs[1] = replace(run.jobs[1], target=run.out / ("n" * 296 + ".png"))
    outcomes = run.run()
    assert _names(outcomes, Finished) == ["00.png"]
    (failure,) = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert failure.stage == "encode" and "the result cannot be written (File name too long)" in failure.reason


def test_a_source_that_vanishes_is_a_failure(setting: Callable[[int], _Setting]) -> None:
    """Oracle: the system's words, for that photo alone."""
    run = setting(3)
    run.jobs[1].source.unlink()
    outcomes = run.run()
    assert _names(outcomes, Finished) == ["00.png", "02.png"] and _names(outcomes, Failure) == ["01.png"]
    assert "No such file" in next(outcome for outcome in outcomes if isinstance(outcome, Failure)).reason


def test_a_target_below_a_file_is_a_failure_of_the_writing(setting: Callable[[int], _Setting]) -> None:
    """Oracle: the folder of a result is a file there: the failure speaks of the result, not of the source."""
    run = setting(2)
    run.out.mkdir()
    (run.out / "sub").touch()
    run.jobs[1] = replace(run.jobs[1], target=run.out / "sub" / "01.png")
    outcomes = run.run()
    assert _names(outcomes, Finished) == ["00.png"]
    (failure,) = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert failure.stage == "encode" and "cannot be written" in failure.reason
    assert (run.out / "sub").read_bytes() == b""
