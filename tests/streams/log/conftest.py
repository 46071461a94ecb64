from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.nats import TestServer, nats_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with nats_server(tmp_path) as running:
        yield running
