"""From what a person asked for to a weights file."""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from colorcli.checkpoints.load import read_checkpoint
from colorcli.errors import ColorizeError, UsageError, WeightsError
from colorcli.loader import load_method
from colorcli.methods.smsanet.network import SMSANet
from colorcli.train.session import TrainRequest, run_training

RECIPE = """
variant = "compact"
steps = 3
warmup = 0
precision = "fp32"
validation_size = 16
[[stages]]
size = 16
share = 1.0
batch = 2
[network]
widths = [4, 4, 8, 8]
"""


def _quiet(entry: dict[str, Any]) -> None:
    """A report that nobody reads."""
    del entry


@pytest.fixture
def request_for(tmp_path: Path, encoded: Callable[..., bytes]) -> Callable[..., TrainRequest]:
    """request_for(init=..., resume=..., **overrides): a request on five photos and a damaged one."""
    (tmp_path / "photos").mkdir()
    for seed in range(5):
        (tmp_path / "photos" / f"{seed}.png").write_bytes(encoded(seed))
    (tmp_path / "photos" / "cut.png").write_bytes(encoded(0)[:40])
    (tmp_path / "tiny.toml").write_text(RECIPE)

    def make(
        method: str = "smsanet",
        init: Path | None = None,
        resume: bool = False,
        recipe: str | None = None,
        **overrides: Any,
    ) -> TrainRequest:
        name = recipe or str(tmp_path / "tiny.toml")
        return TrainRequest(method, (str(tmp_path / "photos"),), tmp_path / "run", name, init, resume, "cpu", overrides)

    return make


def test_from_photos_to_weights(request_for: Callable[..., TrainRequest]) -> None:
    """Oracle: the loader, which takes the file, and its description: what was asked for, what it was made from."""
    entries: list[dict[str, Any]] = []
    path = run_training(request_for(), entries.append)
    loaded = load_method("smsanet", weights=path, device=torch.device("cpu"))
    assert loaded.predict(torch.full((1, 1, 16, 16), 50.0)).shape == (1, 2, 16, 16)
    description = read_checkpoint(path).description
    assert description["network"] == {"widths": [4, 4, 8, 8]}
    assert (description["variant"], description["size"]) == ("compact", 16)
    assert description["source"].startswith("colorize train smsanet: 6 crops,")
    assert description["gain"] == description["validation"]["gain"]
    texts = [entry["text"] for entry in entries if entry["event"] == "note"]
    assert any("photos/cut.png" in text for text in texts)
    assert "4 photos to train on, 1 held out, 1 damaged and left out" in texts
    logged = [json.loads(line)["event"] for line in (path.parent / "log.jsonl").read_text().splitlines()]
    assert logged[-1] == "final"


def test_an_adversarial_run_keeps_its_colours(request_for: Callable[..., TrainRequest]) -> None:
    """Oracle: the contract: gain 1 in the weights whatever PSNR is best with, which stays in the figures."""
    settings = {"network": {"width": 4, "groups": 2}, "stages": "96:1:1", "steps": 1, "enlarge": 8}
    description = read_checkpoint(run_training(request_for("agin", recipe="default", **settings), _quiet)).description
    assert description["gain"] == 1
    assert description["validation"]["gain"] != 1


def test_a_player_without_losses_sits_out(request_for: Callable[..., TrainRequest]) -> None:
    """Oracle: the recipe, which leaves AGIN's generator from gray to colour alone: its loss is all that is logged."""
    entries: list[dict[str, Any]] = []
    settings = {"network": {"width": 4, "groups": 2}, "stages": "96:1:1", "steps": 1, "enlarge": 8}
    run_training(request_for("agin", recipe="start", **settings), entries.append)
    (trained,) = (entry for entry in entries if entry["event"] == "train")
    assert trained["paired"] > 0 and not {"cycle", "discriminators"} & trained.keys()


def test_a_run_is_not_overwritten_but_resumed(request_for: Callable[..., TrainRequest]) -> None:
    """Oracle: the contract: a folder with a run needs --resume, which goes on at step 3 and exports anew."""
    before = run_training(request_for(), _quiet).read_bytes()
    with pytest.raises(UsageError, match="holds a run already: --resume goes on with it"):
        run_training(request_for(), _quiet)
    entries: list[dict[str, Any]] = []
    path = run_training(request_for(resume=True, steps=5), entries.append)
    assert [entry["step"] for entry in entries if entry["event"] == "resumed"] == [3]
    assert entries[-1]["step"] == 5
    assert path.read_bytes() != before


@pytest.mark.parametrize("kind", ["ours", "foreign"])
def test_init(request_for: Callable[..., TrainRequest], tmp_path: Path, kind: str) -> None:
    """Oracle: at a rate of 1e-9 the exported weights are the donor's, to fp16's 2^-11."""
    torch.manual_seed(8)
    donor = SMSANet((4, 4, 8, 8))
    path = tmp_path / "donor.safetensors"
    if kind == "ours":
        from colorcli.checkpoints.load import write_checkpoint

        write_checkpoint(path, donor, {"method": "smsanet"})
    else:
        save_file({k: v for k, v in donor.state_dict().items() if "num_batches" not in k}, path)
    result = run_training(request_for(init=path, rate=1e-9), _quiet)
    checkpoint = read_checkpoint(result)
    for name, parameter in donor.named_parameters():
        assert torch.allclose(checkpoint.tensors[name].float(), parameter, rtol=2**-10, atol=1e-6)
    assert checkpoint.description["source"].endswith("from donor.safetensors")


def test_damaged_init(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    """Oracle: the contract: WeightsError by name, for a text and for nothing."""
    (tmp_path / "donor.safetensors").write_text("no weights")
    for name in ("donor", "gone"):
        with pytest.raises(WeightsError, match=rf"cannot start from .*{name}\.safetensors"):
            run_training(request_for(init=tmp_path / f"{name}.safetensors"), _quiet)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "secret"}, "no recipe 'secret' is shipped for smsanet; there are: .*default.*published"),
        ({"method": "nothing"}, "nothing to train is called 'nothing'; there are: .*multimodal, backbone, pfanet"),
        ({"speed": 3}, "unknown training setting 'speed'"),
        ({"variant": "huge"}, "no variant 'huge'"),
        ({"backbone": "none.safetensors"}, "no loss of smsanet uses a backbone"),
        ({"saliency": "none.safetensors"}, "no loss of smsanet uses a saliency detector"),
        (
            {"method": "agin", "recipe": "default", "stages": "96:0.5:1,64:0.5:1"},
            "agin cannot learn from pictures of 64 px: every stage needs at least 96 px",
        ),
    ],
)
def test_requests_that_cannot_be_carried_out(
    request_for: Callable[..., TrainRequest], change: dict[str, Any], message: str
) -> None:
    """Oracle: the contract: UsageError before the run's folder holds anything."""
    request = request_for(**change)
    with pytest.raises(UsageError, match=message):
        run_training(request, _quiet)
    assert not request.out.exists()


def test_demonstration_without_data(tmp_path: Path) -> None:
    """Oracle: the contract: without DATA, on the wheel's photographs, and the person is told; one step here."""
    overrides = {"steps": 1, "stages": "16:1:2", "network": {"widths": (4, 4, 8, 8)}, "validation_size": 16}
    entries: list[dict[str, Any]] = []
    path = run_training(
        TrainRequest("smsanet", (), tmp_path / "demo", None, None, False, "cpu", overrides), entries.append
    )
    assert "demonstration" in entries[0]["text"]
    assert read_checkpoint(path).description["variant"] == "compact"


@pytest.mark.parametrize(("method", "need"), [("backbone", "a label"), ("pfanet", r"a mask \(NAME\.mask\.png\)")])
def test_demonstration_that_there_is_not(tmp_path: Path, method: str, need: str) -> None:
    """Oracle: the contract: the wheel's photographs have neither labels nor masks; no folder is made."""
    with pytest.raises(UsageError, match=rf"{method} needs DATA: pictures with {need}"):
        run_training(TrainRequest(method, (), tmp_path / "demo", None, None, False, "cpu", {}), _quiet)
    assert not (tmp_path / "demo").exists()


def test_resume_with_other_data_is_refused(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    """Oracle: the contract: a photo more, and the run is another one."""
    request = request_for()
    run_training(request, _quiet)
    (tmp_path / "photos" / "more.png").write_bytes((tmp_path / "photos" / "1.png").read_bytes())
    with pytest.raises(ColorizeError, match="is of data = "):
        run_training(request_for(resume=True, steps=5), _quiet)


def test_a_folder_that_cannot_be_made(request_for: Callable[..., TrainRequest]) -> None:
    """Oracle: the contract: a file in the folder's place is one of our errors, and stays as it is."""
    request = request_for()
    request.out.write_text("a file of mine")
    with pytest.raises(ColorizeError, match=r"the run's folder .*run cannot be used: File exists; choose another -o"):
        run_training(request, _quiet)
    assert request.out.read_text() == "a file of mine"


def test_one_photo(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    """Oracle: the contract: one photo is trained on, none is held out, and the person is told; the weights load."""
    entries: list[dict[str, Any]] = []
    request = replace(request_for(), data=(str(tmp_path / "photos" / "1.png"),))
    path = run_training(request, entries.append)
    assert any(entry.get("text") == "1 photos to train on, 0 held out" for entry in entries)
    assert read_checkpoint(path).description["validation"] == {}
    assert load_method("smsanet", weights=path, device=torch.device("cpu")).predict(torch.zeros(1, 1, 16, 16)).numel()


def test_one_class(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    """Oracle: the contract: a classifier of one class is right without looking."""
    (tmp_path / "labelled").mkdir()
    (tmp_path / "photos").rename(tmp_path / "labelled" / "cat")
    settings = {"stages": "32:1:2", "variant": "compact", "steps": 1, "enlarge": 8}
    request = replace(request_for("backbone", recipe="default", **settings), data=(str(tmp_path / "labelled"),))
    with pytest.raises(UsageError, match=r"every photo with a label is of one class \(cat\)"):
        run_training(request, _quiet)


def test_photos_in_a_file(request_for: Callable[..., TrainRequest], tmp_path: Path) -> None:
    """Oracle: the run with photos in memory: weights exact; 5 photos of 22 x 22 x 3 bytes are told to lie in a file, of
    which the run's folder keeps nothing; a resume with photos in memory goes on as from the other run, exact."""
    tensors, folders = [], []
    for hold in ("memory", "file"):
        entries: list[dict[str, Any]] = []
        request = replace(request_for(hold=hold), out=tmp_path / hold)
        run_training(request, entries.append)
        told = [entry for entry in entries if "lie in a file" in entry.get("text", "")]
        (data,) = (entry for entry in entries if entry["event"] == "data")
        assert (len(told), data.get("bytes in a file")) == ((1, 5 * 22 * 22 * 3) if hold == "file" else (0, None))
        folders.append({path.name for path in (tmp_path / hold).iterdir()})
        path = run_training(replace(request_for(resume=True, steps=5), out=tmp_path / hold), _quiet)
        tensors.append(read_checkpoint(path).tensors)
    assert folders[0] == folders[1]
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


def test_no_room_for_the_photos(request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the contract: a full disk ends the run with one of our errors, and the folder stays empty."""

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    request = request_for(hold="file")
    with pytest.raises(ColorizeError, match=r"cannot be written to .*run: .*No space left on device"):
        run_training(request, _quiet)
    assert not list(request.out.iterdir())


def test_resume_of_nothing_is_told_before_the_photos_are_read(request_for: Callable[..., TrainRequest]) -> None:
    """Oracle: the contract: nothing is told of reading, and no folder is made."""
    entries: list[dict[str, Any]] = []
    request = request_for(resume=True, hold="file")
    with pytest.raises(ColorizeError, match=r"nothing to resume: .*state\.pt does not exist"):
        run_training(request, entries.append)
    assert not entries
    assert not request.out.exists()
