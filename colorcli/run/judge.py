"""What the ledger says of a job before it is begun."""

from __future__ import annotations

from dataclasses import dataclass

from colorcli.errors import PhotoError
from colorcli.items import Failure, Job
from colorcli.run.ledger import Ledgers
from colorcli.run.marks import Mark, Standing

_KEPT = "it was coloured in its own place with other settings, and stays so: --overwrite colours the result once more"


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A job whose result is there already."""

    job: Job
    notes: tuple[str, ...] = ()  # what a person should know


def judge(job: Job, ledgers: Ledgers, overwrite: bool) -> Mark | Unchanged | Failure:
    """What its ledger says of a job: the mark of its source if it is to be done."""
    try:
        with ledgers.of(job) as ledger:
            standing, mark, path = ledger.look(job)
    except PhotoError as error:
        return job.failed("encode", str(error))
    except OSError as error:
        what = (
            f"its hints {job.sidecar.name} cannot" if job.sidecar and error.filename == str(job.sidecar) else "cannot"
        )
        return job.failed("decode", f"{what} be read: {error.strerror or error}")
    if standing is Standing.DONE:
        return Unchanged(job)
    if standing is Standing.KEPT and not overwrite:
        return Unchanged(job, (_KEPT,))
    if standing is Standing.FOREIGN and not overwrite and job.in_place and path == job.target:
        reason = "it was coloured in its own place and changed since: --overwrite colours it as it is now"
        return job.failed("decode", reason)
    if standing is Standing.FOREIGN and not overwrite:
        return job.failed("decode", f"{path} exists and was not made by this tool from this photo: --overwrite")
    return mark
