"""What crosses the borders between stages, and the errors."""

from __future__ import annotations

import dataclasses

import pytest

from colorcli import errors, items


@pytest.mark.parametrize("kind", ["Job", "PhotoHeader", "Photo", "Batch", "Colored", "Finished", "Failure"])
def test_items_cannot_change_on_their_way(kind: str) -> None:
    """Oracle: the dataclass's own parameters: stages run in threads, so nothing that crosses is mutable."""
    item = getattr(items, kind)
    assert item.__dataclass_params__.frozen
    assert not hasattr(item(*[None] * len(dataclasses.fields(item))), "__dict__")


@pytest.mark.parametrize(
    ("kind", "code"), [("ColorizeError", 1), ("UsageError", 2), ("PhotoError", 3), ("WeightsError", 4)]
)
def test_exit_codes(kind: str, code: int) -> None:
    """Oracle: issue 3: 3 for failed files, 4 for weights; one family."""
    error = getattr(errors, kind)("what was found")
    assert isinstance(error, errors.ColorizeError)
    assert error.exit_code == code
    assert str(error) == "what was found"
