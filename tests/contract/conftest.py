"""Both logs, so that one suite holds for the simulated and the real one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from streams.log.ports import Log
from tests.simulated.log import SimulatedServer
from tests.support.nats import nats_server

Connect = Callable[[str], Awaitable[Log]]
"""Opens one more connection, under a name, to the one empty log of the test."""


@pytest.fixture(params=["simulated", "real"])
async def connect(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    opened: list[Log] = []
    async with AsyncExitStack() as stack:
        if request.param == "simulated":
            simulated = SimulatedServer()

            async def dial(name: str) -> Log:
                return simulated.connect(name)
        else:
            server = await stack.enter_async_context(nats_server(tmp_path))

            async def dial(name: str) -> Log:
                return await server.connect(name)

        async def remembered(name: str) -> Log:
            log = await dial(name)
            opened.append(log)
            return log

        yield remembered
        for log in opened:
            await log.close()


@pytest.fixture
async def log(connect: Connect) -> Log:
    return await connect("writer")
