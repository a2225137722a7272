"""The list of methods and what a spec promises."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from colorcli.errors import UsageError
from colorcli.methods.registry import COMPANIONS, METHODS, Registry


def test_a_name_is_registered_once() -> None:
    """Oracle: the contract: ValueError that names it, and the first one stays."""
    registry = Registry()
    registry.add(METHODS["smsanet"])
    with pytest.raises(ValueError, match="'smsanet' is registered twice"):
        registry.add(dataclasses.replace(METHODS["siggraph17"], name="smsanet"))
    assert [spec.title for spec in registry] == ["SMSANet"]


def test_unknown_method_lists_what_there_is() -> None:
    """Oracle: house rule 9."""
    with pytest.raises(UsageError, match="no method is called 'deoldify'; there are: smsanet, siggraph17"):
        METHODS["deoldify"]


def test_order_is_that_of_registration() -> None:
    """Oracle: the registry's own lines."""
    assert [spec.name for spec in METHODS][:2] == ["smsanet", "siggraph17"]


def test_missing_role_is_named() -> None:
    """Oracle: the contract of MethodSpec.load."""
    with pytest.raises(UsageError, match="backbone has no predictor yet"):
        COMPANIONS["backbone"].load("predictor")


@pytest.mark.parametrize("module", ["colorcli.methods.registry", "colorcli.items", "colorcli.errors"])
def test_import_loads_no_torch(module: str) -> None:
    """Oracle: sys.modules of a fresh interpreter (house rule 12: `--help` must stay quick)."""
    code = f"import sys, {module}; print(sorted({{'torch', 'numpy', 'torchvision'}} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
