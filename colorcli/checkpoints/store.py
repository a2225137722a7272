"""Where weights lie, and whether they are what the manifest says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from colorcli.checkpoints.manifest import Entry, read_manifest
from colorcli.errors import WeightsError
from colorcli.media.places import sha256_of

MANIFEST = "manifest.toml"  # beside the files that it lists
_PACKAGE = Path(__file__).resolve().parents[1]
_MEND = "mend it in the clone with `git checkout -- weights && pip install --force-reinstall --no-deps .`"


def shipped_folder(name: str) -> Path:
    """`weights` or `training` as they were shipped: inside an installed package, or beside it in a clone."""
    installed = _PACKAGE / "shipped" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def shipped() -> tuple[Entry, ...]:
    """What the manifest lists; WeightsError if that is nothing."""
    manifest = shipped_folder("weights") / MANIFEST
    entries = read_manifest(manifest)
    if not entries:
        raise WeightsError(f"the weights' manifest {manifest} lists none; {_MEND}")
    return entries


def find(method: str, variant: str = "compact") -> Entry:
    """The shipped weights of a method; WeightsError where there are none."""
    for entry in read_manifest(shipped_folder("weights") / MANIFEST):
        if (entry.method, entry.variant) == (method, variant):
            return entry
    raise WeightsError(
        f"no weights are shipped for {method} ({variant}); make them with `colorize train {method} PHOTOS --variant "
        f"{variant} -o runs/{method}`, then name them with --weights runs/{method}/weights.safetensors"
    )


def path_of(entry: Entry) -> Path:
    """The place of a shipped file."""
    return shipped_folder("weights") / entry.file


def digest(path: Path) -> str:
    """The sha256 of a weights file, hexadecimal; WeightsError where it cannot be read."""
    with _readable(path):
        return sha256_of(path)


def verify(entry: Entry) -> Path:
    """The place of a shipped file whose size and sha256 are right; WeightsError where they are not or unreadable."""
    path = path_of(entry)
    with _readable(path):
        size = path.stat().st_size if path.is_file() else None
    if size is None:
        raise WeightsError(f"the weights {path} are missing; {_MEND}")
    if size != entry.bytes:
        raise WeightsError(f"{path} has {size} bytes, the manifest says {entry.bytes}; {_MEND}")
    found = digest(path)
    if found != entry.sha256:
        raise WeightsError(f"{path} is damaged: sha256 {found[:12]}..., expected {entry.sha256[:12]}...; {_MEND}")
    return path


def verify_named(path: Path) -> None:
    """WeightsError for a file that is not what a manifest in its folder says of its name. Without one nothing is."""
    manifest = path.with_name(MANIFEST)
    for entry in read_manifest(manifest) if manifest.is_file() else ():
        if entry.file == path.name and (found := digest(path)) != entry.sha256:
            raise WeightsError(
                f"{path} is damaged or another file: sha256 {found[:12]}..., {manifest} says {entry.sha256[:12]}...; "
                "export it again, or move it out of that folder"
            )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"the weights {path} cannot be read ({reason}); check their permissions") from None
