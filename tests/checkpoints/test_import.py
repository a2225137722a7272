"""Published checkpoints: random tensors in the 2017 network's layout, and that network written again from its table."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.checkpoints.load import read_checkpoint
from colorcli.errors import UsageError, WeightsError
from colorcli.loader import build_network, import_published
from colorcli.methods.registry import METHODS

# Zhang et al. 2017, the published network: name of a layer -> shape of its weight. Batch norms have none in this table.
_CONVOLUTIONS = {
    "model1.0": (64, 4, 3, 3), "model1.2": (64, 64, 3, 3),
    "model2.0": (128, 64, 3, 3), "model2.2": (128, 128, 3, 3),
    "model3.0": (256, 128, 3, 3), "model3.2": (256, 256, 3, 3), "model3.4": (256, 256, 3, 3),
    "model4.0": (512, 256, 3, 3), "model4.2": (512, 512, 3, 3), "model4.4": (512, 512, 3, 3),
    "model5.0": (512, 512, 3, 3), "model5.2": (512, 512, 3, 3), "model5.4": (512, 512, 3, 3),
    "model6.0": (512, 512, 3, 3), "model6.2": (512, 512, 3, 3), "model6.4": (512, 512, 3, 3),
    "model7.0": (512, 512, 3, 3), "model7.2": (512, 512, 3, 3), "model7.4": (512, 512, 3, 3),
    "model8up.0": (512, 256, 4, 4), "model3short8.0": (256, 256, 3, 3),
    "model8.1": (256, 256, 3, 3), "model8.3": (256, 256, 3, 3),
    "model9up.0": (256, 128, 4, 4), "model2short9.0": (128, 128, 3, 3), "model9.1": (128, 128, 3, 3),
    "model10up.0": (128, 128, 4, 4), "model1short10.0": (128, 64, 3, 3), "model10.1": (128, 128, 3, 3),
    "model_class.0": (529, 256, 1, 1), "model_out.0": (2, 128, 1, 1),
}  # fmt: skip
_NORMS = {
    "model1.4": 64, "model2.4": 128, "model3.6": 256, "model4.6": 512, "model5.6": 512, "model6.6": 512,
    "model7.6": 512, "model8.5": 256, "model9.3": 128,
}  # fmt: skip


def _published() -> dict[str, Tensor]:
    """Random tensors in the published layout, small enough to keep the activations near one."""
    draw = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}
    for name, shape in _CONVOLUTIONS.items():
        fan = shape[0] if "up" in name else shape[1]
        tensors[f"{name}.weight"] = torch.randn(shape, generator=draw) * (1 / (fan * shape[2] * shape[3])) ** 0.5
        tensors[f"{name}.bias"] = 0.1 * torch.randn(shape[1] if "up" in name else shape[0], generator=draw)
    for name, width in _NORMS.items():
        tensors[f"{name}.weight"] = 1 + 0.1 * torch.randn(width, generator=draw)
        tensors[f"{name}.bias"] = 0.1 * torch.randn(width, generator=draw)
        tensors[f"{name}.running_mean"] = 0.1 * torch.randn(width, generator=draw)
        tensors[f"{name}.running_var"] = 1 + 0.2 * torch.rand(width, generator=draw)
        tensors[f"{name}.num_batches_tracked"] = torch.tensor(7)
    return tensors


def _by_hand(p: dict[str, Tensor], lightness: Tensor, hints: Tensor, mask: Tensor) -> Tensor:
    """The published network in plain function calls, from its description: CIE L and ab in, CIE ab out."""

    def conv(x: Tensor, name: str, dilation: int = 1, stride: int = 1) -> Tensor:
        weight = p[f"{name}.weight"]
        padding = dilation * (weight.shape[2] // 2)
        return F.conv2d(x, weight, p[f"{name}.bias"], stride=stride, padding=padding, dilation=dilation)

    def up(x: Tensor, name: str) -> Tensor:
        return F.conv_transpose2d(x, p[f"{name}.weight"], p[f"{name}.bias"], stride=2, padding=1)

    def norm(x: Tensor, name: str) -> Tensor:
        values = (p[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *values, training=False, eps=1e-5)

    def block(x: Tensor, name: str, indices: tuple[int, ...], end: int, dilation: int = 1) -> Tensor:
        for index in indices:
            x = F.relu(conv(x, f"{name}.{index}", dilation))
        return norm(x, f"{name}.{end}")

    x = torch.cat(((lightness - 50) / 100, hints / 110, mask), dim=1)
    one = block(x, "model1", (0, 2), 4)
    two = block(one[:, :, ::2, ::2], "model2", (0, 2), 4)
    three = block(two[:, :, ::2, ::2], "model3", (0, 2, 4), 6)
    x = block(three[:, :, ::2, ::2], "model4", (0, 2, 4), 6)
    x = block(x, "model5", (0, 2, 4), 6, dilation=2)
    x = block(x, "model6", (0, 2, 4), 6, dilation=2)
    x = block(x, "model7", (0, 2, 4), 6)
    x = F.relu(up(x, "model8up.0") + conv(three, "model3short8.0"))
    x = block(x, "model8", (1, 3), 5)
    x = F.relu(up(x, "model9up.0") + conv(two, "model2short9.0"))
    x = block(x, "model9", (1,), 3)
    x = F.relu(up(x, "model10up.0") + conv(one, "model1short10.0"))
    x = F.leaky_relu(conv(x, "model10.1"), 0.2)
    return 110 * torch.tanh(conv(x, "model_out.0"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "siggraph17.pth"
    torch.save(_published(), path)
    return path


def test_imported_network_is_the_published_one(published: Path, tmp_path: Path) -> None:
    """Oracle: the network by hand with the same tensors, with and without hints; 1e-5 of the tanh's range (110 ab)."""
    target = tmp_path / "imported.safetensors"
    import_published("siggraph17", published, target, "BSD-2-Clause")
    checkpoint = read_checkpoint(target)
    assert checkpoint.description["licence"] == "BSD-2-Clause"
    assert "siggraph17.pth, sha256 " in checkpoint.description["source"]
    network = build_network(METHODS["siggraph17"], checkpoint, str(target))
    draw = torch.Generator().manual_seed(1)
    lightness = 100 * torch.rand(1, 1, 32, 48, generator=draw)
    mask = (torch.rand(1, 1, 32, 48, generator=draw) < 0.1).float()
    hints = mask * (200 * torch.rand(1, 2, 32, 48, generator=draw) - 100)
    for m in (mask, torch.zeros_like(mask)):
        with torch.no_grad():
            expected = _by_hand(_published(), lightness, hints * m, m)
            found = 110 * network(torch.cat(((lightness - 50) / 100, hints * m / 110, m), dim=1))
        assert expected.std() > 1
        assert torch.allclose(found, expected, atol=110 * 1e-5, rtol=0)


@pytest.mark.parametrize("wrapped", [lambda t: {"state_dict": t}, lambda t: {f"module.{k}": v for k, v in t.items()}])
def test_wrappers_of_training_scripts(tmp_path: Path, wrapped: Callable[[Any], Any]) -> None:
    """Oracle: the tensors that went in; exact."""
    tensors = _published()
    torch.save(wrapped(tensors), tmp_path / "w.pth")
    import_published("siggraph17", tmp_path / "w.pth", tmp_path / "out.safetensors", "?")
    found = read_checkpoint(tmp_path / "out.safetensors").tensors
    assert found.keys() == {name for name in tensors if not name.endswith("num_batches_tracked")}
    assert all(torch.equal(found[name], tensors[name]) for name in found)


def test_every_fault_of_the_layout_is_named(tmp_path: Path) -> None:
    """Oracle: the contract: all missing, all unexpected and all misshapen keys in one message; nothing is written."""
    tensors = _published()
    del tensors["model1.0.bias"], tensors["model9.3.running_var"]
    tensors["extra.weight"] = torch.zeros(1)
    tensors["model_out.0.weight"] = torch.zeros(3, 128, 1, 1)
    torch.save(tensors, tmp_path / "odd.pth")
    with pytest.raises(WeightsError) as caught:
        import_published("siggraph17", tmp_path / "odd.pth", tmp_path / "out.safetensors", "?")
    message = str(caught.value)
    assert "missing: model1.0.bias, model9.3.running_var" in message
    assert "unexpected: extra.weight" in message
    assert "of another shape: model_out.0.weight is (3, 128, 1, 1), not (2, 128, 1, 1)" in message
    assert not (tmp_path / "out.safetensors").exists()


class _Trap:
    """What a hostile pickle does when it is opened the common way."""

    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (setattr, (_Trap, "sprung", True))


@pytest.mark.parametrize("content", [_Trap(), argparse.Namespace(rate=_Trap()), Path("a.pth")])
def test_nothing_is_executed(tmp_path: Path, content: Any) -> None:
    """Oracle: the trap stays unsprung (plain pickle springs it); objects that are no tensors are refused by name, and
    nobody is told how to open them all the same, which is what torch's own message does."""
    torch.save({"model": _published(), "args": content}, tmp_path / "t.pth")
    with pytest.raises(WeightsError, match=r"t\.pth holds more than tensors.*(setattr|pathlib)") as caught:
        import_published("siggraph17", tmp_path / "t.pth", tmp_path / "out.safetensors", "?")
    assert not _Trap.sprung
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda _: None, "does not exist"),
        (lambda path: path.write_bytes(b"no weights"), "is not a whole PyTorch file|holds more than tensors"),
        (lambda path: torch.save([torch.zeros(1)], path), "holds a list, not named tensors"),
        (lambda path: torch.save({"epoch": 3}, path), "holds no tensors"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "is not a whole|more than tensors|holds no tensors"),
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, write: Callable[[Path], Any], message: str) -> None:
    """Oracle: the contract: WeightsError by name."""
    path = tmp_path / "w.pth"
    write(path)
    with pytest.raises(WeightsError, match=rf"w\.pth .*({message})|w\.pth ({message})"):
        import_published("siggraph17", path, tmp_path / "out.safetensors", "?")


def test_cut_download(published: Path, tmp_path: Path) -> None:
    """Oracle: the contract, for the first two thirds of a real file."""
    cut = tmp_path / "cut.pth"
    cut.write_bytes(published.read_bytes()[: published.stat().st_size * 2 // 3])
    with pytest.raises(WeightsError, match=r"cut\.pth is not a whole PyTorch file"):
        import_published("siggraph17", cut, tmp_path / "out.safetensors", "?")


def test_method_without_a_published_layout(published: Path, tmp_path: Path) -> None:
    """Oracle: the contract: UsageError with those that have one."""
    with pytest.raises(
        UsageError, match="no published layout is known for smsanet; it is for: siggraph17, color2embed"
    ):
        import_published("smsanet", published, tmp_path / "out.safetensors", "?")


def test_a_file_that_is_there_stays(published: Path, tmp_path: Path, colorize: Callable[..., Any]) -> None:
    """Oracle: the bytes of both files: exit 2 unless --overwrite is given, and for the checkpoint itself also then."""
    source, target = tmp_path / "p.pth", tmp_path / "mine.safetensors"
    source.write_bytes(published.read_bytes())
    target.write_bytes(b"mine")
    (tmp_path / "link.pth").symlink_to(source)
    arguments = ("weights", "import", "siggraph17", source, "-o")
    answer = colorize(*arguments, target)
    assert answer.code == 2 and "mine.safetensors is there already; --overwrite replaces it" in answer.err
    assert target.read_bytes() == b"mine"
    for itself in (source, tmp_path / "link.pth"):
        for more in ([], ["--overwrite"]):
            answer = colorize(*arguments, itself, *more)
            assert answer.code == 2 and f"{itself.name} is the published checkpoint itself" in answer.err
    assert source.read_bytes() == published.read_bytes() and (tmp_path / "link.pth").is_symlink()
    assert colorize(*arguments, target, "--overwrite").code == 0
    assert read_checkpoint(target).description["method"] == "siggraph17"
