"""Looking at a running venue from outside: how far its log, tables and feed are."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg

from projections.feeds.channels import PROGRESS
from projections.feeds.outbox import decode_progress
from schemas import subjects
from schemas.errors import OperatingError
from schemas.records import EVENT_MESSAGES
from streams.log.nats_log import NatsLog
from tests.support.venue import Venue
from tests.support.waiting import LOOK_OUTSIDE_EVERY_S, NotInTime, wait_until

SHARD: Final = subjects.DEFAULT_SHARD
RECOVER_WITHIN_S: Final = 90
QUIET_WITHIN_S: Final = 180

Check = Callable[[], Awaitable[bool]]


class Watch:
    """Reads as the role `replay`. While a server is down it sees nothing new."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.log: NatsLog

    async def open(self) -> None:
        self.log = await self._venue.place.log("replay")

    async def close(self) -> None:
        await self.log.close()

    async def until(self, what: str, check: Check, within_s: float = RECOVER_WITHIN_S) -> None:
        """Wait for `check`. Raises NotInTime with what the processes said last."""
        try:
            await wait_until(check, what=what, within_s=within_s, every_s=LOOK_OUTSIDE_EVERY_S)
        except NotInTime as error:
            raise NotInTime(f"{error}\n{self._told()}") from error

    async def covered(self) -> tuple[int, int]:
        """Return the exchange's newest input that is decided, and where that is recorded."""
        try:
            stored = await self.log.last(subjects.events(SHARD, subjects.EXCHANGE))
        except OperatingError:
            return 0, 0
        if stored is None:
            return 0, 0
        return EVENT_MESSAGES.decode(stored.payload).last_input, stored.sequence

    async def epoch(self, engine: str) -> int:
        """Return the sequence of the engine's newest Epoch, 0 if there is none."""
        stored = await self.log.last(subjects.epoch(SHARD, engine))
        return stored.sequence if stored else 0

    def projected_to(self, sequence: int) -> Check:
        """Postgres has what is recorded up to `sequence`."""

        async def check() -> bool:
            return await self._checkpoint() >= sequence

        return check

    def told_to(self, sequence: int) -> Check:
        """The FEED has what is recorded up to `sequence`."""

        async def check() -> bool:
            return await self._feed_at() >= sequence

        return check

    async def quiet(self, accounts: Sequence[str]) -> None:
        """Wait until all that `accounts` asked is decided, projected and on the feed."""
        last = 0
        for account in accounts:
            stored = await self.log.last(subjects.order_command(SHARD, account))
            last = max(last, stored.sequence if stored else 0)

        async def decided() -> bool:
            return (await self.covered())[0] >= last

        await self.until("all is decided", decided, QUIET_WITHIN_S)
        recorded = (await self.covered())[1]
        await self.until("all is projected", self.projected_to(recorded), QUIET_WITHIN_S)
        await self.until("all is on the feed", self.told_to(recorded), QUIET_WITHIN_S)

    async def _checkpoint(self) -> int:
        try:
            dsn = self._venue.place.database_url
            connection = await asyncpg.connect(dsn)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return 0
        try:
            live = "SELECT model FROM control.switches ORDER BY number DESC LIMIT 1"
            model = await connection.fetchval(live) or 0
            return await connection.fetchval(f"SELECT sequence FROM rm_{model}.checkpoint") or 0
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            return 0
        finally:
            await connection.close()

    async def _feed_at(self) -> int:
        feed = await self._venue.place.feed("replay")
        try:
            stored = await feed.last(subjects.feed(SHARD, PROGRESS))
        finally:
            await feed.close()
        if stored is None:
            return 0
        progress = decode_progress(stored.payload)
        return progress.log_sequence if progress.complete else progress.log_sequence - 1

    def _told(self) -> str:
        """Return what the processes said last, for whoever must find out why."""
        tails = [
            f"-- {path.name}\n" + "\n".join(path.read_text().splitlines()[-3:])
            for path in sorted((self._venue.home / "logs").iterdir())
        ]
        return "\n".join([self._venue.up_log()[-2_000:], *tails])
