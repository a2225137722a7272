"""The driver of a run on a cluster, with workers in this process that die, fail and stop as a test wants it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from colorcli.errors import ColorizeError, UsageError
from colorcli.items import Failure, Finished, Job
from colorcli.media.places import held_path, part_path
from colorcli.media.results import ResultOptions
from colorcli.run.errand import Answer
from colorcli.run.ledger import Ledger
from colorcli.run.local import Outcome
from colorcli.run.marks import Standing, Written, written_at
from colorcli.run.request import Request, asked_for
from colorcli.run.spread import SpreadRun

_PACKAGE = Path(__file__).parents[2] / "colorcli"


class _Pool:
    """Two workers that write a photo's own name; those of `deadly` photos die, leaving parts."""

    def __init__(self, deadly: Sequence[str] = (), fatal: Sequence[str] = (), bad: Sequence[str] = ()) -> None:
        self.deadly, self.fatal, self.bad = deadly, fatal, bad
        self.given: list[tuple[list[str], bool, int]] = []  # sources, alone, errands in flight meanwhile
        self.flying: list[tuple[int, Sequence[Job]]] = []
        self.closed = 0

    def takes(self, *, alone: bool) -> bool:
        return not self.flying if alone else len(self.flying) < 2

    def give(self, errand: int, jobs: Sequence[Job], *, alone: bool) -> None:
        self.given.append(([job.source.name for job in jobs], alone, len(self.flying)))
        self.flying.append((errand, jobs))

    def answers(self) -> list[tuple[int, Answer | None]]:
        errand, jobs = self.flying.pop(0)
        names = {job.source.name for job in jobs}
        for job in jobs:
            job.target.parent.mkdir(exist_ok=True)
            part_path(job.target).write_bytes(b"half")
        if names & set(self.deadly):
            return [(errand, None)]
        outcomes = [self._made(job) for job in jobs if job.source.name not in self.fatal]
        fatal = ColorizeError("the disk is full") if names & set(self.fatal) else None
        return [(errand, Answer(tuple(outcomes), ("left out: a reference",), fatal))]

    def _made(self, job: Job) -> tuple[Finished | Failure, tuple[Written, ...]]:
        if job.source.name in self.bad:
            part_path(job.target).unlink()
            return job.failed("decode", "it is torn"), ()
        job.target.write_text(job.source.name)
        part_path(job.target).unlink()
        return Finished(job, ("a note",)), (written_at(job.target),)

    def stop(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


class _Setting:
    """Ten jobs, named by paths below the folder in which the test works."""

    def __init__(self) -> None:
        Path("in").mkdir()
        self.names = [f"{number}.png" for number in range(10)]
        for name in self.names:
            Path("in", name).write_text(f"photo {name}")
        self.jobs = [Job(Path("in", name), Path("out", name), f"my {name}") for name in self.names]
        self.said: list[str] = []

    def run(self, pool: _Pool, errand: int = 1, take: Callable[[SpreadRun], list[Outcome]] = list) -> list[Outcome]:
        ledger = Ledger(Path("out"), "settings")
        try:
            how = {"errand": errand, "overwrite": False, "say": self.said.append}
            return take(SpreadRun(self.jobs, pool, ledger, ResultOptions(), **how))  # type: ignore[arg-type]
        finally:
            ledger.close()

    def standings(self) -> set[Standing]:
        ledger = Ledger(Path("out"), "settings")
        try:
            return {ledger.look(job).standing for job in self.jobs}
        finally:
            ledger.close()


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Setting:
    monkeypatch.chdir(tmp_path)
    return _Setting()


def _failures(outcomes: Sequence[Outcome]) -> list[Failure]:
    return [outcome for outcome in outcomes if isinstance(outcome, Failure)]


@pytest.mark.parametrize("errand", [1, 4])
def test_every_job_has_its_outcome_and_is_noted(setting: _Setting, errand: int) -> None:
    """Oracle: the jobs as they were given, relative paths and all; the ledger of a second run; its workers rest."""
    outcomes = setting.run(_Pool(), errand)
    assert sorted(outcome.job.target for outcome in outcomes) == [job.target for job in setting.jobs]  # type: ignore[union-attr]
    assert {outcome.job for outcome in outcomes} == set(setting.jobs)  # type: ignore[union-attr]
    assert setting.standings() == {Standing.DONE}
    assert setting.said == ["left out: a reference"]  # though each errand's answer has it
    idle = _Pool()
    assert len(setting.run(idle)) == 10 and idle.given == [] and idle.closed


def test_a_bad_photo_is_one_failure(setting: _Setting) -> None:
    """Oracle: its own name and reason; what was noted of it is taken back."""
    outcomes = setting.run(_Pool(bad=["3.png"]), errand=4)
    assert _failures(outcomes) == [Failure("my 3.png", "decode", "it is torn")]
    assert len(outcomes) == 10 and setting.standings() == {Standing.DONE, Standing.NEW}


@pytest.mark.parametrize("errand", [1, 4])
def test_a_photo_over_which_workers_die(setting: _Setting, errand: int) -> None:
    """Oracle: the docstring's rule: three deaths, then a Failure; the second and third time nothing is beside it; who
    was in its errand, and nobody else, is done again. Nothing half-written stays."""
    pool = _Pool(deadly=["5.png"])
    outcomes = setting.run(pool, errand)
    (failure,) = _failures(outcomes)
    assert failure.name == "my 5.png" and "3 worker processes died" in failure.reason
    assert len(outcomes) == 10
    tries = [given for given in pool.given if "5.png" in given[0]]
    assert [alone for _, alone, _ in tries] == [False, True, True]
    assert all(names == ["5.png"] and others == 0 for names, alone, others in pool.given if alone and "5.png" in names)
    assert sum(len(names) for names, _, _ in pool.given) == 10 + 2 + (errand - 1)
    assert not list(Path("out").glob(".*.part")) and not list(Path("out").glob(".*.held*"))
    ledger = Ledger(Path("out"), "settings")
    assert ledger.leftovers() == [Path("out", "5.png")]  # as of a killed run: its result could be there
    ledger.close()


def test_a_worker_that_dies_after_the_result_is_there(setting: _Setting) -> None:
    """Oracle: the photo is done again, and not told to be in nobody's way."""

    class Late(_Pool):
        def answers(self) -> list[tuple[int, Answer | None]]:
            ((errand, answer),) = super().answers()
            return [(errand, None if errand == 2 else answer)]

    outcomes = setting.run(Late())
    assert not _failures(outcomes) and len(outcomes) == 10
    assert setting.standings() == {Standing.DONE}


def test_what_no_run_can_go_on_with_ends_it(setting: _Setting) -> None:
    """Oracle: the worker's error, raised here, after the outcomes of what was in hand; no further photo is begun."""
    pool = _Pool(fatal=["2.png"])
    outcomes: list[Outcome] = []

    def take(run: SpreadRun) -> list[Outcome]:
        for outcome in run:
            outcomes.append(outcome)
        return outcomes

    with pytest.raises(ColorizeError, match="disk is full"):
        setting.run(pool, take=take)
    assert 2 <= len(outcomes) <= 4 and len(pool.given) <= 4 and pool.closed
    assert len(setting.run(_Pool())) == 10


def test_stopping_finishes_what_is_in_hand(setting: _Setting) -> None:
    """Oracle: every photo that a worker was given has its outcome, or is noted as done; the rest is not begun."""

    def until_first(run: SpreadRun) -> list[Outcome]:
        outcomes = []
        for outcome in run:
            outcomes.append(outcome)
            run.stop()
        return outcomes

    pool = _Pool()
    assert len(setting.run(pool, take=until_first)) == len(pool.given) == 2


def test_leaving_early_finishes_what_is_in_hand(setting: _Setting) -> None:
    """Oracle: as by Ctrl-C: what a worker was given is there, and noted as done though nobody was told."""
    pool = _Pool()
    assert len(setting.run(pool, take=lambda run: [next(iter(run))])) == 1
    assert pool.closed and len(pool.given) == 2
    assert len(list(Path("out").glob("*.png"))) == 2 and setting.standings() == {Standing.DONE, Standing.NEW}


def test_work_in_flight_is_bounded(setting: _Setting) -> None:
    """Oracle: what the pool takes; a look at the ledger some photos ahead begins none."""
    pool = _Pool()
    seen: list[int] = []

    def watched(run: SpreadRun) -> list[Outcome]:
        return [seen.append(len(pool.given) - len(seen)) or outcome for outcome in run]  # type: ignore[func-returns-value]

    setting.run(pool, take=watched)
    assert max(seen) <= 2


def test_leftovers_of_a_killed_run_are_cleaned(setting: _Setting) -> None:
    """Oracle: parts of a photo that a killed run had begun, and of no other."""
    ledger = Ledger(Path("out"), "settings")
    ledger.begin(setting.jobs[0], ledger.look(setting.jobs[0]).mark)
    ledger.close()
    for path in (part_path(setting.jobs[0].target), held_path(setting.jobs[0].target), Path("out", ".other.part")):
        path.write_bytes(b"half")
    assert len(setting.run(_Pool())) == 10
    assert [path.name for path in Path("out").glob(".*.*") if path.is_file()] == [".other.part"]


def test_films_are_refused_by_name(tmp_path: Path) -> None:
    """Oracle: the film's name, how many more there are, and what to do; photos are none."""
    jobs = [Job(tmp_path / name, tmp_path / "out" / name, name) for name in ("a.jpg", "b.mp4", "c.mkv")]
    request = Request("smsanet", engine="ray")
    assert asked_for(jobs[:1], tmp_path / "out", request, lambda _: None) == jobs[:1]
    with pytest.raises(UsageError, match=r"takes no films: b.mp4 and 1 more"):
        asked_for(jobs, tmp_path / "out", request, lambda _: None)


# what the rest of the package sees of Ray


def test_one_file_imports_ray() -> None:
    """Oracle: the syntax trees of all modules."""
    importing = []
    for path in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            importing += [path.name for name in names if name.split(".")[0] == "ray"]
    assert importing == ["cluster.py"]


def test_without_ray_the_extra_is_named(
    photos: Path, tmp_path: Path, auto: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: a machine without Ray, as Python tells it: exit 2, the command that installs it, nothing written."""
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "colorcli.run.cluster", raising=False)
    answer = auto(photos, "--engine", "ray", out=tmp_path / "out")
    assert answer.code == 2 and "pip install 'colorize[cluster]'" in answer.err  # type: ignore[attr-defined]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--engine", "slurm"), "--engine must be local or ray, not 'slurm'"),
        (("--address", "10.0.0.1:6379"), "add --engine ray"),
    ],
)
def test_engines_are_named(
    photos: Path, tmp_path: Path, auto: Callable[..., object], options: tuple[str, ...], message: str
) -> None:
    """Oracle: exit 2 and what there is."""
    answer = auto(photos, *options, out=tmp_path / "out")
    assert answer.code == 2 and message in answer.err and not (tmp_path / "out").exists()  # type: ignore[attr-defined]
