"""The measurer: language, sentiment, names and similarity of each article."""

import asyncio
from typing import TYPE_CHECKING, Any

from deploy.observe.heartbeat import heartbeat
from deploy.processes.daemon_thread import run_in_daemon_thread
from deploy.venue.paths import VenuePaths
from streams.ingest.jobs.services import bus
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog

if TYPE_CHECKING:
    from streams.ingest.measuring.measurer import MeasuringService

LOADING = {"phase": "loading"}


async def run(place: VenuePaths, stop: asyncio.Event) -> None:
    """Measure until `stop`. Raises ModelMismatch."""
    log = await place.log("measurer")
    service: MeasuringService | None = None

    def status() -> dict[str, Any]:
        return LOADING if service is None else service.status()

    try:
        async with heartbeat(place, "measurer", status):
            # libraries and models take seconds to load; the heartbeat goes on meanwhile
            service = await run_in_daemon_thread(lambda: _service(place, log), stop)
            if service is not None:
                async with bus(place.settings.broker_url, **place.login("measurer")) as it:
                    await service.run(it, stop)
    finally:
        await log.close()


def _service(place: VenuePaths, log: NatsLog) -> "MeasuringService":
    """Return the service with all that it needs in memory already."""
    from streams.ingest.measuring.measurer import MeasuringService, load

    tools = load(place.settings.spacy_model or "")
    return MeasuringService(log, SystemClock(), lambda: tools)
