"""The training loop on a tiny network."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from skimage import color
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn

from colorcli.color.lab import rgb_to_lab
from colorcli.errors import ColorizeError, UsageError
from colorcli.loader import load_method
from colorcli.methods.smsanet import predictor as smsanet_predictor
from colorcli.methods.smsanet.network import SMSANet
from colorcli.metrics.psnr import mean_squared_error
from colorcli.train import loop, validation
from colorcli.train.config import Stage, defaults
from colorcli.train.crops import Crops
from colorcli.train.data import Example, Photos
from colorcli.train.export import export_network, publish
from colorcli.train.loop import Run

MakeRun = Callable[..., Run]


def _losses(run: Run, at: int = -1, happening: Callable[[Tensor], Tensor] | None = None) -> list[float]:
    """Every loss of the run from now on; at its `at`-th one, `happening` comes between."""
    seen: list[float] = []

    def watched(_module: nn.Module, _arguments: Any, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        value = losses["huber"]
        if happening and len(seen) == at:
            value = happening(value)
        seen.append(float(value.detach()))
        return {"huber": value}

    run.objective.register_forward_hook(watched)
    return seen


def _raise(error: BaseException) -> Callable[[Tensor], Tensor]:
    def happen(_: Tensor) -> Tensor:
        raise error

    return happen


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_the_loss_falls(make_run: MakeRun) -> None:
    """Oracle: gray's own loss, the mean Huber distance to ab = 0, on one plain picture that a network must be able to
    learn by heart: below a tenth of it after 80 steps, from about once."""
    green = torch.tensor([40, 160, 60], dtype=torch.uint8)[:, None, None].expand(3, 24, 24).contiguous()
    run = make_run(photos=Photos([Example(green)]), steps=80, rate=1e-2, ema=0.0, schedule="cosine")
    losses = _losses(run)
    run.train()
    lab = color.rgb2lab(np.array([[[40, 160, 60]]], dtype=np.uint8))[0, 0]
    gray = float(np.mean(np.abs(lab[1:]) - 0.5) / 110)
    assert losses[0] > 0.5 * gray
    assert np.mean(losses[-5:]) < 0.1 * gray
    assert len(losses) == run.step == 80
    assert run.images == 320


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_rate(make_run: MakeRun, schedule: str) -> None:
    """Oracle: closed form: (step + 1) / warmup up to 1, times 1 - p, (1 + cos pi p) / 2 or 1; 1e-12."""
    run = make_run(steps=20, warmup=4, schedule=schedule, rate=0.5)
    for step in range(21):
        run.step = step
        part = step / 20
        left = {"linear": 1 - part, "cosine": (1 + math.cos(math.pi * part)) / 2, "constant": 1.0}[schedule]
        assert run.rate() == pytest.approx(0.5 * min((step + 1) / 4, 1) * left, abs=1e-12)


def test_sizes_follow_the_stages(make_run: MakeRun) -> None:
    """Oracle: the shares by hand: of 8 steps a quarter at 16 px and batch 3, the rest at 24 px and batch 2."""
    run = make_run(steps=8, stages=(Stage(16, 0.25, 3), Stage(24, 0.75, 2)))
    shapes: list[tuple[int, ...]] = []
    run.objective.register_forward_pre_hook(lambda _, arguments: shapes.append(tuple(arguments[1]["rgb"].shape)))
    run.train()
    assert shapes == [(3, 3, 16, 16)] * 2 + [(2, 3, 24, 24)] * 6
    assert run.images == 3 * 2 + 2 * 6


def test_the_same_seed_gives_the_same_run(make_run: MakeRun) -> None:
    """Oracle: a second run in the same process; exact. Another seed gives another."""
    histories = []
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        run = make_run(folder, seed=seed)
        histories.append(_losses(run))
        run.train()
    assert histories[0] == histories[1] != histories[2]


@pytest.mark.parametrize(("cut", "optimizer"), [(1, "adamw"), (4, "adamw"), (4, "muon")])
def test_killed_run_goes_on_as_if_unbroken(make_run: MakeRun, cut: int, optimizer: str) -> None:
    """Oracle: the unbroken run: losses and final averaged weights, to 1e-6 (the same process count). The other one is
    killed in the middle of a step, after a checkpoint was written between steps, and resumed by a new Run."""
    settings = {"steps": 7, "warmup": 3, "checkpoint_minutes": 0.0, "ema": 0.9, "optimizer": optimizer}
    unbroken = make_run("unbroken", **settings)
    expected = _losses(unbroken)
    unbroken.train()
    killed = make_run("killed", **settings)
    first = _losses(killed, at=cut, happening=_raise(RuntimeError("killed")))
    with pytest.raises(RuntimeError, match="killed"):
        killed.train()
    torch.manual_seed(999)  # whatever else the new process has done
    resumed = make_run("killed", **settings)
    resumed.resume()
    assert resumed.step == cut
    second = _losses(resumed)
    resumed.train()
    assert first + second == pytest.approx(expected, rel=1e-6)
    assert (resumed.step, resumed.images) == (unbroken.step, unbroken.images)
    for name, value in unbroken.average.network().state_dict().items():
        assert torch.allclose(resumed.average.network().state_dict()[name].double(), value.double(), rtol=1e-6)


def test_resumed_run_remembers_where_it_began(make_run: MakeRun) -> None:
    """Oracle: the log: the sittings' minutes add up and the start is that of the first sitting."""
    run = make_run(steps=4)
    run.started_from = "base.safetensors"
    run.minutes = 3.0
    run.train()
    later = make_run(steps=8)
    later.resume()
    later.train()
    assert later.started_from == "base.safetensors"
    assert later.minutes > 3
    events = [json.loads(line) for line in (later.folder / "log.jsonl").read_text().splitlines()]
    assert [(entry["event"], entry["step"]) for entry in events] == [("train", 4), ("resumed", 4), ("train", 8)]


def test_finished_run_does_nothing_more(make_run: MakeRun) -> None:
    """Oracle: the weights of the finished run; exact."""
    run = make_run()
    run.train()
    later = make_run()
    later.resume()
    losses = _losses(later)
    later.train()
    assert not losses
    assert all(torch.equal(a, b) for a, b in zip(later.network.parameters(), run.network.parameters(), strict=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": 2e-3}, r"rate = 0\.001; this run has 0\.002"),
        ({"seed": 1}, "seed = 0; this run has 1"),
        ({"optimizer": "adam"}, 'optimizer = "adamw"; this run has "adam"'),
        ({"network": {"widths": (4, 4, 8, 16)}}, r"network = .*8, 8.*this run has .*8, 16"),
        ({"schedule": "constant"}, 'schedule = "linear"; this run has "constant"'),
        ({"network": {"widths": (4, 4, 8, 8), "attention": "none"}}, "network = .*this run has .*none"),
    ],
)
def test_resume_with_other_settings_is_refused(make_run: MakeRun, settings: dict[str, Any], message: str) -> None:
    """Oracle: the contract of load_state: named, and the state stays as it was."""
    run = make_run(steps=1)
    run.train()
    before = (run.folder / "state.pt").read_bytes()
    with pytest.raises(ColorizeError, match=message):
        make_run(**{"steps": 1, **settings}).resume()
    assert (run.folder / "state.pt").read_bytes() == before


def test_a_state_without_the_younger_settings_is_resumed(make_run: MakeRun) -> None:
    """Oracle: the state itself, from which every setting is taken that has its default, as if the version that wrote it
    had known none of them: it goes on where it was; with another value it is refused by name."""
    run = make_run(steps=1)
    run.train()
    path = run.folder / "state.pt"
    state = torch.load(path, weights_only=True)
    for name, value in defaults().items():
        if state["identity"].get(name) == value:
            del state["identity"][name]
    assert not {"turn", "shear", "similarity"} & state["identity"].keys()
    torch.save(state, path)
    later = make_run(steps=2)
    later.resume()
    assert later.step == 1
    with pytest.raises(ColorizeError, match=r'is of similarity = "none"; this run has "net\.safetensors"'):
        make_run(steps=2, similarity="net.safetensors").resume()


def test_resume_of_nothing(make_run: MakeRun) -> None:
    """Oracle: the contract."""
    with pytest.raises(ColorizeError, match="nothing to resume"):
        make_run().resume()


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_nan_keeps_the_last_good_checkpoint(make_run: MakeRun, kind: str) -> None:
    """Oracle: the bytes of the checkpoint before; a loss that is NaN, and one that is finite but has no finite gradient
    (the square root's slope at 0): weights and averages are untouched and a resume goes on from there."""
    run = make_run(steps=8, checkpoint_minutes=0.0)
    kept: dict[str, Any] = {}

    def spoil(value: Tensor) -> Tensor:
        kept["state"] = (run.folder / "state.pt").read_bytes()
        kept["weights"] = {name: p.detach().clone() for name, p in run.network.named_parameters()}
        return value * float("nan") if kind == "loss" else value + torch.sqrt(value - value)

    _losses(run, at=3, happening=spoil)
    with pytest.raises(
        ColorizeError,
        match=r"became infinite or NaN at step 4 \(.*gradient nan\); the last good checkpoint is .*state\.pt; try a",
    ):
        run.train()
    assert (run.folder / "state.pt").read_bytes() == kept["state"]
    assert all(torch.equal(p, kept["weights"][name]) for name, p in run.network.named_parameters())
    resumed = make_run(steps=8)
    resumed.resume()
    assert resumed.step == 3
    resumed.train()
    assert all(bool(torch.isfinite(value).all()) for value in resumed.average.network().state_dict().values())


def test_nan_before_any_checkpoint_says_so(make_run: MakeRun) -> None:
    """Oracle: the contract."""
    run = make_run()
    _losses(run, at=0, happening=lambda value: value * float("inf"))
    with pytest.raises(ColorizeError, match=r"at step 1 \(huber inf.*\); there was no checkpoint yet"):
        run.train()
    assert not (run.folder / "state.pt").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_the_step(make_run: MakeRun, number: int) -> None:
    """Oracle: the unbroken run: the signal comes in the middle of the third step, that step is finished and saved, and
    a resume goes on with the same losses, 1e-6; the signals' handlers are those of before."""
    unbroken = make_run("unbroken", steps=6)
    expected = _losses(unbroken)
    unbroken.train()
    run = make_run(steps=6)
    before = signal.getsignal(number)

    def send(value: Tensor) -> Tensor:
        os.kill(os.getpid(), number)
        return value

    first = _losses(run, at=2, happening=send)
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert signal.getsignal(number) is before
    assert run.step == 3
    resumed = make_run(steps=6)
    resumed.resume()
    second = _losses(resumed)
    resumed.train()
    assert first + second == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("how", ["killed", "signalled"])
def test_crops_made_ahead_change_nothing(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Oracle: the unbroken run without a thread: losses exact in one sitting, over a change of stage; to 1e-6 in two,
    the first ended in the fourth step by an error after a checkpoint, or after it by SIGINT. No thread is left."""
    settings: dict[str, Any] = {"steps": 8, "stages": (Stage(16, 0.5, 4), Stage(24, 0.5, 2)), "checkpoint_minutes": 0.0}
    plain = make_run("plain", **settings)
    expected = _losses(plain)
    plain.train()
    monkeypatch.setattr(loop, "steps_ahead", lambda _: 2)
    unbroken = make_run("unbroken", **settings)
    losses = _losses(unbroken)
    unbroken.train()
    assert losses == expected
    states = [torch.load(run.folder / "state.pt", weights_only=True)["crops"] for run in (plain, unbroken)]
    assert torch.equal(states[0]["generator"], states[1]["generator"])
    assert states[0]["queues"] == states[1]["queues"]

    def happen(value: Tensor) -> Tensor:
        assert any(thread.name.startswith("crops") for thread in threading.enumerate())
        if how == "killed":
            raise RuntimeError("killed")
        os.kill(os.getpid(), signal.SIGINT)
        return value

    broken = make_run("broken", **settings)
    first = _losses(broken, at=3, happening=happen)
    with pytest.raises(RuntimeError if how == "killed" else KeyboardInterrupt):
        broken.train()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("crops")]
    resumed = make_run("broken", **settings)
    resumed.resume()
    assert resumed.step == (3 if how == "killed" else 4)
    second = _losses(resumed)
    resumed.train()
    assert first + second == pytest.approx(expected, rel=1e-6)


def test_full_disk_stops_the_run_with_the_old_checkpoint(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the bytes of the first checkpoint; ENOSPC at the second is one of our errors."""
    run = make_run(checkpoint_minutes=0.0)
    kept: dict[str, bytes] = {}

    def fill_disk(value: Tensor) -> Tensor:
        kept["state"] = (run.folder / "state.pt").read_bytes()

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        return value

    _losses(run, at=1, happening=fill_disk)
    with pytest.raises(ColorizeError, match=r"No space left on device.*intact"):
        run.train()
    assert (run.folder / "state.pt").read_bytes() == kept["state"]
    assert [path.name for path in run.folder.iterdir()] == ["state.pt"]


def test_minutes_end_a_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: a clock of 12 seconds a look: one look at the start and one a step, so 5 steps are a minute; the log
    comes every half minute, the checkpoint once more at the end."""
    ticks = iter(range(0, 10_000, 12))
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    entries: list[dict[str, Any]] = []
    run = make_run(steps=0, minutes=1.0, report=entries.append)
    losses = _losses(run)
    run.train()
    assert run.step == 5
    assert run.minutes == pytest.approx(1.0)
    assert [entry["event"] for entry in entries] == ["train", "train"]
    for entry, seen in zip(entries, (losses[:3], losses[3:]), strict=True):  # the second at the end
        assert entry["loss"] == pytest.approx(np.mean(seen))
        assert entry["images/s"] == pytest.approx(4 / 12)
    logged = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert logged == entries


def test_average_of_the_weights(make_run: MakeRun) -> None:
    """Oracle: the recursion by hand in float64 over the weights seen before each step, decay min(ema, (1 + n) /
    (10 + n)) after n steps; 1e-6."""
    run = make_run(steps=6, ema=0.3, rate=1e-2)
    seen: list[np.ndarray] = []
    name = "model1.0.weight"
    run.objective.register_forward_pre_hook(
        lambda *_: seen.append(run.network.state_dict()[name].double().numpy().copy())
    )
    run.train()
    seen.append(run.network.state_dict()[name].double().numpy())
    average = seen[1]
    for step, weights in enumerate(seen[2:], start=1):
        decay = min(0.3, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weights
    found = run.average.network().state_dict()[name].numpy()
    assert np.abs(found - average).max() < 1e-6
    assert np.abs(found - seen[-1]).max() > 1e-5


def test_without_average_the_weights_themselves_are_final(make_run: MakeRun) -> None:
    """Oracle: the network; exact, and the copy is its own."""
    run = make_run(ema=0.0)
    run.train()
    final = run.average.network()
    assert not final.training
    assert final is not run.network
    assert all(torch.equal(a, b) for a, b in zip(final.parameters(), run.network.parameters(), strict=True))


def test_train_only_touches_what_it_names(make_run: MakeRun) -> None:
    """Oracle: the weights before; the named parts change, no other parameter does."""
    run = make_run(train_only=("model10", "attention"), weight_decay=0.1)
    before = _copy(run.network)
    run.train()
    for name, parameter in run.network.named_parameters():
        assert torch.equal(parameter, before[name]) != name.startswith(("model10.", "model10up", "attention")), name


def test_freeze_norm_keeps_the_statistics(make_run: MakeRun) -> None:
    """Oracle: the statistics before; without the setting they change."""
    for freeze in (True, False):
        run = make_run("frozen" if freeze else "free", freeze_norm=freeze)
        before = _copy(run.network)
        run.train()
        after = run.network.state_dict()
        changed = [name for name in before if "running" in name and not torch.equal(before[name], after[name])]
        assert bool(changed) != freeze


def test_clip_bounds_the_gradient(make_run: MakeRun) -> None:
    """Oracle: Adam with betas of 0 steps by rate x g / (|g| + 1e-8) whatever the gradient's length, so the norm is
    looked at itself: at most `clip` (1e-6 relative), and longer without."""
    norms: dict[float, float] = {}
    for clip in (0.0, 1e-4):
        run = make_run(f"clip{clip}", steps=1, clip=clip)
        run.train()
        norms[clip] = float(torch.stack([p.grad.norm() for p in run.network.parameters() if p.grad is not None]).norm())
    assert norms[1e-4] <= 1e-4 * (1 + 1e-6)
    assert norms[0.0] > 2e-4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "huge"}, "smsanet has no variant 'huge': paper, compact"),
        ({"network": {"attention": "lstm"}}, "network settings .*attention must be one of"),
        ({"network": {"depth": 3}}, "network settings .*depth"),
        ({"objective": {"softness": 1}}, "no setting softness"),
        ({"train_only": ("encoder",)}, "names no parameter of smsanet's network"),
        ({"train_only": ("model8", "modle9", "modle10")}, "names no parameter of smsanet with modle10, modle9$"),
        ({"stages": (Stage(16, 0.5, 4), Stage(32, 0.5, 4))}, "no training photo has a short side of 32 pixels"),
        ({"method": "color2embed", "network": {}, "stages": (Stage(24, 1.0, 4),)}, "multiples of 16, not 24"),
        ({"accumulate": 3}, "batch of 4 cannot be shared evenly by 1 processes in 3 slices"),
    ],
)
def test_settings_that_make_no_run(make_run: MakeRun, settings: dict[str, Any], message: str) -> None:
    """Oracle: the contract: UsageError before any work."""
    with pytest.raises(UsageError, match=message):
        make_run(**settings)


def test_a_stage_for_few_photos_is_told(make_run: MakeRun, picture: Callable[..., Tensor]) -> None:
    """Oracle: one of ten photos is 32 px, by hand; said once, before the first step; a quarter is not worth a word."""
    photos = [Example(picture(seed, side, side)) for seed, side in enumerate([32] + 9 * [16])]
    stages = (Stage(16, 0.5, 4), Stage(32, 0.5, 4))
    for some, said in ((photos, ["only 1 of 10 photos are large enough for 32 px"]), (photos[:4], [])):
        entries: list[dict[str, Any]] = []
        make_run(photos=Photos(some, [Example(picture(100))]), stages=stages, report=entries.append)
        assert [entry["text"] for entry in entries] == said


def test_start_from_weights(make_run: MakeRun) -> None:
    """Oracle: the donor's tensors, exact; what it lacks is named in the log and keeps its start."""
    entries: list[dict[str, Any]] = []
    torch.manual_seed(5)
    donor = SMSANet((4, 4, 8, 8), "none")
    run = make_run(report=entries.append)
    before = _copy(run.network)
    run.start_from(donor.state_dict(), "donor.safetensors")
    for name, value in run.network.state_dict().items():
        expected = before[name] if name.startswith("attention") else donor.state_dict()[name]
        assert torch.equal(value, expected)
    assert run.started_from == "donor.safetensors"
    assert entries[-1]["event"] == "start"
    assert "attention.block5" in entries[-1]["new parts"]
    assert not [part for part in entries[-1]["new parts"] if not part.startswith("attention")]


def test_start_from_a_relative(make_run: MakeRun) -> None:
    """Oracle: a network of four input channels from one of lightness alone: at no hints both answer the same (1e-6);
    the attention that the one lacks is left out and named, as a head in the file is."""
    entries: list[dict[str, Any]] = []
    torch.manual_seed(5)
    donor = SMSANet((4, 4, 8, 8), "none").eval()
    weights = {**donor.state_dict(), "attention.block5.importance": torch.zeros(3), "head.weight": torch.zeros(3, 3)}
    run = make_run(method="siggraph17", report=entries.append)
    run.start_from(weights, "smsanet.safetensors")
    lightness = torch.rand(1, 1, 16, 16) - 0.5
    inputs = torch.cat((lightness, torch.zeros(1, 3, 16, 16)), dim=1)
    with torch.no_grad():
        assert torch.allclose(run.network.eval()(inputs), donor(lightness), atol=1e-6)
    assert entries[-1]["left out"] == ["attention.block5", "head"]
    assert entries[-1]["new parts"] == []


@pytest.mark.parametrize("state", ["infinite", "missing"])
def test_start_from_weights_without_usable_statistics(make_run: MakeRun, state: str) -> None:
    """Oracle: the contract: statistics that are not finite are measured anew: afterwards the first norm's mean is that
    of the training photos' features (0.05), far from the 1000 of a donor; missing ones as documented keep the start."""
    torch.manual_seed(5)
    weights = _copy(SMSANet((4, 4, 8, 8)))
    weights["model1.4.running_mean"].fill_(1000)
    weights["model4.6.running_var"].fill_(float("inf"))
    if state == "missing":
        weights = {name: value for name, value in weights.items() if "running" not in name}
    entries: list[dict[str, Any]] = []
    run = make_run(report=entries.append)
    run.start_from(weights, "half.safetensors")
    events = [entry["event"] for entry in entries]
    assert events[-1] == "start"
    assert all(bool(torch.isfinite(value).all()) for value in run.network.state_dict().values())
    if state == "infinite":
        assert events[0] == "recalibrated"
        run.network.train()
        seen: list[Tensor] = []
        run.network.model1[3].register_forward_hook(lambda *call: seen.append(call[2]))
        crops = Crops(run.photos.train, 9).batch(32, 16)["rgb"]
        run.network(rgb_to_lab(crops)[:, :1] / 100 - 0.5)
        expected = seen[0].mean((0, 2, 3))
        assert torch.allclose(run.network.model1[4].running_mean, expected, atol=0.2)
        assert float(run.network.model1[4].running_mean.max()) < 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: [weights.pop(name) for name in list(weights) if name > "model2"], r"missing \['model2"),
        (
            lambda weights: weights.update({"model_out.0.bias": torch.zeros(3)}),
            r"other shapes \['model_out\.0\.bias'\]",
        ),
    ],
)
def test_start_from_weights_that_do_not_fit(make_run: MakeRun, change: Any, message: str) -> None:
    """Oracle: the contract: named, and the network is as it was."""
    run = make_run()
    before = _copy(run.network)
    weights = {name: value + 1 for name, value in before.items()}
    change(weights)
    with pytest.raises(UsageError, match=rf"donor does not fit: .*{message}"):
        run.start_from(weights, "donor")
    assert all(torch.equal(value, before[name]) for name, value in run.network.state_dict().items())


class _TwiceTheTruth:
    """A predictor that knows the pictures' one chroma and doubles it."""

    def __init__(self, network: nn.Module) -> None:
        del network

    def __call__(self, lightness: Tensor) -> Tensor:
        _, a, b = color.rgb2lab(np.array([[[120, 90, 70]]], dtype=np.uint8))[0, 0]
        chroma = 2 * torch.tensor([a, b], dtype=torch.float32)
        return chroma[:, None, None].expand(len(lightness), 2, *lightness.shape[2:])


def test_validation_finds_the_gain(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: closed form: a predictor that doubles the true chroma is best at a gain of 0.5, where the picture comes
    back exactly; skimage's PSNR of gray and of the doubled chroma, 0.01 dB (its Lab constants are rounded)."""
    monkeypatch.setattr(smsanet_predictor, "Predictor", _TwiceTheTruth)
    plain = torch.tensor([120, 90, 70], dtype=torch.uint8)[:, None, None].expand(3, 256, 256).contiguous()
    figures = make_run(photos=Photos([Example(plain)], [Example(plain), Example(plain)])).validate()
    assert figures["photos"] == 2
    assert figures["gain"] == 0.5
    assert math.isinf(figures["psnr at gain"])
    truth = plain.permute(1, 2, 0).numpy()
    lab = color.rgb2lab(truth)
    for key, gain in (("gray", 0.0), ("gray pooled", 0.0), ("psnr", 2.0), ("pooled", 2.0)):
        result = (255 * color.lab2rgb(lab * (1, gain, gain))).round().astype(np.uint8)
        assert figures[key] == pytest.approx(peak_signal_noise_ratio(truth, result, data_range=255), abs=0.01)


def test_errors_are_computed_on_the_cpu(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: MPS has no float64, of which the error is a mean: both pictures were brought to the CPU before."""
    fetched: list[Tensor] = []
    original = Tensor.cpu

    def fetching(tensor: Tensor) -> Tensor:
        fetched.append(original(tensor))
        return fetched[-1]

    def measuring(truth: Tensor, result: Tensor) -> Tensor:
        assert all(any(given is one for one in fetched) for given in (truth, result))
        return mean_squared_error(truth, result)

    monkeypatch.setattr(Tensor, "cpu", fetching)
    monkeypatch.setattr(validation, "mean_squared_error", measuring)
    assert make_run().validate()["photos"] == 1


def test_validation_of_gray_on_photos(make_run: MakeRun, picture: Callable[..., Tensor]) -> None:
    """Oracle: skimage's PSNR between each photo of 256 px and its gray, averaged, and from the pooled error; 0.01 dB.
    The larger photos come first under a limit."""
    photos = [picture(seed, 256, 256) for seed in range(3)]
    held_out = [Example(photo) for photo in (picture(9, 20, 20), *photos)]
    run = make_run(photos=Photos([Example(photos[0])], held_out))
    figures = run.validate(limit=3)
    errors = []
    for photo in photos:
        truth = photo.permute(1, 2, 0).numpy()
        gray = (255 * color.lab2rgb(color.rgb2lab(truth) * (1, 0, 0))).round()
        errors.append(np.mean((truth - gray) ** 2))
    assert figures["photos"] == 3
    assert figures["gray"] == pytest.approx(np.mean(10 * np.log10(255**2 / np.array(errors))), abs=0.01)
    assert figures["gray pooled"] == pytest.approx(10 * np.log10(255**2 / np.mean(errors)), abs=0.01)
    assert run.validate()["photos"] == 4


def test_validation_leaves_the_run_as_it_was(make_run: MakeRun) -> None:
    """Oracle: the run without validations; losses exact. They happen every step here, and are logged."""
    quiet = make_run("quiet")
    expected = _losses(quiet)
    quiet.train()
    entries: list[dict[str, Any]] = []
    run = make_run("validated", validate_minutes=0.0, report=entries.append)
    losses = _losses(run)
    run.train()
    assert losses == expected
    assert [entry["event"] for entry in entries] == ["validation"] * 6 + ["train"]


def test_export_gives_the_same_prediction(make_run: MakeRun) -> None:
    """Oracle: the final network through its own predictor. With its parameters rounded to fp16 by hand: 1e-3 ab (order
    of sums). Unrounded: 2 % of the largest chroma, fp16 keeping 11 bits over twenty layers; not the same, either."""
    run = make_run(steps=10, rate=1e-2)
    run.train()
    final = run.average.network()
    settings = {key: list(value) if isinstance(value, tuple) else value for key, value in run.settings.items()}
    description = {"method": "smsanet", "variant": "compact", "network": settings, "size": 16}
    path = export_network(run.folder, final, description)
    lightness = 100 * torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(0))
    found = load_method("smsanet", weights=path, device=torch.device("cpu")).predict(lightness)
    exact = smsanet_predictor.Predictor(final)(lightness)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in final.parameters():
            parameter.copy_(parameter.half().float())
    assert torch.allclose(found, smsanet_predictor.Predictor(final)(lightness), atol=1e-3)  # type: ignore[arg-type]
    assert 0 < float((found - exact).abs().max()) < 0.02 * float(exact.abs().max())


def test_publish(make_run: MakeRun, tmp_path: Path) -> None:
    """Oracle: the exported bytes and the manifest's own reader; a second file of the same name replaces the first, one
    of another variant is added."""
    from colorcli.checkpoints.manifest import read_manifest
    from colorcli.media.places import sha256_of

    run = make_run()
    description = {"method": "smsanet", "network": {}, "licence": "MIT", "source": 'made "here"'}
    weights = tmp_path / "weights"
    for variant, source in (("compact", "first"), ("paper", "other"), ("compact", 'the "second"')):
        path = export_network(run.folder, run.average.network(), {**description, "variant": variant, "source": source})
        entry = publish(run.folder if variant == "paper" else path, weights)
        assert (weights / entry.file).read_bytes() == path.read_bytes()
    entries = read_manifest(weights / "manifest.toml")
    assert [(e.file, e.source) for e in entries] == [
        ("smsanet-compact.safetensors", 'the "second"'),
        ("smsanet-paper.safetensors", "other"),
    ]
    for e in entries:
        assert (e.sha256, e.bytes) == (sha256_of(weights / e.file), (weights / e.file).stat().st_size)
    assert sorted(p.name for p in weights.iterdir()) == [
        "manifest.toml",
        "smsanet-compact.safetensors",
        "smsanet-paper.safetensors",
    ]
