"""The training loop, top to bottom: read, start or resume, step, validate, keep, export."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.color.lab import lab_to_rgb, rgb_to_lab
from colorcli.devices import has_fast_bf16
from colorcli.errors import ColorizeError, UsageError
from colorcli.methods.registry import METHODS
from colorcli.metrics.psnr import mean_squared_error, psnr
from colorcli.train.checkpoint import load_state, norm_statistics_are_finite, recalibrate_norm, save_state
from colorcli.train.config import TrainConfig
from colorcli.train.data import Crops, Photos

_PROTOCOL_SIDE = 256  # pixels: validation compares at the papers' size
_GAINS = tuple(g / 20 for g in range(4, 25))  # factors on the predicted chroma that validation tries: 0.2 .. 1.2
_GRAY_SPREAD = 2.0  # 8-bit steps; JPEG noise of a gray photo is below
_RECALIBRATION_BATCHES = 40

Report = Callable[[dict[str, Any]], None]


class Run:
    """One training run and the folder that keeps it: `state.pt`, `log.jsonl`."""

    def __init__(self, config: TrainConfig, photos: Photos, folder: Path, device: torch.device, report: Report) -> None:
        self.config = config
        self.photos = photos.to(device)
        # Gray photos say nothing of colour. Largest first: the limit then keeps those that the protocol's 256 px suit.
        coloured = [picture for picture in self.photos.validation if _mean_spread(picture) > _GRAY_SPREAD]
        self.photos.validation = sorted(coloured, key=lambda picture: -min(picture.shape[1:]))
        self.folder = folder
        self.device = device
        self._report = report
        self.spec = METHODS[config.method]
        if config.variant not in self.spec.variants:
            raise UsageError(f"{config.method} has no variant {config.variant!r}: {', '.join(self.spec.variants)}")
        torch.manual_seed(config.seed)
        self.settings = {**self.spec.variants[config.variant], **config.network}
        try:
            self.network: nn.Module = self.spec.load("network")(**self.settings)
        except (TypeError, ValueError) as error:
            raise UsageError(f"network settings {dict(config.network)}: {error}") from error
        self.network.to(device, memory_format=torch.channels_last)
        self.objective = self.spec.load("objective")(self.network, config.objective)
        self.crops = Crops(self.photos.train, config.seed)
        self.averaged: dict[str, Tensor] = {}
        self.step = 0
        self.images = 0
        self.minutes = 0.0  # wall time over all sittings
        self.started_from = "scratch"
        self._make_optimizer()

    # what can be trained, and how fast

    def _make_optimizer(self) -> None:
        prefixes = self.config.train_only
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not prefixes or name.startswith(prefixes))
        trained = [p for p in self.network.parameters() if p.requires_grad]
        if not trained:
            raise UsageError(f"train_only = {prefixes} names no parameter of {self.config.method}")
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.config.optimizer]
        decay = self.config.weight_decay if self.config.optimizer == "adamw" else 0.0
        self.optimizer = kind(trained, lr=self.config.rate, betas=self.config.betas, weight_decay=decay, fused=True)

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

    def start_from(self, weights: dict[str, Tensor], name: str) -> None:
        """Take over trained weights. Parts that the file lacks keep their start and are named; extra parts are errors.

        Batch norm statistics that are missing or not finite are measured anew on the training photos.
        """
        own = self.network.state_dict()
        extra = sorted(set(weights) - set(own))
        shapes = sorted(key for key in weights if key in own and weights[key].shape != own[key].shape)
        if extra or shapes:
            raise UsageError(
                f"{name} does not fit {self.config.method}: unexpected {extra[:4]}, other shapes {shapes[:4]}"
            )
        own.update({key: value.to(own[key].dtype) for key, value in weights.items()})
        self.network.load_state_dict(own)
        absent = sorted({key.rpartition(".")[0] for key in set(own) - set(weights) if "num_batches" not in key})
        self.started_from = name
        if not norm_statistics_are_finite(self.network):
            size = self.config.stages[-1].size
            crops = Crops(self.photos.train, self.config.seed + 1)
            batches = (crops.batch(16, size).to(self.device) for _ in range(_RECALIBRATION_BATCHES))
            recalibrate_norm(self.network, batches, self.objective.loss)
            self.log({"event": "recalibrated", "photos": 16 * _RECALIBRATION_BATCHES})
        self.log({"event": "start", "from": name, "new parts": absent})

    def resume(self) -> None:
        """Go on from `state.pt`, whose method, variant and settings must be this run's."""
        state = load_state(self.folder / "state.pt", self._identity())
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averaged = {key: value.to(self.device) for key, value in state["averaged"].items()}
        self.crops.restore(state["crops"])
        torch.set_rng_state(state["random"])
        self.step, self.images, self.minutes = state["step"], state["images"], state["minutes"]
        self.started_from = state["started_from"]
        self.log({"event": "resumed", "step": self.step})

    def _identity(self) -> dict[str, Any]:
        """What a resume must agree in: all of the recipe but the run's length and how often it reports."""
        free = {"steps", "minutes", "validate_minutes", "checkpoint_minutes", "validation_limit", "precision"}
        kept = {key: value for key, value in self.config.as_dict().items() if key not in free}
        kept["network"] = self.settings
        return {key: json.dumps(value) for key, value in kept.items()}

    def save(self) -> None:
        """Write `state.pt`."""
        save_state(
            self.folder / "state.pt",
            {
                "identity": self._identity(),
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "averaged": self.averaged,
                "crops": self.crops.state(),
                "random": torch.get_rng_state(),
                "step": self.step,
                "images": self.images,
                "minutes": self.minutes,
                "started_from": self.started_from,
            },
        )

    # the work

    def train(self) -> None:
        """Step until the run's end. NaN stops with the last good checkpoint in place; Ctrl-C saves first."""
        marks = {"checkpoint": self.minutes, "validate": self.minutes, "log": self.minutes}
        sitting = time.perf_counter() - 60 * self.minutes
        losses: list[float] = []
        images = self.images
        try:
            while self.progress() < 1:
                stage = self.config.stage_at(self.progress())
                losses.append(self._step(self.crops.batch(stage.batch, stage.size)))
                self.minutes = (time.perf_counter() - sitting) / 60
                if not math.isfinite(losses[-1]):
                    kept = self.folder / "state.pt"
                    hint = f"the last good checkpoint is {kept}" if kept.exists() else "there was no checkpoint yet"
                    raise ColorizeError(
                        f"the loss or its gradient became {losses[-1]} at step {self.step}; {hint}; try a lower rate"
                    )
                if self.minutes - marks["log"] >= 0.5:
                    speed = (self.images - images) / (60 * (self.minutes - marks["log"]))
                    self.log(
                        {
                            "event": "train",
                            "progress": min(self.progress(), 1.0),
                            "size": stage.size,
                            "loss": sum(losses) / len(losses),
                            "rate": self.rate(),
                            "images/s": speed,
                        }
                    )
                    marks["log"], images, losses = self.minutes, self.images, []
                if self.minutes - marks["checkpoint"] >= self.config.checkpoint_minutes:
                    self.save()
                    marks["checkpoint"] = self.minutes
                if self.minutes - marks["validate"] >= self.config.validate_minutes and self.photos.validation:
                    self.log({"event": "validation", **self.validate()})
                    marks["validate"] = self.minutes = (time.perf_counter() - sitting) / 60
        except KeyboardInterrupt:
            self.save()
            raise
        self.save()

    def _step(self, rgb: Tensor) -> float:
        self.network.train()
        if self.config.freeze_norm:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16()):
            loss: Tensor = self.objective.loss(rgb.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip or math.inf))
        value = float(loss.detach()) if math.isfinite(norm) else norm  # such a gradient would spoil every weight
        if math.isfinite(value):
            self.optimizer.step()
            self._average()
        self.step += 1
        self.images += len(rgb)
        return value

    def _bf16(self) -> bool:
        if self.config.precision == "auto":
            return has_fast_bf16(self.device)
        return self.config.precision == "bf16"

    @torch.no_grad()
    def _average(self) -> None:
        """Exponential moving average of the weights; the decay grows to its value over the first steps."""
        if not self.config.ema:
            return
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for key, value in self.network.state_dict().items():
            if key not in self.averaged or not value.is_floating_point():
                self.averaged[key] = value.clone()
            else:
                self.averaged[key].lerp_(value, 1 - decay)

    def final_network(self) -> nn.Module:
        """A copy of the network with the averaged weights, in evaluation mode."""
        network = copy.deepcopy(self.network)
        if self.averaged:
            network.load_state_dict(self.averaged)
        return network.eval()

    @torch.inference_mode()
    def validate(self, limit: int | None = None) -> dict[str, float]:
        """PSNR on the validation photos by the papers' protocol (256x256, 8-bit sRGB), beside gray.

        Returns `gray`, `psnr` and `pooled` in dB at gain 1, and `gain`, the factor on the chroma with the best mean
        PSNR, with `psnr at gain` and `pooled at gain`.
        """
        network = self.final_network()
        predictor = self.spec.load("predictor")(network)
        errors: dict[float, list[Tensor]] = {gain: [] for gain in (0.0, *_GAINS)}
        pictures = self.photos.validation[: limit or self.config.validation_limit]
        for start in range(0, len(pictures), 16):
            truth = torch.cat([_squared(picture) for picture in pictures[start : start + 16]])  # (b, 3, 256, 256)
            lightness = rgb_to_lab(truth / 255)[:, :1]
            side = self.config.validation_size
            small = F.interpolate(lightness, (side, side), mode="bilinear", antialias=True)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16()):
                chroma = predictor(small)
            chroma = F.interpolate(chroma, truth.shape[2:], mode="bicubic")
            for gain, collected in errors.items():
                result = lab_to_rgb(torch.cat((lightness, gain * chroma), dim=1))
                collected.append(mean_squared_error(truth, (255 * result).round()))
        mse = {gain: torch.cat(collected) for gain, collected in errors.items()}
        best = max(_GAINS, key=lambda gain: float(psnr(mse[gain]).mean()))
        return {
            "photos": len(pictures),
            "gray": float(psnr(mse[0.0]).mean()),
            "gray pooled": float(psnr(mse[0.0].mean())),
            "psnr": float(psnr(mse[1.0]).mean()),
            "pooled": float(psnr(mse[1.0].mean())),
            "gain": best,
            "psnr at gain": float(psnr(mse[best]).mean()),
            "pooled at gain": float(psnr(mse[best].mean())),
        }

    def log(self, entry: dict[str, Any]) -> None:
        """One JSON line in log.jsonl, and the same to the person."""
        entry = {"step": self.step, "images": self.images, "minutes": round(self.minutes, 2), **entry}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        self._report(entry)


def _mean_spread(picture: Tensor) -> float:
    """Mean over the pixels of max - min of R, G, B. (3, h, w) uint8."""
    return float((picture.amax(0) - picture.amin(0)).float().mean())


def _squared(picture: Tensor) -> Tensor:
    """(3, h, w) uint8 stretched to the protocol's square, (1, 3, 256, 256) float 0..255, whole numbers."""
    side = _PROTOCOL_SIDE
    if tuple(picture.shape[1:]) == (side, side):
        return picture[None].float()
    stretched = F.interpolate(picture[None].float(), (side, side), mode="bicubic", antialias=True)
    return stretched.round().clamp(0, 255)
