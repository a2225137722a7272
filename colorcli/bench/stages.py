"""What stages cost alone, and the time that a run would take if nothing stood still."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from colorcli import __version__
from colorcli.devices import use_threads
from colorcli.errors import ColorizeError
from colorcli.items import Colored, Failure, Job, Photo
from colorcli.loader import LoadedMethod
from colorcli.media.libvips import set_vips_threads
from colorcli.media.metadata.describe import Provenance
from colorcli.media.results import ResultOptions
from colorcli.stages.batch import make_batch
from colorcli.stages.decode import decode
from colorcli.stages.encode import encode
from colorcli.stages.infer import infer
from colorcli.stages.refer import References

_MOST = 32  # photos that each stage is measured on
_WARM = 2  # photos that go through before
NETWORK = "network"


@dataclass(frozen=True, slots=True)
class StageCost:
    """One line of the table."""

    stage: str
    seconds: float  # CPU time of a photo or frame; of the network elsewhere than on a CPU the time that passes
    measured: int  # photos or frames


def ideal_seconds(stages: Sequence[StageCost], cores: int, *, on_cpu: bool) -> float:
    """The least time that a photo or frame takes: all stages' CPU time spread over all cores.

    Where the network has a device of its own, whichever is slower: the network, or all else on the cores.
    """
    network = sum(one.seconds for one in stages if one.stage == NETWORK)
    others = sum(one.seconds for one in stages) - network
    return (others + network) / cores if on_cpu else max(network, others / cores)


def photo_costs(loaded: LoadedMethod, jobs: Sequence[Job]) -> list[StageCost]:
    """Decoding, network and encoding of photos, each stage over all photos before the next, on one thread.

    The reference, which a run sees once, is not counted. Results are written where the jobs say. Errors: ColorizeError
    where a photo fails.
    """
    use_threads(1)
    set_vips_threads(1)
    references = None
    if loaded.embed is not None and loaded.content is not None:
        references = References(loaded.embed, loaded.content, multiple=loaded.spec.multiple)
    try:
        _through(loaded, list(islice(jobs, _WARM)), references)
        return _through(loaded, list(islice(jobs, _MOST)), references)
    finally:
        if references is not None:
            references.stop()


def _through(loaded: LoadedMethod, jobs: Sequence[Job], references: References | None) -> list[StageCost]:
    options = ResultOptions(provenance=Provenance(f"colorize {__version__}", loaded.spec.name, loaded.sha256))
    on_cpu = loaded.device.type == "cpu"
    begun = time.process_time()
    photos = [_seen(loaded, job, references) for job in jobs]
    seen, asked = time.process_time(), time.perf_counter()
    coloured = [_one(infer(make_batch([photo]), loaded.predict, loaded.predict, _unheard)) for photo in photos]
    predicted, answered = time.process_time(), time.perf_counter()
    for one in coloured:
        if isinstance(done := encode(one, options), Failure):
            raise ColorizeError(f"{done.name}: {done.reason}")
    ended = time.process_time()
    network = predicted - seen if on_cpu else answered - asked
    spent = {"decode": seen - begun, NETWORK: network, "encode": ended - predicted}
    return [StageCost(stage, seconds / max(1, len(jobs)), len(jobs)) for stage, seconds in spent.items()]


def _seen(loaded: LoadedMethod, job: Job, references: References | None) -> Photo:
    spec = loaded.spec
    photo = decode(job, loaded.size, spec.multiple, 0, colors=spec.sees_color)
    if references is not None and isinstance(photo, Photo):
        photo = references.refer(photo)
    if isinstance(photo, Failure):
        raise ColorizeError(f"{photo.name}: {photo.reason}")
    return photo


def _one(answers: Iterator[Colored | Failure]) -> Colored:
    answer = next(answers)
    if isinstance(answer, Failure):
        raise ColorizeError(f"{answer.name}: {answer.reason}")
    return answer


def _unheard(line: str) -> None:
    del line
