"""The ports of ingest on JetStream: its work queue and its store of raw bytes."""

import asyncio

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from nats.js.object_store import ObjectStore

from schemas import subjects
from schemas.codec import encode
from schemas.errors import LogUnavailable
from schemas.jobs import Job
from schemas.limits import APPEND_TIMEOUT_S
from streams.ingest.jobs.ports import Queue
from streams.ingest.jobs.services import Bus


class NatsJobs:
    """Implements `ports.Jobs` on the shard's JOBS stream."""

    def __init__(self, bus: Bus, shard: str) -> None:
        self._bus = bus
        self._shard = shard

    async def put(self, queue: Queue, job: Job, job_id: str = "") -> None:
        """Have `job` done. See `ports.Jobs`."""
        # One id for all queues would have the browser's copy of a job taken for a repetition.
        message_id = f"{queue}:{job_id}" if job_id else ""
        await self._bus.put(
            subjects.jobs_stream(self._shard),
            subjects.jobs(self._shard, queue),
            encode(job),
            message_id,
        )


class NatsRawStore:
    """Implements `ports.RawStore` on the shard's object store bucket, whose life is bounded."""

    def __init__(self, bus: Bus, shard: str) -> None:
        self._bus = bus
        self._bucket = subjects.raw_bucket(shard)
        self._store: ObjectStore | None = None

    async def put(self, name: str, data: bytes) -> None:
        """Keep `data`; what is there already stays. Raises LogUnavailable."""
        try:
            async with asyncio.timeout(APPEND_TIMEOUT_S):
                store = await self._opened()
                if not await _has(store, name):
                    await store.put(name, data)
        except (NatsError, TimeoutError) as error:
            raise LogUnavailable(f"{self._bucket}: {type(error).__name__}") from error

    async def _opened(self) -> ObjectStore:
        if self._store is None:
            js = self._bus.client.jetstream(timeout=APPEND_TIMEOUT_S)
            self._store = await js.object_store(self._bucket)
        return self._store


async def _has(store: ObjectStore, name: str) -> bool:
    try:
        await store.get_info(name)
    except NotFoundError:
        return False
    return True
