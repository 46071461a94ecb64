"""A worker whose model never answers: `python -m tests.streams.ingest.asking.hanging_worker URL`.

It prints `asking` when it has begun to ask, and is there to be killed.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from schemas.subjects import DEFAULT_SHARD
from streams.ingest.asking.llm import Said
from streams.ingest.asking.service import AskingService
from streams.ingest.jobs.services import bus
from streams.log import nats_log
from streams.log.clock import SystemClock
from tests.streams.ingest.asking.scripted import ScriptedLlm, sensible


class HangingLlm(ScriptedLlm):
    async def ask(self, prompt: str, schema: Mapping[str, Any], within_s: float) -> Said:
        print("asking", flush=True)
        return await super().ask(prompt, schema, within_s)


async def main(url: str) -> None:
    log = await nats_log.connect(url, DEFAULT_SHARD, name="llm")
    service = AskingService(
        log, SystemClock(), lambda: HangingLlm(sensible, after_s=600), ack_wait_s=3
    )
    async with bus(url, name="llm") as connection:
        await service.run(connection, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
