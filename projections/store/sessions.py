"""Sessions of a process with Postgres: when a connection breaks, it connects again."""

import asyncio
from collections.abc import Awaitable, Callable

from structlog.typing import FilteringBoundLogger

from projections.limits import STORE_ATTEMPTS, STORE_BACKOFF_S
from projections.store.postgres import Connection, connect, disconnect
from schemas.errors import StoreUnavailable


class StoreSessions:
    """Runs one session after the other; `failures` counts those in a row that ended badly."""

    def __init__(self, dsn: str, application: str, logger: FilteringBoundLogger) -> None:
        self._dsn = dsn
        self._application = application
        self._logger = logger
        self.failures = 0

    async def run(self, session: Callable[[Connection], Awaitable[None]]) -> None:
        """Run `session` over a fresh connection, again and again, until cancelled.

        Raises what a session raises, but StoreUnavailable only after STORE_ATTEMPTS in a row.
        """
        while True:
            try:
                connection = await connect(self._dsn, self._application)
                try:
                    await session(connection)
                finally:
                    await disconnect(connection)
            except StoreUnavailable as error:
                self.failures += 1
                self._logger.warning("store_unavailable", error=str(error), attempt=self.failures)
                if self.failures >= STORE_ATTEMPTS:
                    raise
                await asyncio.sleep(min(STORE_BACKOFF_S, 0.05 * 2**self.failures))

    def succeeded(self) -> None:
        """Note that something was committed: failures are counted from 0 again."""
        self.failures = 0
