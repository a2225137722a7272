"""From what a person asked for to a run on a cluster that can be iterated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from colorcli.devices import Processor
from colorcli.items import Job
from colorcli.media.places import LEDGER
from colorcli.run.cluster import Crew, Plan, connected
from colorcli.run.engine import Engine
from colorcli.run.errand import Order, absolute_request, absolute_segments
from colorcli.run.ledger import Ledgers
from colorcli.run.local import Say
from colorcli.run.prepared import Making, prepare
from colorcli.run.request import Request, asked_for
from colorcli.run.session import held_ledgers, segments_of
from colorcli.run.spread import SpreadRun


@contextmanager
def open_spread(
    jobs: Sequence[Job], out: Path | None, request: Request, say: Say, made_with: Callable[[Making], None]
) -> Iterator[SpreadRun]:
    """As of `open_run`, connected with the cluster until it is left. There is at least one job."""
    jobs = asked_for(jobs, out, request, say)
    with connected(request.address):
        plan = _plan(jobs, request)
        prepared = prepare(request, say, plan.processor)
        made_with(prepared.making)
        with _ledgers(jobs, out, request, prepared.settings, say) as ledgers:
            order = _order(jobs, out, request, prepared.settings, plan)
            run = SpreadRun(
                jobs,
                Crew(order, plan, say, request.verbosity),
                ledgers,
                prepared.options,
                errand=Engine.share(plan.processor.device, plan.cores, batch=request.batch).batch,
                overwrite=request.overwrite,
                say=say,
                verbosity=request.verbosity,
            )
            with closing(run):  # before the ledger that it writes to
                yield run


def _ledgers(
    jobs: Sequence[Job], out: Path | None, request: Request, settings: str, say: Say
) -> AbstractContextManager[Ledgers]:
    if request.remote is None or out is None:
        return held_ledgers(jobs, out, settings, request.compare, say)
    from colorcli.run.far_session import far_ledger

    return far_ledger(request.remote, out, settings, request, say)


def foreseen_processor(jobs: Sequence[Job], request: Request) -> Processor:
    """What a run of these jobs would have. Errors: UsageError where there is no cluster."""
    with connected(request.address):
        return _plan(jobs, request).processor


def _plan(jobs: Sequence[Job], request: Request) -> Plan:
    most = min(request.workers or len(jobs), len(jobs))
    plan = Plan.of(request.device, request.precision, request.spec.half, most=most)
    return replace(plan, waits=request.remote is not None)


def _order(jobs: Sequence[Job], out: Path | None, request: Request, settings: str, plan: Plan) -> Order:
    processor = plan.processor
    named = replace(
        absolute_request(request), engine="local", device=processor.device.type, precision=processor.precision
    )
    remote = request.remote
    if remote is not None:
        named = replace(named, remote=replace(remote, facts={}))  # a driver's affair, and not small
    seen = [*request.weights]
    if remote is None or remote.source is None:
        seen.append(jobs[0].source.parent)
    if out is not None and (remote is None or remote.out is None):
        seen.append(out / LEDGER)
    visible = tuple(Path(os.path.abspath(path)) for path in seen if os.path.lexists(path))  # noqa: PTH100 - links stay
    return Order(named, settings, visible, absolute_segments(segments_of(jobs)), plan.cores)
