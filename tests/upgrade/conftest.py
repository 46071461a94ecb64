"""The venues of earlier releases, restored once for all of these tests."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresServer, postgres_server
from tests.upgrade.released import RELEASES, ReleasedVenue, released


@pytest.fixture(scope="session", params=RELEASES)
def venue(request: pytest.FixtureRequest) -> ReleasedVenue:
    """Return the venue of each released format."""
    return released(request.param)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    return postgres.new_database()
