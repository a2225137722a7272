"""Weights files: what is written comes back; anything else is refused by name."""

from __future__ import annotations

import errno
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from colorcli.checkpoints.load import Checkpoint, fill, read_checkpoint, write_checkpoint
from colorcli.errors import ColorizeError, WeightsError

DESCRIPTION: dict[str, Any] = {
    "method": "smsanet",
    "network": {"widths": [4, 4, 8, 8]},
    "source": 'tested "here", größer',
    "gain": 0.85,
}


def _network(seed: int = 0) -> nn.Sequential:
    """A convolution and a batch norm with statistics that fp16 cannot hold."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    with torch.no_grad():
        network[1].running_var.copy_(torch.tensor([1e6, 1.0, 1e-9, 7e4]))
        network[1].running_mean.copy_(torch.tensor([-3e5, 0.1, 0.0, 1e-7]))
    return network


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    write_checkpoint(path, _network(), DESCRIPTION)
    return path


def test_round_trip(written: Path) -> None:
    """Oracle: numpy's fp16 rounding for weights, identity for statistics (1e6 is beyond fp16's 65504) and for the
    description; exact. The count of batches is not stored; no `.part` is left."""
    checkpoint = read_checkpoint(written)
    network = _network()
    assert checkpoint.description == {"format": 1, **DESCRIPTION}
    assert checkpoint.tensors.keys() == {k for k in network.state_dict() if not k.endswith("num_batches_tracked")}
    for name, value in network.state_dict().items():
        if "running" in name:
            assert checkpoint.tensors[name].dtype is torch.float32
            assert torch.equal(checkpoint.tensors[name], value)
        elif name in checkpoint.tensors:
            assert checkpoint.tensors[name].dtype is torch.float16
            assert np.array_equal(checkpoint.tensors[name].numpy(), value.numpy().astype(np.float16))
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_fill_gives_the_network_back(written: Path) -> None:
    """Oracle: the network that was written, its weights rounded to fp16; exact."""
    other = _network(seed=1)
    fill(other, read_checkpoint(written), written.name)
    for name, value in _network().state_dict().items():
        expected = value.half().float() if value.is_floating_point() and "running" not in name else value
        assert torch.equal(other.state_dict()[name], expected)
        assert other.state_dict()[name].dtype == value.dtype


def test_the_same_network_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    """Oracle: the first file; exact, so that a sha256 names the weights and not the moment."""
    write_checkpoint(tmp_path / "again.safetensors", _network(), dict(reversed(DESCRIPTION.items())))
    assert (tmp_path / "again.safetensors").read_bytes() == written.read_bytes()


@pytest.mark.parametrize("value", [1e5, float("nan"), float("inf")])
def test_values_beyond_fp16_are_not_written(tmp_path: Path, value: float) -> None:
    """Oracle: the contract: exported weights are finite; WeightsError names the tensor and no file appears."""
    network = _network()
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] = value
    with pytest.raises(WeightsError, match=r"0\.weight is not finite in torch\.float16"):
        write_checkpoint(tmp_path / "bad.safetensors", network, DESCRIPTION)
    assert not list(tmp_path.iterdir())


def test_full_disk_keeps_the_old_file(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the bytes before; a write that stops half-way (ENOSPC) is one of our errors and leaves no `.part`."""
    before = written.read_bytes()

    def write_half(path: Path, data: bytes) -> int:
        with path.open("wb") as stream:
            stream.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(ColorizeError, match=r"tiny\.safetensors.*No space left.*intact"):
        write_checkpoint(written, _network(1), DESCRIPTION)
    assert written.read_bytes() == before
    assert list(written.parent.iterdir()) == [written]


def test_missing_file(tmp_path: Path) -> None:
    """Oracle: the contract."""
    with pytest.raises(WeightsError, match=r"gone\.safetensors do not exist"):
        read_checkpoint(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_file(written: Path, kept: int) -> None:
    """Oracle: safetensors' own layout: a header that promises more bytes than there are."""
    written.write_bytes(written.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"tiny\.safetensors is not a whole safetensors file"):
        read_checkpoint(written)


def test_tampered_header(written: Path) -> None:
    """Oracle: a header length of 2^56, which a reader must not try to allocate."""
    data = bytearray(written.read_bytes())
    data[7] = 1
    written.write_bytes(data)
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        read_checkpoint(written)


@pytest.mark.parametrize("place", [-1, -20])
def test_tampered_tensors(written: Path, place: int) -> None:
    """Oracle: one bit of a tensor; the file is whole to safetensors' own reader."""
    data = bytearray(written.read_bytes())
    data[place] ^= 1
    written.write_bytes(data)
    with safe_open(written, framework="pt") as stored:
        assert all(stored.get_tensor(name) is not None for name in stored.keys())  # noqa: SIM118
    with pytest.raises(WeightsError, match=r"tiny\.safetensors is damaged"):
        read_checkpoint(written)


def test_tampered_description(written: Path) -> None:
    """Oracle: another gain, of as many characters."""
    data = written.read_bytes()
    assert data.count(b"0.85") == 1
    written.write_bytes(data.replace(b"0.85", b"1.85"))
    with pytest.raises(WeightsError, match=r"tiny\.safetensors is damaged"):
        read_checkpoint(written)


def test_files_of_earlier_versions_have_no_digest(written: Path, tmp_path: Path) -> None:
    """Oracle: the same tensors and description without one are read as they are."""
    with safe_open(written, framework="pt") as stored:
        metadata = {"colorize": stored.metadata()["colorize"]}
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    save_file(tensors, tmp_path / "old.safetensors", metadata=metadata)
    assert read_checkpoint(tmp_path / "old.safetensors").description == read_checkpoint(written).description


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    """Oracle: the contract: WeightsError, not IsADirectoryError."""
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        read_checkpoint(tmp_path)


class _Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_pickled_file_is_not_executed(tmp_path: Path, kind: str) -> None:
    """Oracle: the file that the pickle would make is not there (that it would, is shown first)."""
    path, trace = tmp_path / "weights.safetensors", tmp_path / "executed"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(_Bomb(trace)))
        pickle.loads(path.read_bytes())
    else:
        torch.save(_Bomb(trace), tmp_path / "bomb.pt")
        torch.load(tmp_path / "bomb.pt", weights_only=False)
        (tmp_path / "bomb.pt").rename(path)
    trace.unlink()
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        read_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "not colorize's description"),
        ({"format": "pt"}, "not colorize's description"),
        ({"colorize": "{"}, "not colorize's description"),
        ({"colorize": "[1]"}, "not colorize's description"),
        ({"colorize": json.dumps({"format": 99})}, "is of format 99; this version reads 1"),
        ({"colorize": json.dumps({"method": "smsanet"})}, "is of format None"),
    ],
)
def test_foreign_safetensors(tmp_path: Path, metadata: dict[str, str] | None, message: str) -> None:
    """Oracle: the contract: a valid file of someone else, of a later format or without one, named."""
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata=metadata)
    with pytest.raises(WeightsError, match=message) as caught:
        read_checkpoint(path)
    assert "foreign.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("0.bias"), r"missing \['0\.bias'\], unexpected \[\]"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), r"missing \[\], unexpected \['extra'\]"),
        (lambda tensors: tensors.update({"0.bias": torch.zeros(5)}), r"0\.bias is \(5,\), the network has \(4,\)"),
    ],
)
def test_fill_takes_every_tensor_and_no_other(written: Path, change: Any, message: str) -> None:
    """Oracle: house rule 9, no strict=False: names and shapes; and the network is as it was."""
    checkpoint = read_checkpoint(written)
    change(checkpoint.tensors)
    network = _network(1)
    with pytest.raises(WeightsError, match=f"tiny.*{message}"):
        fill(network, Checkpoint(checkpoint.tensors, checkpoint.description), "tiny")
    assert torch.equal(network[0].weight, _network(1)[0].weight)


def test_description_is_in_the_header(written: Path) -> None:
    """Oracle: safetensors' own reader; other programs find the description under the key `colorize`."""
    with safe_open(written, framework="np") as stored:
        assert json.loads(stored.metadata()["colorize"])["source"] == DESCRIPTION["source"]
