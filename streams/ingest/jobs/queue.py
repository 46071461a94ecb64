"""The work queue: what ingest has yet to fetch, as those see it who ask for work.

Scheduler and fetcher put jobs into it, and so does the gateway for programs that may ask
for pages. Bus (`jobs/services.py`) hands them out.
"""

from typing import Protocol

from nats.aio.client import Client
from nats.errors import Error as NatsError

from schemas import subjects
from schemas.codec import encode
from schemas.errors import LogUnavailable
from schemas.jobs import QUEUES, Job, QueueName
from schemas.limits import LOG_REQUEST_TIMEOUT_S
from streams.log.nats_client import store


class JobQueue(Protocol):
    """The work queue of a shard."""

    async def put(self, queue: QueueName, job: Job, job_id: str = "") -> None:
        """Have `job` done; one whose `job_id` was put within JOBS_DEDUPE_S is dropped.

        Raises an OperatingError when the job is not known to be in the queue: AppendFailed
        when the queue takes none now, LogUnavailable when it cannot be reached, and
        AppendUnknown when no answer came. The same job may then be put again.
        """


class NatsJobQueue:
    """Implements `JobQueue` on the shard's JOBS stream."""

    def __init__(self, client: Client, shard: str) -> None:
        self._client = client
        self._shard = shard

    async def put(self, queue: QueueName, job: Job, job_id: str = "") -> None:
        """Have `job` done. See `JobQueue`."""
        await store(
            self._client,
            subjects.jobs_stream(self._shard),
            subjects.jobs(self._shard, queue),
            encode(job),
            # With one id for all queues the browser's copy of a job would count as a repetition.
            f"{queue}:{job_id}" if job_id else "",
        )

    async def waiting(self) -> dict[QueueName, int]:
        """Return how many jobs wait in each queue or are being done. Raises LogUnavailable."""
        stream = subjects.jobs_stream(self._shard)
        try:
            js = self._client.jetstream(timeout=LOG_REQUEST_TIMEOUT_S)
            info = await js.stream_info(stream, subjects_filter=subjects.jobs(self._shard, "*"))
        except (NatsError, TimeoutError) as error:
            raise LogUnavailable(f"{stream}: {type(error).__name__}") from error
        found = info.state.subjects or {}
        return {queue: found.get(subjects.jobs(self._shard, queue), 0) for queue in QUEUES}


class NoJobQueue:
    """Implements `JobQueue` where there is none: for a gateway that is not connected to it."""

    async def put(self, queue: QueueName, job: Job, job_id: str = "") -> None:
        """Refuse."""
        raise LogUnavailable("this gateway hands no jobs to ingest")
