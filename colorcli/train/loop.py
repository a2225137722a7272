"""The training loop, top to bottom: start or resume, step, validate, keep."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colorcli.devices import has_fast_bf16
from colorcli.errors import ColorizeError, UsageError
from colorcli.methods.objective import Objective
from colorcli.methods.spec import MethodSpec
from colorcli.train.ahead import Ahead, steps_ahead
from colorcli.train.average import Average
from colorcli.train.checkpoint import load_state, norm_statistics_are_finite, recalibrate_norm, save_state
from colorcli.train.config import Stage, TrainConfig, defaults
from colorcli.train.crops import Crops
from colorcli.train.data import Photos
from colorcli.train.distributed import Team
from colorcli.train.lean import Lean
from colorcli.train.log import append, keep_until
from colorcli.train.muon import Muon
from colorcli.train.pixels import fits_on
from colorcli.train.signals import noted
from colorcli.train.start import build, take_over
from colorcli.train.validation import usable, validate

_RECALIBRATION_BATCHES = 40
_LOG_MINUTES = 0.5
_FEW = 0.2  # share of the photos under which a stage's choice is worth a word

Report = Callable[[dict[str, Any]], None]


class Run:
    """One training run and the folder that keeps it: `state.pt`, `log.jsonl`."""

    def __init__(
        self,
        spec: MethodSpec,
        config: TrainConfig,
        photos: Photos,
        folder: Path,
        team: Team,
        report: Report,
        companions: Mapping[str, nn.Module] | None = None,
    ) -> None:
        """companions: fixed networks for the objective, on the team's device."""
        self.spec, self.config, self.folder, self.team = spec, config, folder, team
        self._report = report
        torch.manual_seed(config.seed)
        self.network, self.settings = build(spec, config, team.size, photos.classes)
        self.objective: Objective = spec.load("objective")(self.network, config.objective, companions)
        self.objective.to(team.device, memory_format=torch.channels_last)
        self.kind = self.objective.data
        self.photos = photos.to(team.device if fits_on(team.device, photos.size()) else torch.device("cpu"))
        self.photos.validation = usable(self.photos.validation, self.kind)
        self.crops = self._stream(config.seed)
        self.ahead = Ahead(self.crops, self._on_device, steps_ahead(team.device))
        self.average = Average(self.network, config.ema)
        self.step = 0
        self.images = 0
        self.minutes = 0.0  # wall time over all sittings
        self.started_from = "scratch"
        self._check_stages()
        self._make_optimizers()

    def _stream(self, seed: int) -> Crops:
        config = self.config
        lean = Lean(config.turn, config.shear)
        return Crops(
            self.photos.train, seed, self.kind, enlarge=config.enlarge, smallest=config.smallest_crop, lean=lean
        )

    def _check_stages(self) -> None:
        """Every stage has pictures that are large enough for it, told now and not when it is reached."""
        for stage in self.config.stages:
            fitting = min(self.crops.fitting(stage.size).values())
            if not fitting:
                raise UsageError(
                    f"no training photo has a short side of {stage.size} pixels or more; give larger photos, or other "
                    "stages: --set stages=SIZE:SHARE:BATCH,..."
                )
            if fitting < _FEW * len(self.photos.train):
                self.note(f"only {fitting} of {len(self.photos.train)} photos are large enough for {stage.size} px")

    # what can be trained, and how fast

    def _make_optimizers(self) -> None:
        """One for each player, and the list of the parameters that it moves."""
        config = self.config
        self.trained: dict[str, list[nn.Parameter]] = {}
        self.optimizers: dict[str, torch.optim.Optimizer | Muon] = {}
        kinds: dict[str, Callable[..., torch.optim.Optimizer | Muon]] = {
            "adam": partial(torch.optim.Adam, fused=True),
            "adamw": partial(torch.optim.AdamW, fused=True),
            "muon": Muon,
        }
        decay = 0.0 if config.optimizer == "adam" else config.weight_decay
        self.objective.requires_grad_(False)
        unused = set(config.train_only)
        for player in self.objective.players:
            named = {
                name: parameter
                for name, parameter in getattr(self.objective, player).named_parameters()
                if not name.startswith(self.objective.out_of_reach)
            }
            chosen = [p for name, p in named.items() if not config.train_only or name.startswith(config.train_only)]
            unused = {prefix for prefix in unused if not any(name.startswith(prefix) for name in named)}
            if not chosen:
                raise UsageError(f"train_only = {config.train_only} names no parameter of {self.spec.name}'s {player}")
            for parameter in chosen:
                parameter.requires_grad_(True)
            self.trained[player] = chosen
            self.optimizers[player] = kinds[config.optimizer](
                chosen, lr=config.rate, betas=config.betas, weight_decay=decay
            )
        if unused:
            raise UsageError(f"train_only names no parameter of {self.spec.name} with {', '.join(sorted(unused))}")

    def progress(self) -> float:
        """How much of the run is over, 0..1: by steps or by minutes, whichever is further."""
        by_steps = self.step / self.config.steps if self.config.steps else 0.0
        by_minutes = self.minutes / self.config.minutes if self.config.minutes else 0.0
        return max(by_steps, by_minutes)

    def rate(self) -> float:
        """The learning rate of the next step."""
        progress = min(self.progress(), 1.0)
        left = {"linear": 1 - progress, "cosine": 0.5 * (1 + math.cos(math.pi * progress)), "constant": 1.0}
        warmth = min((self.step + 1) / max(self.config.warmup, 1), 1.0)
        return self.config.rate * warmth * left[self.config.schedule]

    # starting points

    def start_from(self, weights: Mapping[str, Tensor], name: str) -> None:
        """Take over trained weights, as `take_over` does.

        Batch norm statistics that are not finite are measured anew on the training photos.
        """
        parts = take_over(self.network, weights, name, self.objective.learned_anew)
        self.started_from = name
        if not norm_statistics_are_finite(self.network):
            size = self.config.stages[-1].size
            crops = self._stream(self.config.seed + 1)
            batches = (self._on_device(crops.batch(16, size)) for _ in range(_RECALIBRATION_BATCHES))
            player = self.objective.players[0]
            recalibrate_norm(self.network, batches, lambda batch: self.objective(player, batch))
            self.log({"event": "recalibrated", "photos": 16 * _RECALIBRATION_BATCHES})
        self.log({"event": "start", "from": name, **parts})

    def resume(self) -> None:
        """Go on from `state.pt`, whose method, variant and settings must be this run's."""
        state = load_state(self.folder / "state.pt", self._identity, defaults())
        self.objective.load_state_dict(state["objective"])
        for player, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
        self.average.restore(state["averaged"], self.team.device)
        self.crops.restore(state["crops"])
        self.step, self.images, self.minutes = state["step"], state["images"], state["minutes"]
        self.started_from = state["started_from"]
        if self.team.leads:
            keep_until(self.folder, self.step)
        self.log({"event": "resumed"})

    @cached_property
    def _identity(self) -> dict[str, Any]:
        """What a resume must agree in: all of the recipe but the run's length, its reports and where data lie."""
        free = {"steps", "minutes", "validate_minutes", "checkpoint_minutes", "validation_limit", "precision", "hold"}
        kept = {key: value for key, value in self.config.as_dict().items() if key not in free | {"accumulate"}}
        kept["network"] = self.settings
        kept["data"] = self.photos.identity()
        return {key: json.dumps(value) for key, value in kept.items()}

    def save(self) -> None:
        """Write `state.pt`."""
        if not self.team.leads:
            return
        save_state(
            self.folder / "state.pt",
            {
                "identity": self._identity,
                "objective": self.objective.state_dict(),
                "optimizers": {player: optimizer.state_dict() for player, optimizer in self.optimizers.items()},
                "averaged": self.average.weights,
                "crops": self.ahead.state(),
                "step": self.step,
                "images": self.images,
                "minutes": self.minutes,
                "started_from": self.started_from,
            },
        )

    # the work

    def train(self) -> None:
        """Step until the run's end. NaN stops with the last good checkpoint in place.

        SIGINT or SIGTERM to any process ends all of them after the step, with a checkpoint, as KeyboardInterrupt; a
        second one at once, without.
        """
        for parameters in self.trained.values():
            for parameter in parameters:
                parameter.requires_grad_(True)
        shared = self.team.wrap(self.objective, several_players=len(self.optimizers) > 1)
        marks = dict.fromkeys(("checkpoint", "validate", "log"), self.minutes)
        sitting = time.perf_counter() - 60 * self.minutes
        seen: list[dict[str, float]] = []
        images = self.images
        stage = self.config.stage_at(self.progress())
        with noted() as stopped, self.ahead:
            while self.progress() < 1:
                stage = self.config.stage_at(self.progress())
                seen.append(self._step(shared, stage))
                self.minutes, stop = self.team.largest((time.perf_counter() - sitting) / 60, float(bool(stopped)))
                self._stop_unless_finite(seen[-1])
                if self.minutes - marks["log"] >= _LOG_MINUTES:
                    self._log_progress(stage, seen, self.images - images, self.minutes - marks["log"])
                    marks["log"], images, seen = self.minutes, self.images, []
                if stop or self.minutes - marks["checkpoint"] >= self.config.checkpoint_minutes:
                    self.save()
                    marks["checkpoint"] = self.minutes
                if stop:
                    raise KeyboardInterrupt
                if self.minutes - marks["validate"] >= self.config.validate_minutes and self.photos.validation:
                    before = self.minutes
                    if self.team.leads:
                        self.log({"event": "validation", **self.validate(self.config.validation_limit)})
                    (self.minutes,) = self.team.largest((time.perf_counter() - sitting) / 60)
                    marks["validate"] = self.minutes
                    marks["log"] += self.minutes - before  # images/s is of training alone
        if seen:
            self._log_progress(stage, seen, self.images - images, self.minutes - marks["log"])
        self.save()

    def _step(self, shared: nn.Module, stage: Stage) -> dict[str, float]:
        """Every player's turn on one batch. Returns the named losses, or `gradient` where one was not finite."""
        self.objective.train()
        if self.config.freeze_norm:
            for module in self.objective.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        # Dropout and the like follow from the step, so that a resumed run draws what an unbroken one would have drawn.
        torch.manual_seed(self.config.seed + self.team.size * self.step + self.team.rank)
        batch = self.ahead.batch(stage.batch, stage.size, self.team.rank, self.team.size)
        values: dict[str, float] = {}
        for player, optimizer in self.optimizers.items():
            for other, parameters in self.trained.items():
                for parameter in parameters:
                    parameter.requires_grad_(other == player)
            values |= self._turn(shared, player, optimizer, batch)
            if "gradient" in values:
                return values
        self.objective.after_step()
        self.average.update(self.step)
        self.step += 1
        self.images += stage.batch
        return values

    def _turn(
        self, shared: nn.Module, player: str, optimizer: torch.optim.Optimizer | Muon, batch: Mapping[str, Tensor]
    ) -> dict[str, float]:
        """One player's step, over the slices of the batch."""
        for group in optimizer.param_groups:
            group["lr"] = self.rate()
        optimizer.zero_grad(set_to_none=True)
        slices = [
            dict(zip(batch, parts, strict=True))
            for parts in zip(*(value.chunk(self.config.accumulate) for value in batch.values()), strict=True)
        ]
        values: dict[str, float] = {}
        for number, part in enumerate(slices, start=1):
            last = number == len(slices)
            # Gradients travel between processes once a step, with the last slice.
            quiet = nullcontext() if last or self.team.size == 1 else shared.no_sync()  # type: ignore[operator]
            with quiet:
                with self.autocast():
                    losses: dict[str, Tensor] = shared(player, part)
                if not losses:
                    return {}  # the player sits out
                total = torch.stack([loss.float() for loss in losses.values()]).sum() / len(slices)
                total.backward()  # type: ignore[no-untyped-call]
            for name, loss in losses.items():
                values[name] = values.get(name, 0.0) + float(loss.detach()) / len(slices)
        norm = float(nn.utils.clip_grad_norm_(self.trained[player], self.config.clip or math.inf))
        if not math.isfinite(norm):  # such a gradient would spoil every weight
            return {**values, "gradient": norm}
        optimizer.step()
        return values

    def _stop_unless_finite(self, values: Mapping[str, float]) -> None:
        if "gradient" not in values:
            return
        kept = self.folder / "state.pt"
        hint = f"the last good checkpoint is {kept}" if kept.exists() else "there was no checkpoint yet"
        lost = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        raise ColorizeError(
            f"the loss or its gradient became infinite or NaN at step {self.step + 1} ({lost}); {hint}; "
            "try a lower rate"
        )

    def _on_device(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        device = self.team.device
        moved: dict[str, Tensor] = {}
        for name, value in batch.items():
            if device.type == "cuda" and value.device.type == "cpu":
                value = value.pin_memory().to(device, non_blocking=True)
            value = value.to(device)
            moved[name] = value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
        return moved

    def autocast(self) -> torch.autocast:
        """bf16 where it pays, or where the recipe asks for it."""
        kind = self.team.device.type
        wanted = self.config.precision
        enabled = has_fast_bf16(self.team.device) if wanted == "auto" else wanted == "bf16"
        return torch.autocast(kind, torch.bfloat16, enabled=enabled)

    def validate(self, limit: int = 0) -> dict[str, float]:
        """The averaged network's figures on the first `limit` pictures held out (0: all)."""
        examples = self.photos.validation[: limit or None]
        side = self.config.used_at
        return validate(self.spec, self.objective, self.average.network(), examples, side, self.autocast)

    def _log_progress(self, stage: Stage, seen: list[dict[str, float]], images: int, minutes: float) -> None:
        losses = {name: self.team.mean(sum(values[name] for values in seen) / len(seen)) for name in seen[0]}
        whole = {"loss": sum(losses.values())} if len(self.optimizers) == 1 else {}
        parts = {} if whole and len(losses) == 1 else losses
        entry = {"event": "train", "progress": min(self.progress(), 1.0), "size": stage.size, **whole, **parts}
        self.log({**entry, "rate": self.rate(), "images/s": images / (60 * minutes) if minutes else 0.0})

    def log(self, entry: Mapping[str, Any]) -> None:
        """One entry in the log, and the same to the person."""
        if self.team.leads:
            place = {"step": self.step, "images": self.images, "minutes": round(self.minutes, 2)}
            self._report(append(self.folder, {**place, **entry}))

    def note(self, text: str) -> None:
        """A remark in the log."""
        self.log({"event": "note", "text": text})
