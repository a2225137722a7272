"""What a person asked for: the options of a command, what can be told to be wrong with them, and the jobs they mean."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.devices import choose_processor
from colorcli.errors import PhotoError, UsageError
from colorcli.items import Dot, FilmOptions, Job, Reference
from colorcli.loader import choices_of
from colorcli.media.films.kinds import is_film
from colorcli.media.formats import MAX_PIXELS
from colorcli.media.places import attention_path, stages_path
from colorcli.methods.registry import METHODS, PARTS
from colorcli.methods.spec import MethodSpec
from colorcli.run.local import Say
from colorcli.stages.refer import read_reference

if TYPE_CHECKING:
    from colorcli.media.remote.places import Remote

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
    in_place: bool = False  # each result takes its photo's own place
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


def check(request: Request) -> None:
    """UsageError for what can be told to be wrong without the files and the weights."""
    spec, _ = chosen(request)
    _refuse_in_place(request)
    if request.engine not in _ENGINES:
        raise UsageError(f"--engine must be {' or '.join(_ENGINES)}, not {request.engine!r}")
    if request.engine == "ray":
        from colorcli.run.cluster import check_device  # which says so where Ray is not installed

        check_device(request.device, request.precision)
        return
    if request.address is not None:
        raise UsageError("--address is that of a Ray cluster; add --engine ray, or leave it out")
    choose_processor(request.device, request.precision, spec.half)


def _refuse_in_place(request: Request) -> None:
    """UsageError for what has no room in a photo's own place."""
    for asked, option in (
        (request.explains, "--save-attention, --save-matches and --save-stages mirror an output folder"),
        (request.samples > 1, "--samples makes several results of a photo"),
        (request.engine != "local", f"--engine {request.engine} writes results from other processes"),
    ):
        if request.in_place and asked:
            raise UsageError(f"{option}; leave it out, or choose -o OUT in place of --in-place")


def check_references(references: Sequence[Reference], max_pixels: int) -> None:
    """Read each; UsageError for one that cannot be read, or is gray."""
    for reference in references:
        try:
            read_reference(reference, max_pixels)
        except PhotoError as error:
            raise UsageError(str(error).removeprefix("its ")) from error


def chosen(request: Request) -> tuple[MethodSpec, dict[str, str]]:
    """The method, and what is chosen of it. UsageError for what it does not take, naming those that do."""
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
