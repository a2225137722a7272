"""Ray: workers on the nodes of a cluster, each an actor with a network of its own, that do errands.

Plain actors and not Ray Data's: there the ledger could not be written before a worker begins a photo, a photo whose
worker dies would be tried without end, and an interrupted run would lose what its workers have in hand.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import torch

from colorcli.devices import PRECISIONS, Processor, choose_precision
from colorcli.errors import ColorizeError, UsageError
from colorcli.items import Job
from colorcli.run.errand import Answer, Order, Ready
from colorcli.run.local import Say
from colorcli.run.worker import Worker

try:
    import ray
except ImportError as error:
    raise UsageError(
        f"--engine ray needs Ray, which cannot be loaded ({error}): pip install 'colorize[cluster]', or leave it out"
    ) from error

_STORE = 80 * 2**20  # bytes, Ray's least: what goes between processes here are names, not pixels
_SIDE_BY_SIDE = 3  # errands at once of a worker with a GPU or remote folders: one is read, one coloured, one written
_PATIENCE = 30.0  # s without any worker until a person is told
_REACHED = 5.0  # s that a cluster has to accept a connection; Ray itself would try for ten minutes
_DEATHS = 3  # of workers before they were ready, one after the other, that end the run


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """With a Ray cluster: at the address, else at RAY_ADDRESS, else one of this machine alone, which ends with it.

    Errors: UsageError where there is none; ColorizeError where it cannot be started here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere without being asked
    place = address or os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _STORE} if place == "local" else {}
    _reach(place)
    try:
        ray.init(place, log_to_driver=False, logging_level=logging.CRITICAL, **own)
    except Exception as error:  # of many kinds, by what Ray tried
        if place == "local":
            raise ColorizeError(f"Ray cannot be started on this machine: {error}; leave out --engine") from error
        raise UsageError(f"no Ray cluster at {place}: {error}; was `ray start` called on this machine?") from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(place: str) -> None:
    """UsageError where nobody listens at a HOST:PORT; other places are Ray's to find."""
    if ":" not in place:
        return
    try:
        url = urlsplit(place if "://" in place else f"//{place}")
        socket.create_connection((url.hostname, url.port), _REACHED).close()
    except (OSError, ValueError, TypeError) as error:  # the last two: no port, or no number
        raise UsageError(
            f"no Ray cluster at {place}: {error}; expected HOST:PORT, as `ray start --head` told"
        ) from error


def check_device(device: str, precision: str) -> None:
    """UsageError for what no worker on a cluster can have."""
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--engine ray gives each worker a device: auto, cpu or cuda, not {device!r}")
    if precision not in ("auto", *PRECISIONS):
        choose_precision(precision, torch.device("cpu"), False)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is spread over the cluster."""

    processor: Processor  # each worker's
    workers: int
    cores: int  # of each worker
    waits: bool = False  # a worker waits for remote folders much of its time

    @staticmethod
    def of(device: str, precision: str, half: bool, *, most: int) -> Plan:
        """For the cluster that is connected: a worker for each GPU, on a cluster without GPUs for each core.

        most: workers. Errors: UsageError where the cluster has no such device.
        """
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = sum(int(node.get("GPU", 0)) for node in nodes)
        cores = sum(int(node.get("CPU", 0)) for node in nodes)
        if device == "cuda" and not gpus:
            raise UsageError(f"the Ray cluster has no GPU ({len(nodes)} nodes, {cores} cores); leave out -d cuda")
        if not cores:
            raise UsageError("the Ray cluster has no core to work on; start nodes with `ray start --address`")
        kind, room, each = "cpu", cores, 1
        if gpus and device != "cpu":
            kind, room = "cuda", gpus
            each = max(1, min(int(node.get("CPU", 1) // node["GPU"]) for node in nodes if node.get("GPU")))
        workers = max(1, min(room, most))
        name = f"{workers} x {kind} (Ray, {len(nodes)} node{'s' if len(nodes) > 1 else ''})"
        return Plan(Processor(torch.device(kind), _precision(precision, kind, half), name, here=False), workers, each)


def _precision(precision: str, kind: str, half: bool) -> torch.dtype:
    """A GPU is asked for its own; CPUs of the nodes are taken to be as this machine's."""
    device = torch.device(kind)
    if kind == "cpu" or precision != "auto":
        return choose_precision(precision, device, half)
    asked: torch.dtype = ray.get(ray.remote(choose_precision).options(num_gpus=1).remote(precision, device, half))
    return asked


@dataclass(slots=True, eq=False)
class _Hand:
    """A worker as its driver sees it."""

    actor: Any
    ready: bool = False
    flying: list[Any] = field(default_factory=list)  # the promised answers
    alone: bool = False  # what it does is to be done with nothing beside it


class Crew:
    """The workers of one run. They are hired when the first errand comes; for one that dies another is hired."""

    def __init__(self, order: Order, plan: Plan, say: Say, verbosity: int) -> None:
        self._order, self._plan, self._say, self._verbosity = order, plan, say, verbosity
        on_gpu = plan.processor.device.type == "cuda"
        self._at_once = _SIDE_BY_SIDE if on_gpu or plan.waits else 1
        self._hands: list[_Hand] = []
        self._starting: dict[Any, _Hand] = {}
        self._flying: dict[Any, tuple[_Hand, int]] = {}
        self._deaths = 0
        self._told = False  # that no worker is ready

    def takes(self, *, alone: bool) -> bool:
        """Whether some worker can be given an errand now."""
        return self._free(alone) is not None

    def _free(self, alone: bool) -> _Hand | None:
        if not self._hands:
            for _ in range(self._plan.workers):
                self._hire()
        most = 1 if alone else self._at_once + 1  # one waits at the worker, which then need not
        free = [hand for hand in self._hands if hand.ready and not hand.alone and len(hand.flying) < most]
        return min(free, key=lambda hand: len(hand.flying), default=None)

    def give(self, errand: int, jobs: Sequence[Job], *, alone: bool) -> None:
        """Give these jobs to the worker that has the least to do, where `takes` says so. errand: its number."""
        hand = self._free(alone)
        if hand is None:
            raise ValueError("no worker takes an errand now")
        promise = hand.actor.colour.remote(jobs)
        hand.flying.append(promise)
        hand.alone = alone
        self._flying[promise] = hand, errand

    def answers(self) -> list[tuple[int, Answer | None]]:
        """Wait until an errand is done or lost, or a worker is ready. None: it is lost, the worker died.

        Errors: ColorizeError where workers cannot be had.
        """
        promises = [*self._starting, *self._flying]
        done, _ = ray.wait(promises, timeout=_PATIENCE)
        if not done and not self._flying and not self._told:
            self._told = True
            self._say("waiting for the cluster: no worker is ready yet, are all of its cores taken?")
        answers: list[tuple[int, Answer | None]] = []
        for promise in done:
            if promise in self._starting:
                self._welcome(promise)
            elif promise in self._flying:
                answers += self._answered(promise)
        return answers

    def stop(self) -> None:
        """Nothing: each worker has little in hand."""

    def close(self) -> None:
        """Let all workers go."""
        for hand in self._hands:
            ray.kill(hand.actor)
        self._hands.clear()
        self._starting.clear()
        self._flying.clear()

    def _hire(self) -> None:
        on_gpu = self._plan.processor.device.type == "cuda"
        actor = (
            ray.remote(Worker)
            .options(
                num_cpus=self._plan.cores,
                num_gpus=int(on_gpu),
                max_concurrency=self._at_once,
                max_restarts=0,  # another is hired here, where it is known which photos it had
                max_task_retries=0,
                scheduling_strategy="SPREAD",
            )
            .remote(self._order)
        )
        hand = _Hand(actor)
        self._hands.append(hand)
        self._starting[actor.prepare.remote()] = hand

    def _welcome(self, promise: Any) -> None:
        hand = self._starting.pop(promise)
        try:
            ready: Ready = ray.get(promise)
        except ray.exceptions.RayError as error:
            self._deaths += 1
            if self._deaths < _DEATHS:
                self._replace(hand)
            else:
                self._go_without(hand, ColorizeError(f"a worker cannot be started: {_first_line(error)}"))
            return
        if ready.error is not None:
            self._go_without(hand, type(ready.error)(f"node {ready.node} cannot take part: {ready.error}"))
            return
        self._deaths, hand.ready = 0, True
        if self._verbosity >= 1:
            self._say(f"a worker is ready on {ready.node}, process {ready.process}")

    def _answered(self, promise: Any) -> list[tuple[int, Answer | None]]:
        hand, errand = self._flying[promise]
        try:
            answer: Answer = ray.get(promise)
        except ray.exceptions.RayError as error:
            lost = [number for one, (whose, number) in self._flying.items() if whose is hand]
            self._say(f"a worker was lost, its photos are done by another: {_first_line(error)}")
            self._replace(hand)
            return [(number, None) for number in lost]
        del self._flying[promise]
        hand.flying.remove(promise)
        hand.alone = False
        return [(errand, answer)]

    def _go_without(self, hand: _Hand, why: ColorizeError) -> None:
        """One worker less; `why` is raised where it was the last."""
        self._dismiss(hand)
        if not self._hands:
            raise why
        self._say(f"{why}; going on with {len(self._hands)} of {self._plan.workers} workers")

    def _replace(self, hand: _Hand) -> None:
        self._dismiss(hand)
        self._hire()

    def _dismiss(self, hand: _Hand) -> None:
        """Make sure that a worker is gone, whether or not it died."""
        ray.kill(hand.actor)
        self._hands.remove(hand)
        for promise in hand.flying:
            del self._flying[promise]


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
