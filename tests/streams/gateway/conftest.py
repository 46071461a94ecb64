from collections.abc import AsyncIterator

import pytest

from tests.streams.gateway.house import House, open_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A venue that has not been founded."""
    async with open_house() as it:
        yield it


@pytest.fixture
async def market(house: House) -> House:
    """A venue with one market, SYMBOL, and accounts that get a signup grant."""
    await house.open_for_trade()
    return house
