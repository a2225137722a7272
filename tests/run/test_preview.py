"""A rehearsal answers for every photo, whatever is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from colorcli.errors import ColorizeError
from colorcli.items import Failure, Job
from colorcli.run.ledger import copied_ledger
from colorcli.run.preview import Planned, preview


def test_a_defect_is_one_photos_failure(
    tmp_path: Path, put_photo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: what a run does: one answer per photo, in their order, the broken one told by name; but an error of
    ours that is no photo's ends the rehearsal as it ends the run."""
    sources = [put_photo(tmp_path / "in" / f"{number}.png", "coffee", 32, 32) for number in range(3)]
    jobs = [Job(source, tmp_path / "out" / source.name, source.name) for source in sources]
    error: Exception = ZeroDivisionError("a defect")

    def broken(job: Job, *_: object, **__: object) -> None:
        if job.name == "1.png":
            raise error

    monkeypatch.setattr("colorcli.run.preview.open_hints", broken)
    with copied_ledger(tmp_path / "out", "settings") as ledger:
        answers = list(preview(jobs, ledger, max_pixels=0, overwrite=False))
        assert answers[0] == Planned(jobs[0]) and answers[2] == Planned(jobs[2])
        assert answers[1] == Failure("1.png", "decode", "unexpected ZeroDivisionError: a defect")
        error = ColorizeError("the ledger is gone")
        with pytest.raises(ColorizeError, match="gone"):
            list(preview(jobs, ledger, max_pixels=0, overwrite=False))
