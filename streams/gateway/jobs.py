"""Handing a job to ingest: a message in the shard's work queue, acknowledged by it."""

from typing import Final, Protocol

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

from schemas.errors import AppendUnknown, LogUnavailable
from schemas.limits import APPEND_TIMEOUT_S
from streams.gateway.errors import Busy

_MESSAGE_ID: Final = "Nats-Msg-Id"


class Jobs(Protocol):
    """What the door needs of the work queue."""

    async def put(self, subject: str, payload: bytes, job_id: str) -> None:
        """Store a job, once for each `job_id` within JOBS_DEDUPE_S.

        Raises Busy when the queue is full, LogUnavailable when it cannot be reached, and
        AppendUnknown when no answer came: then the same job may be put again.
        """


class NoJobs:
    """No work queue: what a door has that is not connected to one."""

    async def put(self, subject: str, payload: bytes, job_id: str) -> None:
        """Refuse."""
        raise LogUnavailable("this door hands no jobs to ingest")


class NatsJobs:
    """The queue on JetStream, over a connection that reconnects by itself."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._stream = connection.jetstream()

    async def put(self, subject: str, payload: bytes, job_id: str) -> None:
        """Store a job. See `Jobs`."""
        if not self._connection.is_connected:
            raise LogUnavailable("the work queue cannot be reached; nothing was sent")
        try:
            await self._stream.publish(
                subject, payload, timeout=APPEND_TIMEOUT_S, headers={_MESSAGE_ID: job_id}
            )
        except NoStreamResponseError as error:
            raise LogUnavailable("no work queue answers") from error
        except APIError as error:
            raise Busy(f"the work queue takes no job now: {error.description}") from error
        except (NatsError, TimeoutError) as error:
            raise AppendUnknown("the work queue did not answer") from error
