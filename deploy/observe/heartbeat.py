"""Heartbeats: every process says once a second how it is.

A heartbeat is a core NATS message on `status.<shard>.<process>`. It is news, not history, so
no stream keeps it. A process whose heartbeat stops has stopped.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

from deploy.observe.pulse import LAST_END
from deploy.venue.paths import VenuePaths
from schemas import subjects
from schemas.codec import encode
from schemas.limits import STATUS_EVERY_S
from streams.log import nats_client


async def quiet_connection(place: VenuePaths, role: str) -> Client:
    """Return a connection for news, on which nothing depends: it reconnects for ever.

    Raises LogUnavailable when the first connection cannot be made.
    """
    login = place.login(role)
    return await nats_client.connect(
        place.settings.broker_url,
        name=f"{role}.status",
        seed=login["seed"],
        inbox_prefix=login["inbox_prefix"],
    )


async def question_connection(
    place: VenuePaths, role: str, answers_under: str | None = None
) -> Client:
    """Return a connection for questions; answers come `answers_under`, or to the role's inbox.

    Raises LogUnavailable when the first connection cannot be made.
    """
    login = place.login(role)
    return await nats_client.connect(
        place.settings.broker_url,
        name=f"{role}.questions",
        seed=login["seed"],
        inbox_prefix=answers_under or login["inbox_prefix"],
    )


@contextlib.asynccontextmanager
async def heartbeat(
    place: VenuePaths, role: str, status: Callable[[], dict[str, Any]]
) -> AsyncIterator[None]:
    """Publish what `status` returns every STATUS_EVERY_S while the block runs.

    `last_end` beside it says how the process ended before its supervisor started it again.
    """
    connection = await quiet_connection(place, role)
    subject = subjects.status(place.shard, role)
    ended = {"last_end": os.environ[LAST_END]} if LAST_END in os.environ else {}

    async def beating() -> None:
        while True:
            if connection.is_connected:
                with contextlib.suppress(NatsError):
                    await connection.publish(subject, encode({**status(), **ended}))
            await asyncio.sleep(STATUS_EVERY_S)

    task = asyncio.create_task(beating())
    try:
        yield
    finally:
        task.cancel()
        await connection.close()
