"""The crew of Ray actors, over a stand-in for Ray whose actors do what a test says; a real one is in test_cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from colorcli.devices import Processor
from colorcli.errors import ColorizeError, UsageError, WeightsError
from colorcli.items import Job
from colorcli.run.errand import Answer, Ready

pytestmark = pytest.mark.ray
_ANSWER = Answer((), (), None)
_JOB = Job(Path("/a.jpg"), Path("/out/a.jpg"), "0")


class _DiedError(Exception):
    """As Ray tells of an actor."""


class _Ray:
    """Ray's calls as `cluster` uses them. prepares: what the actors' `prepare` gives, in the order of their hiring."""

    exceptions = SimpleNamespace(RayError=_DiedError)

    def __init__(self, prepares: list[object], nodes: list[dict[str, float]] | None = None) -> None:
        self.prepares, self.killed, self.hired = prepares, 0, 0
        self.options_given: list[dict[str, Any]] = []
        self.results: dict[str, object] = {}
        self._nodes = [{"Alive": True, "Resources": node} for node in nodes or []]

    def nodes(self) -> list[dict[str, Any]]:
        return [*self._nodes, {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}]

    def remote(self, _: object) -> Any:
        return SimpleNamespace(options=self._options)

    def _options(self, **options: Any) -> Any:
        self.options_given.append(options)
        return SimpleNamespace(remote=self._actor)

    def _actor(self, *_: object) -> Any:
        number, self.hired = self.hired, self.hired + 1
        return SimpleNamespace(prepare=self._call(f"prepare {number}"), colour=self._call(f"colour {number}"))

    def _call(self, name: str) -> Any:
        def remote(*_: object) -> str:
            promise = f"{name}.{len(self.results)}"
            self.results[promise] = self.prepares.pop(0) if name.startswith("prepare") else _ANSWER
            return promise

        return SimpleNamespace(remote=remote)

    def wait(self, promises: list[str], timeout: float) -> tuple[list[str], list[str]]:
        assert timeout > 0
        return promises[:1], promises[1:]

    def get(self, promise: str) -> object:
        result = self.results[promise]
        if isinstance(result, Exception):
            raise result
        return result

    def kill(self, _: object) -> None:
        self.killed += 1


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """crew(prepares, said): a crew of two over that stand-in."""
    pytest.importorskip("ray", reason="the cluster extra is not installed")
    from colorcli.run import cluster

    def make(ray: _Ray, said: list[str]) -> Any:
        monkeypatch.setattr(cluster, "ray", ray)
        processor = Processor(torch.device("cpu"), torch.float32, "2 x cpu", here=False)
        return cluster.Crew(None, cluster.Plan(processor, 2, 1), said.append, 1)  # type: ignore[arg-type]

    return make


def _ready(node: str = "a", error: ColorizeError | None = None) -> Ready:
    return Ready(node, 7, error)


def test_a_worker_waits_with_one_errand_at_most(crew: Callable[..., Any]) -> None:
    """Oracle: the docstrings: nobody is hired before he is needed; one errand and one that waits for each worker; what
    is to be done alone goes to one that has none, and nothing to him meanwhile."""
    ray, said = _Ray([_ready(), _ready("b")]), list[str]()
    group = crew(ray, said)
    assert ray.hired == 0 and not group.takes(alone=False)
    assert group.answers() == [] and group.answers() == [] and ray.hired == 2
    assert said == ["a worker is ready on a, process 7", "a worker is ready on b, process 7"]
    for errand in range(4):
        assert group.takes(alone=False)
        group.give(errand, [_JOB], alone=False)
    assert not group.takes(alone=False) and not group.takes(alone=True)
    while group.takes(alone=True) is False:
        assert len(group.answers()) == 1
    group.give(4, [_JOB], alone=True)
    assert group.takes(alone=False) and not group.takes(alone=True)  # the other worker, which still has one
    group.give(5, [_JOB], alone=False)
    assert not group.takes(alone=False)
    group.close()
    assert ray.killed == ray.hired == 2


def test_workers_that_die_at_the_start(crew: Callable[..., Any]) -> None:
    """Oracle: the third death in a row costs a place; the last place costs the run, with Ray's reason."""
    ray, said = _Ray([_DiedError("out of memory\ntrace")] * 9), list[str]()
    group = crew(ray, said)
    group.takes(alone=False)
    with pytest.raises(ColorizeError, match=r"a worker cannot be started: out of memory$"):
        for _ in range(9):
            assert group.answers() == []
    assert said == ["a worker cannot be started: out of memory; going on with 1 of 2 workers"]
    assert ray.killed == ray.hired == 4


def test_nodes_that_cannot_take_part(crew: Callable[..., Any]) -> None:
    """Oracle: one is gone without, and named; of the last its own error ends the run, with its class and exit code."""
    ray = _Ray([_ready("a", UsageError("it does not see /data")), _ready("b", WeightsError("they are damaged"))])
    said: list[str] = []
    group = crew(ray, said)
    group.takes(alone=False)
    assert group.answers() == []
    assert said == ["node a cannot take part: it does not see /data; going on with 1 of 2 workers"]
    with pytest.raises(WeightsError, match="node b cannot take part: they are damaged"):
        group.answers()


def test_a_worker_that_dies_is_replaced(crew: Callable[..., Any]) -> None:
    """Oracle: both of its errands are lost, nobody else's; a third worker is hired."""
    ray, said = _Ray([_ready(), _ready(), _ready("c")]), list[str]()
    group = crew(ray, said)
    group.takes(alone=False)
    assert group.answers() == group.answers() == []
    for errand in range(4):
        group.give(errand, [_JOB], alone=False)
    ((done, answer),) = group.answers()
    assert answer == _ANSWER
    for promise in ray.results:
        if promise.startswith("colour 1"):
            ray.results[promise] = _DiedError("killed")
    answers = [one for _ in range(3) for one in group.answers()]
    assert sorted(number for number, answer in answers if answer is None) == [1, 3]
    assert [number for number, answer in answers if answer is not None] == [2] and done == 0
    assert ray.hired == 3 and ray.killed == 1 and "a worker was lost, its photos are done by another: killed" in said
    assert group.takes(alone=True)


@pytest.mark.parametrize(
    ("device", "nodes", "expected"),
    [
        ("auto", [{"CPU": 4.0}, {"CPU": 2.0}], ("cpu", 6, 1)),
        ("auto", [{"CPU": 16.0, "GPU": 2.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 64.0}], ("cuda", 3, 4)),
        ("cpu", [{"CPU": 16.0, "GPU": 2.0}], ("cpu", 16, 1)),
        ("cuda", [{"CPU": 1.0, "GPU": 4.0}], ("cuda", 4, 1)),
    ],
)
def test_plans(
    device: str, nodes: list[dict[str, float]], expected: tuple[str, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: by hand: a worker for each GPU, with its share of the cores, else one for each core; dead nodes count for
    nothing, and there are no more workers than photos."""
    pytest.importorskip("ray", reason="the cluster extra is not installed")
    from colorcli.run import cluster

    monkeypatch.setattr(cluster, "ray", _Ray([], nodes))
    plan = cluster.Plan.of(device, "fp32", False, most=100)
    assert (plan.processor.device.type, plan.workers, plan.cores) == expected and not plan.processor.here
    assert cluster.Plan.of(device, "fp32", False, most=2).workers == 2
    with pytest.raises(UsageError, match="no core"):
        monkeypatch.setattr(cluster, "ray", _Ray([]))
        cluster.Plan.of("auto", "fp32", False, most=1)
