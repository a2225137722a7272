"""A worker of a cluster run, in this process: what the local engine makes of its errands, without a ledger."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from colorcli.errors import UsageError, WeightsError
from colorcli.items import Failure, Finished, Job, Reference
from colorcli.media.places import LEDGER, sha256_of
from colorcli.run.errand import Answer, Order, absolute_job
from colorcli.run.marks import written_at
from colorcli.run.prepared import prepare
from colorcli.run.request import Request
from colorcli.run.worker import Worker


@pytest.fixture
def order(tiny_weights: Path, photos: Path) -> Order:
    request = Request("smsanet", (tiny_weights,), "cpu", "fp32", compare=True)
    return Order(request, prepare(request, lambda _: None).settings, (photos / "coffee.png",), None, 1)


def _jobs(photos: Path, out: Path) -> list[Job]:
    sources = sorted(photos.iterdir())
    return [absolute_job(Job(path, out / path.name, path.name), str(place)) for place, path in enumerate(sources)]


def test_an_errand(
    order: Order, photos: Path, tmp_path: Path, auto: Callable[..., object], files_in: Callable[..., object]
) -> None:
    """Oracle: the local engine's bytes, for errands of one photo and of all; of each file its size, time and sha256; no
    ledger; what goes between processes is pickled."""
    auto(photos, "--compare", "--precision", "fp32", out=tmp_path / "local")
    worker = Worker(pickle.loads(pickle.dumps(order)))
    ready = worker.prepare()
    assert ready.error is None
    (photos / "bad.png").write_bytes(b"no picture")
    jobs = _jobs(photos, tmp_path / "out")
    answers = [worker.colour(jobs[:1]), worker.colour(jobs[1:])]
    answers = pickle.loads(pickle.dumps(answers))
    made = {
        outcome.name if isinstance(outcome, Failure) else outcome.job.name: (outcome, written)
        for answer in answers
        for outcome, written in answer.outcomes
    }
    assert sorted(made) == [str(place) for place in range(5)]
    bad, _ = made["1"]
    assert isinstance(bad, Failure) and bad.stage == "decode"
    for place in (0, 2, 3, 4):
        outcome, written = made[str(place)]
        assert isinstance(outcome, Finished) and outcome.job == jobs[place]
        target = jobs[place].target
        assert written == (written_at(target), written_at(target.with_name(f"{target.name}.compare.jpg")))
    assert files_in(tmp_path / "out") == files_in(tmp_path / "local")
    assert not (tmp_path / "out" / LEDGER).exists()


def test_errands_side_by_side(
    order: Order, photos: Path, tmp_path: Path, auto: Callable[..., object], files_in: Callable[..., object]
) -> None:
    """Oracle: the local engine's bytes: a GPU's worker does several errands at once, in its threads."""
    auto(photos, "--compare", "--precision", "fp32", out=tmp_path / "local")
    worker = Worker(order)
    assert worker.prepare().error is None
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda job: worker.colour([job]), _jobs(photos, tmp_path / "out")))
    assert [len(answer.outcomes) for answer in answers] == [1, 1, 1, 1]
    assert files_in(tmp_path / "out") == files_in(tmp_path / "local")


def test_references_outlive_an_errand(
    exemplar_weights: Path, photos: Path, tmp_path: Path, put_color: Callable[..., Path]
) -> None:
    """Oracle: --pair-by best over errands of which the first fails before it looks at a reference: the second's photo
    has one. A gray one is left out by name, once."""
    paths = [put_color(tmp_path / "colour.png"), photos / "chelsea.png"]
    choices = tuple(Reference(path, path.name, sha256_of(path)) for path in paths)
    request = Request("color2embed", (exemplar_weights,), "cpu", "fp32", strength=1.0, choices=choices)
    worker = Worker(Order(request, prepare(request, lambda _: None).settings, (), None, 1))
    assert worker.prepare().error is None
    (photos / "bad.png").write_bytes(b"no picture")
    answers: list[Answer] = [worker.colour([job]) for job in _jobs(photos, tmp_path / "out")[1::-1]]
    assert isinstance(answers[0].outcomes[0][0], Failure)
    ((finished, _),) = answers[1].outcomes
    assert isinstance(finished, Finished) and finished.job.reference == choices[0]
    assert [line for answer in answers for line in answer.said] == [
        "left out: reference chelsea.png is gray; expected a photo in colour, choose another one"
    ]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"visible": (Path("/nowhere/a.jpg"),)}, UsageError, "does not see /nowhere/a.jpg"),
        ({"settings": "another version's"}, UsageError, "another version of colorize, or other weights"),
        ({"request": Request("smsanet", (Path("/nowhere.safetensors"),), "cpu")}, WeightsError, "nowhere"),
    ],
)
def test_a_node_that_cannot_take_part(
    order: Order, change: dict[str, object], error: type[Exception], message: str
) -> None:
    """Oracle: the error's class, which carries the exit code, through pickling; its words."""
    ready = pickle.loads(pickle.dumps(Worker(replace(order, **change)).prepare()))  # type: ignore[arg-type]
    assert isinstance(ready.error, error) and message in str(ready.error)
