"""What holds for every test: profiles of hypothesis, order, workers, temporary folders, skips."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.chromium import pytest_report_header
from tests.support.drawing import profile
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.running import (
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_make_collect_report,
    pytest_runtest_makereport,
    use_memory_disk,
)

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_make_collect_report",
    "pytest_report_header",
    "pytest_runtest_makereport",
]

use_memory_disk()
settings.load_profile(profile())


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One Postgres for all tests of a worker."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    """The address of a database of the test's own."""
    return postgres.new_database()
