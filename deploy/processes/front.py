"""The front process: where strangers reach nats-server, when the venue has an address for them."""

import asyncio
import resource
from typing import Any
from urllib.parse import urlsplit

from deploy.observe.heartbeat import heartbeat
from deploy.venue.paths import VenuePaths
from schemas.errors import InputError
from streams.broker.front import Front


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Pass strangers on until `stop`. Raises InputError where no address is set for them."""
    where = paths.settings.nats_front
    if where is None:
        raise InputError("EVERYTHING_NATS_FRONT is not set")
    host, _, port = where.rpartition(":")
    # with several servers strangers have the first one
    server = urlsplit(paths.settings.broker_url.partition(",")[0])
    _allow_open_files()
    front = Front(server.hostname or "127.0.0.1", server.port or 4222)

    def status() -> dict[str, Any]:
        return {"connections": front.connections, "turned_away": front.turned_away}

    await front.start(host.strip("[]"), int(port))
    try:
        async with heartbeat(paths, "front", status):
            await stop.wait()
    finally:
        await front.close()


def _allow_open_files() -> None:
    """Allow this process as many sockets as the system lets it have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
