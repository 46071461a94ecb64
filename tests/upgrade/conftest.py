"""The venues of earlier releases, restored once for all of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer, postgres_server
from tests.upgrade.checkouts import checkout_of
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


@pytest.fixture(scope="session")
def v010(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a checkout of v0.1.0."""
    with checkout_of("v0.1.0", tmp_path_factory.mktemp("releases") / "v0.1.0") as folder:
        yield folder
