"""The films of a run, one after another: each takes the whole machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Failure, Finished, Job
from colorcli.run.film import FilmRun, Means
from colorcli.run.judge import Unchanged, judge
from colorcli.run.ledger import Ledgers
from colorcli.run.marks import Mark
from colorcli.run.unforeseen import unforeseen
from colorcli.stages.film import Steadying, Unsteadied


class FilmsRun:
    """Iterate it for the outcomes, in the films' order."""

    def __init__(
        self,
        jobs: Sequence[Job],
        means: Means,
        ledgers: Ledgers,
        *,
        overwrite: bool,
        verbosity: int = 0,
        steadying: Callable[[], Steadying] = Unsteadied,
    ) -> None:
        """steadying: made for each film whose job asks for it."""
        self._jobs, self._means, self._ledgers, self._overwrite = jobs, means, ledgers, overwrite
        self._verbosity, self._steadying, self._stopped = verbosity, steadying, False

    def __iter__(self) -> Iterator[Finished | Failure | Unchanged]:
        """Run. Errors: ColorizeError where no further file could be written."""
        for job in self._jobs:
            if self._stopped:
                return
            yield self._outcome(job)

    def stop(self) -> None:
        """Begin no further film."""
        self._stopped = True

    def _outcome(self, job: Job) -> Finished | Failure | Unchanged:
        judged = judge(job, self._ledgers, self._overwrite)
        if not isinstance(judged, Mark):
            return judged
        steadying = self._steadying() if job.film is not None and job.film.temporal else Unsteadied()
        try:
            with self._ledgers.of(job) as ledger:
                return FilmRun(job, judged, ledger, self._means, steadying).coloured()
        except PhotoError as error:
            return job.failed("film", str(error))
        except ColorizeError:
            raise
        except Exception as error:  # that nobody foresaw: the other films go on
            return job.failed("film", unforeseen(error, self._verbosity, self._means.say))
