"""From what a person asked for to a run that can be iterated: device, weights, settings, ledger, engine."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from colorcli import __version__
from colorcli.devices import Processor, choose_processor
from colorcli.errors import PhotoError, UsageError
from colorcli.items import Dot, Failure, FilmOptions, Job, Reference, Segments
from colorcli.loader import LoadedMethod, blended, choices_of, load_method
from colorcli.media.films.kinds import is_film
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.metadata.describe import Provenance
from colorcli.media.places import BESIDE_LEDGER, attention_path, stages_path
from colorcli.media.results import ResultOptions
from colorcli.methods.registry import METHODS, PARTS
from colorcli.methods.spec import MethodSpec
from colorcli.run.beside import FolderLedgers
from colorcli.run.engine import Engine
from colorcli.run.judge import Unchanged
from colorcli.run.ledger import Ledger, Ledgers, copied_ledger, settings_key
from colorcli.run.local import LocalRun, Say
from colorcli.run.preview import Planned, preview
from colorcli.stages.refer import References, read_reference

if TYPE_CHECKING:
    from colorcli.media.remote.places import Remote
    from colorcli.run.mixed import MixedRun
    from colorcli.run.spread import SpreadRun

_MANY = 10_000  # frames of a film, for the plan of an engine
_AUTOMATIC = "smsanet"  # the method that a reference's colour is blended with
_ENGINES = ("local", "ray")


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for, besides the files; the defaults are the commands'."""

    method: str
    weights: tuple[Path, ...] = ()  # (): the shipped ones
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1", "mps"
    precision: str = "auto"  # "auto", "fp32", "bf16", "fp16"
    size: int = 0  # side of the network's input, pixels; 0: as the weights were trained
    batch: int = 0  # 0: automatic
    workers: int = 0  # 0: automatic
    quality: int | None = None  # 1..100
    saturation: float = 1.0  # 0..10
    compare: bool = False
    provenance: bool = True
    hints: tuple[Dot, ...] = ()  # for every photo
    attention: Path | None = None  # folder for maps of where the network looked; None: no maps
    matches: Path | None = None  # folder for pictures of matches with the references; None: no pictures
    stages: Path | None = None  # folder for pictures of the steps to the colour; None: no pictures
    samples: int = 1  # results of a photo and a reference; the jobs say which each is
    stylizes: bool = False  # `method` is a part that changes photos in colour
    segments: tuple[Path, Path] | None = None  # maps of regions, of the photo and its reference: its job has them
    transform: str | None = None  # of the methods that have this choice; None: their default
    max_pixels: int = MAX_PIXELS  # larger photos fail; 0: no limit
    overwrite: bool = False
    seed: int = 0
    verbosity: int = 0  # -1 quiet .. 2 tracebacks
    strength: float | None = None  # 0..1, how much of a reference's colour; None: of a method that takes no reference
    choices: tuple[Reference, ...] = ()  # of these each photo gets the nearest; (): its job names its reference
    films: FilmOptions = field(default_factory=FilmOptions)  # how films are made
    engine: str = "local"  # "local", "ray"
    address: str | None = None  # of a Ray cluster; None: the one of the environment, else one on this machine alone
    remote: Remote | None = None  # which folders lie elsewhere; None: none does

    @property
    def spec(self) -> MethodSpec:
        """The method's. UsageError where there is none of that name."""
        return (PARTS if self.stylizes else METHODS)[self.method]

    @property
    def explains(self) -> bool:
        """Whether pictures of the method's way are written as well."""
        return any(folder is not None for folder in (self.attention, self.matches, self.stages))

    @property
    def blends(self) -> bool:
        """Whether an automatic method has its part in the colour."""
        return self.strength is not None and self.strength < 1


@dataclass(frozen=True, slots=True)
class Making:
    """What the results of a run are made with, for a person."""

    method: str  # its title
    weights: str  # sha256; of several, with commas between
    size: int  # side of the network's input, pixels
    device: str
    precision: str  # as torch calls it


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request with its device and weights found."""

    method: LoadedMethod
    making: Making
    exact: Callable[[], LoadedMethod]  # loads the same in fp32
    options: ResultOptions
    size: int
    settings: str  # the ledger's key


def check(request: Request) -> None:
    """UsageError for what can be told to be wrong without the files and the weights."""
    spec, _ = _chosen(request)
    if request.engine not in _ENGINES:
        raise UsageError(f"--engine must be {' or '.join(_ENGINES)}, not {request.engine!r}")
    if request.engine == "ray":
        from colorcli.run.cluster import check_device  # which says so where Ray is not installed

        check_device(request.device, request.precision)
        return
    if request.address is not None:
        raise UsageError("--address is that of a Ray cluster; add --engine ray, or leave it out")
    choose_processor(request.device, request.precision, spec.half)


def check_references(references: Sequence[Reference], max_pixels: int) -> None:
    """Read each; UsageError for one that cannot be read, or is gray."""
    for reference in references:
        try:
            read_reference(reference, max_pixels)
        except PhotoError as error:
            raise UsageError(str(error).removeprefix("its ")) from error


def _chosen(request: Request) -> tuple[MethodSpec, dict[str, str]]:
    spec = request.spec
    able = ", ".join(other.name for other in METHODS if other.needs_reference is not spec.needs_reference)
    if spec.needs_reference and request.strength is None:
        raise UsageError(
            f"{spec.name} needs a reference photo: `colorize exemplar TARGET --ref REF` takes one; or choose -m {able}"
        )
    if not spec.needs_reference and request.strength is not None:
        raise UsageError(f"{spec.name} takes no reference photo: `colorize auto` runs it; or choose -m {able}")
    _refuse_unable(spec, request)
    return spec, choices_of(spec, {"transform": request.transform})


def prepare(request: Request, say: Say, processor: Processor | None = None) -> Prepared:
    """processor: what the networks run on; None: as the request says. For one elsewhere the method is loaded here in
    fp32 on the CPU, to be known. Errors: UsageError, WeightsError.
    """
    spec, choices = _chosen(request)
    processor = processor or choose_processor(request.device, request.precision, spec.half)
    device = processor.device if processor.here else torch.device("cpu")
    torch.manual_seed(request.seed)

    def load(precision: torch.dtype) -> LoadedMethod:
        own = load_method(spec.name, weights=request.weights, device=device, dtype=precision, choices=choices)
        if request.strength is None or not request.blends:
            return own
        return blended(own, load_method(_AUTOMATIC, weights=(), device=device, dtype=precision), request.strength)

    method = load(processor.dtype if processor.here else torch.float32)
    if request.explains:
        _try_showing(method)
    size = request.size or method.size
    precision = str(processor.dtype).removeprefix("torch.")
    title = f"{spec.title} blended with {METHODS[_AUTOMATIC].title}" if request.blends else spec.title
    making = Making(title, method.sha256, size, processor.name, precision)
    say(f"{title} at {size} px on {making.device}, {precision}")
    names = f"{spec.name}, {_AUTOMATIC}" if request.blends else spec.name
    options = ResultOptions(
        saturation=request.saturation,
        quality=request.quality,
        provenance=Provenance(f"colorize {__version__}", names, method.sha256) if request.provenance else None,
        compare=request.compare,
    )
    decides: dict[str, Any] = {  # everything besides the photo that decides the result
        "version": __version__,
        "method": spec.name,
        "weights": method.sha256,
        "size": size,
        "precision": precision,
        "device": processor.device.type,
        "saturation": options.saturation,
        "quality": options.quality,
        "compare": options.compare,
        "provenance": request.provenance,
    }
    if choices:
        decides["chosen"] = choices
    if request.strength is not None:
        decides["strength"] = request.strength
        decides["choices"] = sorted({reference.sha256 for reference in request.choices})
    return Prepared(method, making, lambda: load(torch.float32), options, size, settings_key(decides))


def _try_showing(method: LoadedMethod) -> None:
    """UsageError where it cannot show what its spec promises: weights may have been trained without attention, say."""
    lightness = torch.full((1, 1, method.spec.multiple, method.spec.multiple), 50.0)
    given = () if method.embed is None else (method.embed(torch.full((1, 3, 8, 8), 0.5)),)
    if method.show is not None:
        method.show(lightness, *given)


def _refuse_unable(spec: MethodSpec, request: Request) -> None:
    """UsageError for what the method cannot do, naming those that can."""
    for asked, ability, lack, option in (
        (request.hints, "takes_hints", "takes no hints", "--hint"),
        (request.attention is not None, "attention", "has no attention map", "--save-attention"),
        (request.matches is not None, "matches", "has no matches", "--save-matches"),
        (request.stages is not None, "stages", "has no stages to show", "--save-stages"),
        (request.segments is not None, "takes_segments", "takes no segment maps", "--segments"),
        (request.samples > 1, "draws", "has one result only", "--samples"),
    ):
        if asked and not getattr(spec, ability):
            like = [other for other in METHODS if other.needs_reference is spec.needs_reference]  # of the same command
            able = ", ".join(other.name for other in like if getattr(other, ability))
            raise UsageError(f"{spec.name} {lack}; choose -m {able}, or leave out {option}")


def asked_for(jobs: Sequence[Job], out: Path | None, request: Request, say: Say) -> Sequence[Job]:
    """The jobs with what the request says of all photos; sidecars that the method would not see are told, once.

    Errors: UsageError for films on a cluster.
    """
    spec = request.spec
    films = {place for place, job in enumerate(jobs) if is_film(job.source, job.target)}
    if films:
        if request.engine != "local":
            named = jobs[min(films)].name + (f" and {len(films) - 1} more" if len(films) > 1 else "")
            raise UsageError(f"--engine {request.engine} takes no films: {named}; colour these without it")
        jobs = _with_films(jobs, films, request, say)
    takes_hints = spec.takes_hints
    unseen = 0 if takes_hints else sum(job.sidecar is not None for job in jobs)
    if unseen:
        say(f"{request.method} takes no hints: {unseen} .hints.png file(s) left out")
    elif not (request.hints or request.explains or spec.draws):
        return jobs  # as they are: there may be a million
    return [
        replace(job, seed=request.seed + job.sample if spec.draws else None)
        if job.film is not None
        else replace(
            job,
            sidecar=job.sidecar if takes_hints else None,
            dots=request.hints,
            attention=_mirrored(job, out, request.attention, attention_path),
            matches=_mirrored(job, out, request.matches),
            stages=_mirrored(job, out, request.stages, stages_path),
            seed=request.seed + job.sample if spec.draws else None,
        )
        for job in jobs
    ]


def _with_films(jobs: Sequence[Job], films: Container[int], request: Request, say: Say) -> list[Job]:
    """The jobs, those of films, by their places, told apart."""
    if request.hints or request.explains:
        say("hints and pictures of a method's way are for photos: films are coloured without")
    return [replace(job, film=request.films, sidecar=None) if place in films else job for place, job in enumerate(jobs)]


def _mirrored(job: Job, out: Path | None, folder: Path | None, named: Callable[[Path], Path] = Path) -> Path | None:
    """The place in `folder` that the job's result has in `out`, as `named` calls it; None without one of them."""
    return None if folder is None or out is None else named(folder / job.target.relative_to(out))


@contextmanager
def _ledgers(
    open_: Callable[..., AbstractContextManager[Ledger]],
    jobs: Sequence[Job],
    out: Path | None,
    settings: str,
    compare: bool,
) -> Iterator[Ledgers]:
    """The output folder's ledger, or those of the folders that the results lie in beside their photos."""
    if out is not None:
        with open_(out, settings, compare=compare) as ledger:
            yield ledger
        return

    def beside(folder: Path) -> AbstractContextManager[Ledger]:
        return open_(folder, settings, compare=compare, file=folder / BESIDE_LEDGER)

    with closing(FolderLedgers(jobs, beside)) as ledgers:
        yield ledgers


def _held_ledger(
    out: Path, settings: str, *, compare: bool, file: Path | None = None
) -> AbstractContextManager[Ledger]:
    return closing(Ledger(out, settings, compare=compare, file=file))


def held_ledgers(
    jobs: Sequence[Job], out: Path | None, settings: str, compare: bool
) -> AbstractContextManager[Ledgers]:
    """The ledgers of these jobs, held from other runs. Errors: ColorizeError if `out` cannot be used."""
    return _ledgers(_held_ledger, jobs, out, settings, compare)


@contextmanager
def open_run(
    jobs: Sequence[Job],
    out: Path | None,
    request: Request,
    say: Say,
    made_with: Callable[[Making], None] = lambda _: None,
) -> Iterator[LocalRun | MixedRun | SpreadRun]:
    """The run for these jobs, holding the output folder's ledger until it is left. out: None, as of `discover`.

    made_with: told before the run what its results will be made with. Errors: UsageError, WeightsError before anything
    is written; ColorizeError if `out` cannot be used.
    """
    if request.engine == "ray":
        from colorcli.run.cluster_session import open_spread

        with open_spread(jobs, out, request, say, made_with) as spread:
            yield spread
        return
    if request.remote is not None and out is not None:
        from colorcli.run.far_session import open_far

        with open_far(jobs, request.remote, out, request, say, made_with) as far:
            yield far
        return
    prepared = prepare(request, say)
    made_with(prepared.making)
    jobs = asked_for(jobs, out, request, say)
    films = [job for job in jobs if job.film is not None]
    photos = [job for job in jobs if job.film is None] if films else jobs
    with held_ledgers(jobs, out, prepared.settings, request.compare) as ledgers:
        engine = Engine.plan(prepared.method.device, len(photos), batch=request.batch, workers=request.workers)
        run = LocalRun(
            photos,
            prepared.method,
            prepared.exact,
            ledgers,
            prepared.options,
            engine,
            size=prepared.size,
            max_pixels=request.max_pixels,
            overwrite=request.overwrite,
            say=say,
            verbosity=request.verbosity,
            references=references_of(prepared.method, request, segments_of(jobs), say),
        )
        with closing(run):  # before the ledger that its threads write to
            yield _with_films_run(run, films, request, prepared, ledgers, say) if films else run


def _with_films_run(
    photos: LocalRun, films: Sequence[Job], request: Request, prepared: Prepared, ledgers: Ledgers, say: Say
) -> MixedRun:
    from colorcli.color.steady import Steady  # here, and what loads PyAV: a run over photos alone starts without
    from colorcli.run.film import Means
    from colorcli.run.films import FilmsRun
    from colorcli.run.mixed import MixedRun

    exact = cache(prepared.exact)
    engine = Engine.plan(prepared.method.device, _MANY, batch=request.batch, workers=request.workers)
    means = Means(
        prepared.method,
        lambda *given: exact().predict(*given),
        prepared.options,
        engine,
        prepared.size,
        references_of(prepared.method, request, None, say),  # the photos' run stops its own
        say,
    )
    run = FilmsRun(films, means, ledgers, overwrite=request.overwrite, verbosity=request.verbosity, steadying=Steady)
    return MixedRun(photos, run)


def segments_of(jobs: Sequence[Job]) -> Segments | None:
    """All jobs have the same: they are of one photo."""
    return jobs[0].segments if jobs else None


def references_of(
    method: LoadedMethod,
    request: Request,
    segments: Segments | None,
    say: Say,
    made: Callable[..., References] = References,
) -> References | None:
    """Of a method that needs them; None of any other."""
    if method.embed is None or method.content is None:
        return None
    return made(
        method.embed,
        method.content,
        multiple=method.spec.multiple,
        max_pixels=request.max_pixels,
        choices=request.choices,
        segments=segments,
        say=say,
    )


def rehearse(
    jobs: Sequence[Job], out: Path | None, request: Request, say: Say
) -> Generator[Planned | Unchanged | Failure, None, None]:
    """What `open_run` would do with these jobs, nothing without any; `out` is only read. Errors: as of `open_run`."""
    if not jobs:
        return
    jobs = asked_for(jobs, out, request, say)
    processor = None
    if request.engine == "ray":
        from colorcli.run.cluster_session import foreseen_processor

        processor = foreseen_processor(jobs, request)
    prepared = prepare(request, say, processor)
    if request.remote is not None and out is not None:
        from colorcli.run.far_session import rehearse_far

        yield from rehearse_far(jobs, request.remote, out, prepared.settings, request)
        return
    with _ledgers(copied_ledger, jobs, out, prepared.settings, request.compare) as ledgers:
        yield from preview(jobs, ledgers, max_pixels=request.max_pixels, overwrite=request.overwrite)
