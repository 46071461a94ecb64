"""An archiver as a process of its own: `python -m tests.replay.archive.archiving URL FOLDER`."""

import asyncio
import sys
from pathlib import Path

from replay.archive.archiver import Archiver, Bounds
from replay.archive.segments import SegmentFolder
from streams.log import nats_log
from streams.log.clock import SystemClock


async def main(url: str, folder: str) -> None:
    log = await nats_log.connect(url, "main", name="archiver")
    bounds = Bounds(messages=500, bytes=10**9, after_ns=200_000_000)
    archiver = Archiver(log, SystemClock(), SegmentFolder(Path(folder), "main"), bounds)
    while True:
        await archiver.tick()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
