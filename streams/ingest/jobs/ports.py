"""What the handlers of ingest need of the world besides the log; see `streams.log.ports`."""

from typing import Literal, Protocol

from schemas.jobs import Job

Queue = Literal["source", "page", "browser"]


class Jobs(Protocol):
    """The work queue, as those see it who ask for work."""

    async def put(self, queue: Queue, job: Job, job_id: str = "") -> None:
        """Have `job` done; one with a `job_id` that it has lately had is dropped.

        Raises an OperatingError when it is not known to be in the queue.
        """


class RawStore(Protocol):
    """Where bytes are kept as they came, for a while."""

    async def put(self, name: str, data: bytes) -> None:
        """Keep `data` as `name`. Raises an OperatingError."""
