"""What the tests share: a tiny network's weights, small photographs, and the command line, in and out of process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported. Processes side by side whose threads wait for each other spin away half of the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

Bytes = NDArray[np.uint8]
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")  # in scikit-image's wheel; nothing is downloaded
# SIGINT is ignored by what a shell without job control starts in the background; a person's terminal never does that.
_LAUNCH = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from colorcli.cli import main; main()"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What some tests are asked for besides."""
    parser.addoption("--fuzz", type=int, default=60, help="how many mutated files tests/e2e/test_fuzz.py reads")
    parser.addoption("--table", default="", help="the page whose table tests/e2e/test_awkward.py makes anew")
    parser.addoption(
        "--kills", type=int, default=3, help="how often tests/e2e/test_killed_often.py kills a run of 12 photos or more"
    )
    parser.addoption("--kills-seed", type=int, default=None, help="of the moments; else chosen anew, and printed")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """`-n auto`: a process for each core and one more, since tests of servers and kills mostly wait."""
    cores = yield
    return cores + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random SMSANet of 4 to 8 channels at 64 px: milliseconds per photo; chroma of about 25, so never gray."""
    import torch

    from colorcli.checkpoints.load import write_checkpoint
    from colorcli.methods.smsanet.network import SMSANet

    return _write_tiny(tmp_path_factory.mktemp("weights") / "tiny.safetensors", 0, torch, SMSANet, write_checkpoint)


@pytest.fixture(scope="session")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shape with other random values."""
    import torch

    from colorcli.checkpoints.load import write_checkpoint
    from colorcli.methods.smsanet.network import SMSANet

    return _write_tiny(tmp_path_factory.mktemp("weights") / "other.safetensors", 1, torch, SMSANet, write_checkpoint)


def _write_tiny(path: Path, seed: int, torch: Any, network: Any, write: Callable[..., None]) -> Path:
    widths = (4, 4, 8, 8)
    torch.manual_seed(seed)
    description = {
        "method": "smsanet",
        "variant": "compact",
        "network": {"widths": list(widths)},
        "size": 64,
        "licence": "MIT",
        "source": "random values, for tests",
    }
    write(path, network(widths=widths), description)
    return path


@pytest.fixture(scope="session")
def exemplar_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Color2Embed of 4 to 8 channels at 64 px, at He's scale: another reference is another colour."""
    import torch

    from colorcli.checkpoints.load import write_checkpoint
    from colorcli.methods.color2embed.network import Color2Embed

    settings = {"widths": [8, 8, 8, 8], "encoder": [4, 4, 8, 8, 8], "hidden": 8, "reference_side": 32}
    torch.manual_seed(0)
    network = Color2Embed(**settings)  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.nn.init.normal_(network.colorUNet.outc[2].weight, std=0.01)  # far from the ends of tanh
    path = tmp_path_factory.mktemp("weights") / "exemplar.safetensors"
    write_checkpoint(path, network, {"method": "color2embed", "network": settings, "size": 64})
    return path


@pytest.fixture(scope="session")
def stylization_weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Random transfer and colorization sub-nets of 4 to 12 channels, the second at 64 px, with a gain of 0.5."""
    import torch

    from colorcli.checkpoints.load import write_checkpoint
    from colorcli.methods.stylization.colorization import ColorizationNet
    from colorcli.methods.stylization.transfer import TransferNet

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    said = {"variant": "compact", "licence": "MIT", "source": "random values, for tests"}
    widths = {"widths": [4, 6, 8, 12]}
    transfer = folder / "transfer.safetensors"
    write_checkpoint(transfer, TransferNet(**widths), {**said, "method": "stylization-transfer", "network": widths})
    settings = {"widths": [4, 6, 8, 10], "growth": 3}
    network = ColorizationNet(**settings)  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.nn.init.normal_(network.out[0].weight, std=0.1)  # type: ignore[arg-type]  # far from the ends of tanh
    colorization = folder / "colorization.safetensors"
    described = {**said, "method": "stylization-colorization", "network": settings, "gain": 0.5, "size": 64}
    write_checkpoint(colorization, network, described)
    return transfer, colorization


@pytest.fixture(scope="session")
def photograph() -> Callable[..., Bytes]:
    """photograph(name, width, height): a photograph of scikit-image at that size, (height, width, 3) uint8 RGB."""
    from skimage import data

    def make(name: str, width: int, height: int) -> Bytes:
        picture = Image.fromarray(getattr(data, name)())
        return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))

    return make


@pytest.fixture(scope="session")
def put_photo(photograph: Callable[..., Bytes]) -> Callable[..., Path]:
    """put_photo(path, name, width, height): writes a grayed photograph in the format of the path's suffix."""

    def put(path: Path, name: str = "astronaut", width: int = 96, height: int = 96) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:  # a stream: Pillow takes no name that is not UTF-8
            kind = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF"}[path.suffix]
            Image.fromarray(photograph(name, width, height)).convert("L").save(stream, kind)
        return path

    return put


@pytest.fixture(scope="session")
def put_color(photograph: Callable[..., Bytes]) -> Callable[..., Path]:
    """put_color(path, name, width, height): writes a photograph in colour, in the format of the path's suffix."""

    def put(path: Path, name: str = "coffee", width: int = 60, height: int = 40) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(name, width, height)).save(path)
        return path

    return put


@pytest.fixture
def photos(tmp_path: Path, put_photo: Callable[..., Path]) -> Path:
    """A folder of four small PNGs: three of one shape, one of another."""
    for name in PHOTOGRAPHS:
        put_photo(tmp_path / "photos" / f"{name}.png", name, 96, 72 if name == "rocket" else 96)
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def colorize() -> Callable[..., Answer]:
    """colorize("auto", folder, ...): the command line in this process."""
    from colorcli.cli import app

    def call(*arguments: object) -> Answer:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture(scope="session")
def auto(colorize: Callable[..., Answer], tiny_weights: Path) -> Callable[..., Answer]:
    """auto(folder, ..., out=OUT): `colorize auto` with the tiny network, on the CPU also where there is a GPU."""

    def call(*arguments: object, out: Path, weights: Path = tiny_weights) -> Answer:
        return colorize("auto", *arguments, "-o", out, "--weights", weights, "-d", "cpu")

    return call


@pytest.fixture(scope="session")
def exemplar(colorize: Callable[..., Answer], exemplar_weights: Path) -> Callable[..., Answer]:
    """exemplar(folder, ..., ref=[...], out=OUT): `colorize exemplar` with the tiny network, on the CPU."""

    def call(*arguments: object, ref: list[Path], out: Path | None = None, weights: Path = exemplar_weights) -> Answer:
        references = [part for path in ref for part in ("--ref", path)]
        place = () if out is None else ("-o", out)
        return colorize("exemplar", *arguments, *references, *place, "--weights", weights, "-d", "cpu")

    return call


@pytest.fixture
def start_colorize() -> Callable[..., subprocess.Popen[str]]:
    """start_colorize("auto", ...): the command line in a process of its own, to be signalled.

    before: what that does first, as Python."""

    def start(*arguments: object, before: str = "") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", f"{before}\n{_LAUNCH}", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    return start


@pytest.fixture(scope="session")
def files_in() -> Callable[[Path], dict[str, bytes]]:
    """files_in(folder): every file below it by its relative name, the ledger's own left out."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and ".colorize" not in path.relative_to(folder).parts
        }

    return read
