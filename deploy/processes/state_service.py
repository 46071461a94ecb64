"""Folds engines to a sequence for each line on stdin: see `deploy/venue/state_service.py`."""

import asyncio
import gc
import os
import signal
import sys
from functools import partial

from deploy.processes.log_lines import configure_logging
from deploy.processes.names import NICENESS
from deploy.venue.engines import all_engines
from deploy.venue.paths import VenuePaths
from deploy.venue.settings import Settings
from deploy.venue.state_service import answer_of, refusal_of, snapshot_stores
from replay.travel.travel import StateReplay
from schemas.errors import EverythingError, OperatingError
from streams.log.nats_log import NatsLog


async def _answer(paths: VenuePaths, log: NatsLog, sequence: int) -> bytes:
    machine = StateReplay(log, partial(all_engines, paths.shard), snapshot_stores(paths))
    return answer_of(await machine.at(sequence))


async def _serve(paths: VenuePaths) -> None:
    """Answer until nobody asks any more. After an operating error the log is opened again."""
    log: NatsLog | None = None
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        try:
            if log is None:
                log = await paths.log("replay")
            answer = await _answer(paths, log, int(line))
        except EverythingError as error:
            answer = refusal_of(error.code, str(error))
            if isinstance(error, OperatingError) and log is not None:
                await log.close()
                log = None
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
        gc.collect()  # states are full of cycles, and no answer must wait for their collection
    if log is not None:
        await log.close()


def main() -> None:
    """Answer questions on stdin."""
    configure_logging("state_service")
    # Ctrl-C ends the gateway, which closes stdin and so ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    gc.disable()
    asyncio.run(_serve(VenuePaths(Settings())))


if __name__ == "__main__":
    main()
