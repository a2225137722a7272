"""From what a person asked for to a finished training run."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from colorcli.checkpoints.load import read_checkpoint
from colorcli.checkpoints.store import shipped_folder
from colorcli.errors import ColorizeError, UsageError, WeightsError
from colorcli.media.samples import PHOTOGRAPHS, photograph
from colorcli.methods.objective import Objective
from colorcli.methods.registry import COMPANIONS, METHODS, PARTS, short_names
from colorcli.methods.spec import MethodSpec
from colorcli.train import distributed
from colorcli.train.companions import load_companions
from colorcli.train.config import TrainConfig, build_config, read_recipe
from colorcli.train.curve import draw
from colorcli.train.data import Photos, read_photos
from colorcli.train.export import export_network
from colorcli.train.log import LOG, read_log
from colorcli.train.loop import Report, Run
from colorcli.train.pixels import Pixels, room_for
from colorcli.train.start import build
from colorcli.train.validation import PROTOCOL_SIDE

_CLASSICAL = "classical"  # the saliency detector of every recipe that names none
_DEMONSTRATION = {
    "variant": "compact",
    "minutes": 2.0,
    "stages": "96:1:4",
    "warmup": 20,
    "validate_minutes": 1.0,
    "validation_size": 96,
}


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What a person asked for."""

    method: str
    data: tuple[str, ...]  # folders, shards and URLs; empty: the demonstration photographs
    out: Path  # the run's folder
    recipe: str | None  # a file, or the name of a recipe shipped under training/METHOD/
    init: Path | None  # weights to start from
    resume: bool
    device: str
    overrides: Mapping[str, Any]  # settings from the command line


def run_training(request: TrainRequest, report: Report) -> Path:
    """Train from start, from weights or from a checkpoint; export. Returns the weights file.

    Under torchrun every process calls this, and the first one reports and writes.
    Errors: UsageError for a request that cannot be carried out, before anything is read or written where that can be
    told so early; ColorizeError where the run cannot go on.
    """
    spec = find_spec(request.method)
    objective: type[Objective] = spec.load("objective")  # type: ignore[assignment]
    config = _configure(request, objective)
    needs = objective.needs(config.objective)
    if config.backbone != "none" and "backbone" not in needs:
        raise UsageError(f"no loss of {spec.name} uses a backbone with these settings: leave --backbone out")
    if config.saliency != _CLASSICAL and "saliency" not in needs:
        raise UsageError(f"no loss of {spec.name} uses a saliency detector with these settings: leave saliency out")
    if config.similarity != "none" and "similarity" not in needs:
        raise UsageError(f"{spec.name} starts from no similarity net with these settings: leave similarity out")
    with distributed.join(request.device) as team:
        told = report if team.leads else _say_nothing
        companions = load_companions(needs, config, team.device)
        with torch.device("meta"):  # to refuse what cannot be before the pictures are read; no weight is drawn
            build(spec, config, team.size)
        init = _read_init(request.init) if request.init else {}
        _prepare_folder(request)
        team.wait()
        photos = _read(request, config, objective.data, team.device, told)
        if not team.same(photos.identity()):
            raise ColorizeError("the processes have read different pictures: is the data whole on every machine?")
        run = Run(spec, config, photos, request.out, team, told, companions)
        del photos  # where the run has copies on a GPU, they are the only ones
        if request.resume:
            run.resume()
        run.log({"event": "data", **_numbers(run.photos)})
        if notes := run.objective.notes():
            run.log({"event": "losses", **notes})
        if init and not request.resume:
            run.start_from(init, Path(str(request.init)).name)
        run.train()
        path = _finish(run) if team.leads else request.out
        team.wait()
        return path


def find_spec(name: str) -> MethodSpec:
    """The method, companion network or part of a method of that name, or UsageError with the names there are.

    A method of several parts is no network: UsageError with its parts.
    """
    registries = (METHODS, COMPANIONS, PARTS)
    for registry in registries:
        if name in registry:
            spec = registry[name]
            if spec.parts:
                parts = " or --part ".join(short_names(spec))
                raise UsageError(f"{name} has several networks, each trained alone: say --part {parts}")
            return spec
    there = ", ".join(spec.name for registry in registries for spec in registry if not spec.parts)
    raise UsageError(f"nothing to train is called {name!r}; there are: {there}")


def _numbers(photos: Photos) -> dict[str, int]:
    in_file = {"bytes in a file": photos.in_file} if photos.in_file else {}
    return {
        "train": len(photos.train),
        "held out": len(photos.validation),
        "gray, left out": photos.gray,
        "damaged, left out": len(photos.damaged),
        **in_file,
    }


def _configure(request: TrainRequest, objective: type[Objective]) -> TrainConfig:
    need = {"labelled": "pictures with a label", "masked": "pictures with a mask (NAME.mask.png)"}.get(objective.data)
    if not request.data and need:
        raise UsageError(f"{request.method} needs DATA: {need}")
    layers: list[Mapping[str, Any]] = [read_recipe(_find_recipe(request.method, request.recipe or "default"))]
    if not request.data and not request.recipe:
        layers.append(_DEMONSTRATION)
    config = build_config(request.method, *layers, request.overrides)
    smallest = min(stage.size for stage in config.stages)
    if smallest < objective.smallest:
        raise UsageError(
            f"{request.method} cannot learn from pictures of {smallest} px: every stage needs at least "
            f"{objective.smallest} px"
        )
    return config


def _prepare_folder(request: TrainRequest) -> None:
    if request.resume:
        if not (request.out / "state.pt").exists():
            raise ColorizeError(f"nothing to resume: {request.out / 'state.pt'} does not exist")
        return
    if (request.out / "state.pt").exists():
        raise UsageError(f"{request.out} holds a run already: --resume goes on with it, -o OTHER starts another")
    try:
        request.out.mkdir(parents=True, exist_ok=True)
        (request.out / LOG).unlink(missing_ok=True)  # of a run that ended before its first checkpoint
    except OSError as error:
        raise ColorizeError(
            f"the run's folder {request.out} cannot be used: {error.strerror}; choose another -o"
        ) from error


def _read(request: TrainRequest, config: TrainConfig, kind: str, device: torch.device, report: Report) -> Photos:
    side = max(stage.size for stage in config.stages)
    pixels = Pixels(room_for(config.hold), request.out)
    with tempfile.TemporaryDirectory() as scratch:
        sources: tuple[str, ...] = request.data
        if not sources:
            sources = (str(_demonstration_photos(Path(scratch))),)
            report(_note("no DATA was given: a short demonstration on photographs of scikit-image's wheel"))
        report(_note("reading the photos"))
        photos = read_photos(
            sources,
            side,
            kind,
            workers=os.cpu_count() or 1,
            pixels=pixels,
            device=device,
            smallest=config.smallest_crop,
            validated_at=max(PROTOCOL_SIDE, config.used_at),
        )
    if photos.in_file:
        where = f"a file without a name in {request.out}, which goes with the run"
        report(_note(f"{photos.in_file / 2**30:.1f} GiB of decoded photos lie in {where}"))
    if photos.numbered:
        report(_note(f"classes that are numbers (.cls) are told apart by their folders: {', '.join(photos.numbered)}"))
    for damaged in photos.damaged:
        report(_note(f"damaged and left out: {damaged}"))
    report(_note(photos.summary()))
    return photos


def _finish(run: Run) -> Path:
    """Measure the finished network on everything held out, and write it down."""
    final = run.validate() if run.photos.validation else {}
    if final:
        run.log({"event": "final", **final})
    spec, config = run.spec, run.config
    description = {
        "method": spec.name,
        "variant": config.variant,
        "network": run.settings,
        "size": config.used_at,
        "licence": spec.licence,
        "source": f"colorize train {spec.name}: {run.images} crops, {run.minutes:.0f} minutes on "
        f"{_hardware(run.team)}, from {run.started_from}",
        "validation": final,
        "losses": run.objective.notes(),
        "config": {key: str(value) for key, value in config.as_dict().items()},
    }
    if "gain" in final:
        description["gain"] = final["gain"] if run.objective.tunes_gain else 1.0
    if run.photos.classes:
        description["classes"] = list(run.photos.classes)
    path = export_network(run.folder, run.average.network(), description)
    try:
        draw(read_log(run.folder), run.folder / "curve.svg")
    except ImportError:
        run.note("no curve.svg: it needs matplotlib (`pip install 'colorize[report]'`)")
    except (OSError, ValueError) as error:
        run.note(f"no curve.svg: {error}")
    return path


def _say_nothing(entry: dict[str, Any]) -> None:
    del entry


def _note(text: str) -> dict[str, Any]:
    return {"step": 0, "images": 0, "minutes": 0.0, "event": "note", "text": text}


def _find_recipe(method: str, name: str) -> Path:
    path = Path(name)
    if path.suffix == ".toml":
        return path
    folder = shipped_folder("training") / method
    shipped = folder / f"{name}.toml"
    if not shipped.is_file():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
        raise UsageError(f"no recipe {name!r} is shipped for {method}; there are: {there}; a file ends in .toml")
    return shipped


def _read_init(path: Path) -> dict[str, Tensor]:
    """Tensors of our own weights file, or of any other safetensors file with the network's names."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return read_checkpoint(path).tensors
    except WeightsError:
        try:
            return {name: value.float() for name, value in load_file(path).items()}
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"cannot start from {path}: {error}") from None


def _demonstration_photos(folder: Path) -> Path:
    """The wheel's colour photographs as PNG files in `folder`."""
    for name in PHOTOGRAPHS:
        Image.fromarray(photograph(name)).save(folder / f"{name}.png")
    return folder


def _hardware(team: distributed.Team) -> str:
    if team.device.type == "cuda":
        return f"{team.size} x {torch.cuda.get_device_name(team.device)}"
    return f"{os.cpu_count()} cores ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"
