"""A measurer that takes its time: `python -m tests.streams.ingest.measuring.slow_measurer URL`.

It is there to be killed.
"""

import asyncio
import sys
import time

from schemas.subjects import DEFAULT_SHARD
from streams.ingest.jobs.services import bus
from streams.ingest.measuring.measurer import MeasuringService
from streams.ingest.measuring.vectors import Vector
from streams.log import nats_log
from streams.log.clock import SystemClock
from tests.streams.ingest.measuring.world import WordEmbedding, tools


class SlowEmbedding(WordEmbedding):
    def of(self, text: str) -> Vector:
        time.sleep(0.01)
        return super().of(text)


async def main(url: str) -> None:
    log = await nats_log.connect(url, DEFAULT_SHARD, name="measurer")
    service = MeasuringService(log, SystemClock(), lambda: tools(SlowEmbedding()), ack_wait_s=1)
    async with bus(url, name="measurer") as connection:
        await service.run(connection, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
