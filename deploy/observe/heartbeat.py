"""Heartbeats: how a process is, said once a second to whoever listens.

A heartbeat is a core NATS message on `status.<shard>.<process>`: news, not history, so it
is on no stream. Where it stops, the process has stopped.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

from deploy.venue.paths import Place
from schemas import subjects
from schemas.codec import encode
from schemas.limits import STATUS_EVERY_S
from streams.log import nats_client


async def quiet_connection(place: Place, role: str) -> Client:
    """Return a connection for news, which nothing depends on: it reconnects for ever.

    Raises LogUnavailable when the broker cannot be reached at first.
    """
    login = place.login(role)
    return await nats_client.connect(
        place.settings.broker_url,
        name=f"{role}.status",
        seed=login["seed"],
        inbox_prefix=login["inbox_prefix"],
    )


@contextlib.asynccontextmanager
async def heartbeat(
    place: Place, role: str, status: Callable[[], dict[str, Any]]
) -> AsyncIterator[None]:
    """Say what `status` returns every STATUS_EVERY_S for as long as the block runs."""
    connection = await quiet_connection(place, role)
    subject = subjects.status(place.shard, role)

    async def beating() -> None:
        while True:
            if connection.is_connected:
                with contextlib.suppress(NatsError):
                    await connection.publish(subject, encode(status()))
            await asyncio.sleep(STATUS_EVERY_S)

    task = asyncio.create_task(beating())
    try:
        yield
    finally:
        task.cancel()
        await connection.close()
