"""Options that mean the same in several tables, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from colorcli.errors import UsageError

if TYPE_CHECKING:
    from colorcli.loader import LoadedMethod


def load(
    method: str,
    weights: Sequence[Path] | None,
    device: str,
    precision: str,
    *,
    transform: str | None,
    size: int,
    limit: int,
) -> LoadedMethod:
    """The method that is measured. Errors: UsageError for a size or a limit that cannot be, and those of loading."""
    from colorcli.devices import choose_device, choose_precision
    from colorcli.loader import choices_of, load_method
    from colorcli.methods.registry import METHODS

    spec = METHODS[method]
    if size % spec.multiple or size < 0 or limit < 0:
        raise UsageError(f"--size must be a multiple of {spec.multiple}, --limit 0 or more")
    choices = choices_of(spec, {"transform": transform})
    processor = choose_device(device)
    dtype = choose_precision(precision, processor, spec.half)
    return load_method(method, weights=weights, device=processor, dtype=dtype, choices=choices)
