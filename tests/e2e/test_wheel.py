"""The wheel, built from a copy of this tree: its weights and recipes are found, and it colours a photo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from colorcli import __version__
from colorcli.checkpoints.manifest import read_manifest

_TREE = Path(__file__).resolve().parents[2]
_SHIPPED = ("colorcli", "weights", "training", "pyproject.toml", "README.md", "LICENSE")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree, so that the build leaves nothing here."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in _SHIPPED:
        source = _TREE / name
        if source.is_dir():
            shutil.copytree(source, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / "tree").mkdir(exist_ok=True)
            shutil.copy(source, folder / "tree" / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    done = subprocess.run([*build, "-w", folder, folder / "tree"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh venv's scripts folder: the wheel in it, and this environment's libraries by a .pth file.

    A .pth of a folder that a .pth names is not read, so the editable install of the source tree stays out.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(folder)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    # The libraries come after the wheel: with them in sight pip would take colorize for installed.
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "-q", wheel]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    purelib = subprocess.run([python, "-I", "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(purelib) / "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n")
    return scripts


@pytest.fixture
def call(installed: Path, tmp_path: Path) -> Callable[..., str]:
    """call("colorize", ...): a program of the venv, run far from the source tree; its stdout."""

    def run(program: str, *arguments: object) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command = [str(installed / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_wheel_holds_the_weights_recipes_and_pages(wheel: Path) -> None:
    """Oracle: the tree's own files, byte for byte, and no tests in it."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for folder in ("weights", "training"):
            for path in (
                path for path in (_TREE / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
            ):
                assert archive.read(f"colorcli/shipped/{path.relative_to(_TREE).as_posix()}") == path.read_bytes()
        for path in (_TREE / "colorcli" / "report" / "assets").iterdir():
            assert archive.read(f"colorcli/report/assets/{path.name}") == path.read_bytes()
    assert "colorcli/shipped/weights/manifest.toml" in names
    assert "colorcli/shipped/training/smsanet/default.toml" in names
    assert not [name for name in names if name.startswith("tests/") or name.endswith(".pyc")]


def test_the_installed_wheel_colours_a_photo(call: Callable[..., str], tmp_path: Path, tiny_weights: Path) -> None:
    """Oracle: the package comes from the venv; a coloured photo of the sample's size. Shipped weights are required
    as soon as this tree's manifest names some for smsanet; until then a tiny network stands in."""
    place = Path(call("python", "-c", "import colorcli; print(colorcli.__file__)").strip())
    assert "site-packages" in place.parts and _TREE not in place.parents
    assert call("colorize", "--version") == f"colorize {__version__}\n"
    assert "smsanet" in call("colorize", "methods")
    entries = read_manifest(_TREE / "weights" / "manifest.toml")
    assert call("colorize", "weights", "verify").splitlines() == [f"{entry.file}: whole" for entry in entries]
    shipped = any((entry.method, entry.variant) == ("smsanet", "compact") for entry in entries)
    if shipped:
        weights = Path(call("colorize", "weights", "path", "smsanet").strip())
        assert place.parent in weights.parents
    sample = Path(call("colorize", "samples", "photos").splitlines()[0])
    chosen = () if shipped else ("--weights", tiny_weights)
    assert "1 coloured" in call("colorize", "auto", sample, "-o", "out", *chosen)
    result = Image.open(tmp_path / "out" / sample.name)
    assert result.mode == "RGB" and result.size == Image.open(tmp_path / sample).size
    spread = max(high - low for low, high in zip(*_means(result), strict=True))
    assert spread > 0


def _means(picture: Image.Image) -> tuple[list[int], list[int]]:
    """Smallest and largest channel of every pixel."""
    pixels = list(picture.get_flattened_data())
    return [min(pixel) for pixel in pixels], [max(pixel) for pixel in pixels]
