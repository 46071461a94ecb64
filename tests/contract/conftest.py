"""Both logs, so that one suite holds for the simulated and the real one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

import pytest

from streams.log.ports import Log
from tests.simulated.log import SimulatedServer
from tests.support.nats import TestServer, shared_server

Connect = Callable[[str], Awaitable[Log]]
"""Opens one more connection, under a name, to the one empty log of the test."""
Fill = Callable[[], Awaitable[None]]
"""Opens as many batches as the log takes, and commits none of them."""
SERVERS_BATCHES: Final = 50
"""Batches that a server takes at once on a stream when its conf does not say."""


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with shared_server(tmp_path_factory.mktemp("nats")) as it:
        yield it


@pytest.fixture
def simulated() -> SimulatedServer:
    return SimulatedServer()


@pytest.fixture(params=["simulated", "real"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def connect(
    kind: str, simulated: SimulatedServer, living: TestServer
) -> AsyncIterator[Connect]:
    opened: list[Log] = []
    if kind == "simulated":

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
def fill_batches(kind: str, simulated: SimulatedServer, living: TestServer) -> Fill:
    async def on_the_server() -> None:
        wire = await living.wire("stranger")
        for number in range(SERVERS_BATCHES):
            opened = b"NATS/1.0\r\nNats-Batch-Id: %d\r\nNats-Batch-Sequence: 1\r\n\r\n" % number
            sizes = (len(opened), len(opened) + 1)
            wire.write(b"HPUB main.cmd.order.eve %d %d\r\n%bx\r\n" % (*sizes, opened))
        await wire.request("$JS.API.INFO")
        await wire.close()

    async def in_the_simulation() -> None:
        simulated.batches_full = True

    return on_the_server if kind == "real" else in_the_simulation


@pytest.fixture
async def log(connect: Connect) -> Log:
    return await connect("writer")
