"""Folds engines to the sequences that it is asked for, line by line: see `deploy.venue`."""

import asyncio
import gc
import os
import signal
import sys
from functools import partial

from deploy.processes.process import NICENESS
from deploy.processes.service import configure_logging
from deploy.venue.engines import all_engines
from deploy.venue.paths import Place
from deploy.venue.settings import Settings
from deploy.venue.state_service import answer_of, refusal_of, snapshot_stores
from replay.travel.travel import StateReplay
from schemas.errors import EverythingError, OperatingError
from streams.log.nats_log import NatsLog


async def _answer(place: Place, log: NatsLog, sequence: int) -> bytes:
    machine = StateReplay(log, partial(all_engines, place.shard), snapshot_stores(place))
    return answer_of(await machine.at(sequence))


async def _serve(place: Place) -> None:
    """Answer until nobody asks any more. After an operating error the log is opened again."""
    log: NatsLog | None = None
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        try:
            if log is None:
                log = await place.log("replay")
            answer = await _answer(place, log, int(line))
        except EverythingError as error:
            answer = refusal_of(error.code, str(error))
            if isinstance(error, OperatingError) and log is not None:
                await log.close()
                log = None
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
        gc.collect()  # a state refers to itself everywhere; no answer shall wait for it to go
    if log is not None:
        await log.close()


def main() -> None:
    """Answer questions on stdin."""
    configure_logging("traveller")
    # Ctrl-C ends the gateway, and that ends this
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    gc.disable()
    asyncio.run(_serve(Place(Settings())))


if __name__ == "__main__":
    main()
