"""Runners elsewhere, as the gateway sees them: they ask for work, and report."""

from typing import Protocol

from schemas.errors import LogUnavailable
from schemas.runners import RunnerJob, RunnerReport


class RunnerDesk(Protocol):
    """The process that has the browser's queue."""

    async def take(self, runner: str) -> RunnerJob | None:
        """Return a job for `runner`, None when there is none for a while.

        Raises LogUnavailable when nobody has that queue here, Busy when too many ask.
        """

    async def report(self, runner: str, report: RunnerReport) -> bool:
        """Hand in `report`; False if it is of no job that `runner` has. Raises as `take` does."""


class NoRunnerDesk:
    """Implements `RunnerDesk` for a gateway that knows of none."""

    async def take(self, runner: str) -> RunnerJob | None:
        """Refuse."""
        raise LogUnavailable("this gateway gives out no work")

    async def report(self, runner: str, report: RunnerReport) -> bool:
        """Refuse."""
        raise LogUnavailable("this gateway takes no reports")
