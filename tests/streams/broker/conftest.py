"""One broker per test module; each test has a desk of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.streams.broker.venue import BrokerVenue


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerVenue]:
    venue = BrokerVenue(tmp_path_factory.mktemp("broker"))
    asyncio.run(venue.start())
    try:
        yield venue
    finally:
        asyncio.run(venue.server.kill9())


@pytest_asyncio.fixture
async def venue(broker: BrokerVenue) -> AsyncIterator[BrokerVenue]:
    async with broker.desk():
        yield broker
