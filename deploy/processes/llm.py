"""The LLM's worker: asks a local model what news means. Without one it says so, and idles."""

import asyncio

from deploy.observe.heartbeat import heartbeat
from deploy.processes.genesis import wait_for_genesis
from deploy.venue.paths import VenuePaths
from streams.ingest.asking.model_file import DEFAULT_FILE
from streams.ingest.asking.service import AskingService, LlmSettings
from streams.ingest.jobs.services import bus
from streams.log.clock import SystemClock


async def run(place: VenuePaths, stop: asyncio.Event) -> None:
    """Answer until `stop`."""
    log = await place.log("llm")
    try:
        service = AskingService(log, SystemClock(), _chosen(place).load)
        async with heartbeat(place, "llm", service.status):
            if await wait_for_genesis(log, stop):
                async with bus(place.settings.broker_url, **place.login("llm")) as it:
                    await service.run(it, stop)
    finally:
        await log.close()


def _chosen(place: VenuePaths) -> LlmSettings:
    settings = place.settings
    return LlmSettings(
        enabled=settings.llm_mode == "enabled",
        model=settings.llm_model or place.home.models / DEFAULT_FILE,
        sha256=settings.llm_model_sha256,
    )
