"""One nats-server for all tests of a module, with new streams for each.

Modules that kill it all the time run one of their own for each test.
"""

from collections.abc import Iterator

import pytest

from tests.support.nats import TestServer, shared_server


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with shared_server(tmp_path_factory.mktemp("nats")) as it:
        yield it


@pytest.fixture
async def server(living: TestServer) -> TestServer:
    await living.start()  # where a test has killed it
    await living.renew()
    return living
