"""A request with its device and weights found, and the settings that the ledger knows its results by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from colorcli import __version__
from colorcli.devices import Processor, choose_processor
from colorcli.items import Segments
from colorcli.loader import LoadedMethod, blended, load_method
from colorcli.media.metadata.describe import Provenance
from colorcli.media.results import ResultOptions
from colorcli.methods.registry import METHODS
from colorcli.run.engine import Engine
from colorcli.run.ledger import Ledgers
from colorcli.run.local import Jobs, LocalRun, Say
from colorcli.run.marks import settings_key
from colorcli.run.request import Request, chosen
from colorcli.stages.refer import References

_AUTOMATIC = "smsanet"  # the method that a reference's colour is blended with


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


def prepare(request: Request, say: Say, processor: Processor | None = None) -> Prepared:
    """processor: what the networks run on; None: as the request says. For one elsewhere the method is loaded here in
    fp32 on the CPU, to be known. Errors: UsageError, WeightsError.
    """
    spec, choices = chosen(request)
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


def local_run(
    jobs: Jobs,
    prepared: Prepared,
    request: Request,
    engine: Engine,
    ledgers: Ledgers | None,
    references: References | None,
    say: Say,
) -> LocalRun:
    """The local engine's run of these jobs. ledgers, references: as of `LocalRun`."""
    return LocalRun(
        jobs,
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
        references=references,
    )


def _try_showing(method: LoadedMethod) -> None:
    """UsageError where it cannot show what its spec promises: weights may have been trained without attention, say."""
    lightness = torch.full((1, 1, method.spec.multiple, method.spec.multiple), 50.0)
    given = () if method.embed is None else (method.embed(torch.full((1, 3, 8, 8), 0.5)),)
    if method.show is not None:
        method.show(lightness, *given)


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
