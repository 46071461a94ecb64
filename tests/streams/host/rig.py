"""Start hosts on a simulated log, feed them, and wait for what should come of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from engines.kernel import Engine
from streams.host.host import EngineHost
from tests.simulated.faults import Faults
from tests.simulated.log import SimulatedLog, SimulatedServer
from tests.simulated.virtual_time import VirtualClock
from tests.streams.host.checks import GENESIS, outcomes
from tests.streams.host.toys import COMMAND


def new_server() -> SimulatedServer:
    """Return a server on which a genesis stands."""
    server = SimulatedServer("main")
    server.store([GENESIS])
    return server


class Running:
    """A host at work on a connection of its own."""

    def __init__(
        self,
        server: SimulatedServer,
        engine: Engine[Any],
        *,
        writer: str = "one",
        faults: Faults | None = None,
        clock: VirtualClock | None = None,
        **options: Any,
    ) -> None:
        self.log: SimulatedLog = server.connect(writer, faults)
        self.clock = clock or VirtualClock()
        self.stop = asyncio.Event()
        self.host: EngineHost[Any] = EngineHost(
            engine, self.log, self.clock, writer=writer, **options
        )
        self.task = asyncio.create_task(self.host.run(self.stop))

    async def stopped(self) -> None:
        """Stop in peace."""
        self.stop.set()
        await self.task

    async def killed(self) -> None:
        """Stop as by kill -9."""
        self.log.kill()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def running(
    server: SimulatedServer, engine: Engine[Any], **options: Any
) -> AsyncIterator[Running]:
    """Run a host, and stop it if it still runs in the end."""
    run = Running(server, engine, **options)
    try:
        yield run
    finally:
        if not run.task.done():
            await run.stopped()


def settled(server: SimulatedServer, engine: str = "toy") -> Callable[[], bool]:
    """Tell when every command on the log has its outcome."""
    waiting: dict[int, None] = {}
    read = 0

    def look() -> bool:
        nonlocal read
        new = [m for m in map(server.get, range(read + 1, server.last_sequence + 1)) if m]
        read = server.last_sequence
        for message in new:
            if message.subject.startswith("main.cmd.order.") and message.payload != b"nop":
                waiting[message.sequence] = None
        for cause in outcomes(new, engine):
            waiting.pop(cause, None)
        return not waiting

    return look


def add(number: int, subject: str = COMMAND) -> tuple[str, bytes]:
    """Return a command that has exactly one outcome."""
    return subject, b"add id%d %d" % (number, number)
