"""Both logs, so that one suite holds for the simulated and the real one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from streams.log.ports import Log
from tests.simulated.log import SimulatedServer
from tests.support.nats import TestServer, shared_server

Connect = Callable[[str], Awaitable[Log]]
"""Opens one more connection, under a name, to the one empty log of the test."""


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with shared_server(tmp_path_factory.mktemp("nats")) as it:
        yield it


@pytest.fixture(params=["simulated", "real"])
async def connect(request: pytest.FixtureRequest, living: TestServer) -> AsyncIterator[Connect]:
    opened: list[Log] = []
    if request.param == "simulated":
        simulated = SimulatedServer()

        async def dial(name: str) -> Log:
            return simulated.connect(name)
    else:
        await living.renew()

        async def dial(name: str) -> Log:
            return await living.connect(name)

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
