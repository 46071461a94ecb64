"""The relay: native clients' logins, and their commands on the way to the log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

from deploy.observe.heartbeat import heartbeat
from deploy.processes.until_stopped import run_until_stopped
from deploy.venue import keys
from deploy.venue.paths import VenuePaths
from projections.api.open_orders import count_open_orders
from projections.api.store import ReadStore
from streams.accounts.directory import Directory
from streams.accounts.nonces import NoNonces
from streams.accounts.quotas import Quotas
from streams.accounts.sessions import Sessions
from streams.accounts.tail import Tail
from streams.broker import callout
from streams.broker.keyring import ISSUER
from streams.broker.logins import Logins
from streams.log.clock import SteadyClock, SystemClock
from streams.log.nats_log import dialler
from streams.log.tasks import run_until_first_exits
from streams.relay.relay import Relay


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Let native clients in and carry their commands, until `stop`."""
    log, clock, directory = await paths.log("relay"), SystemClock(), Directory()
    tables = ReadStore(paths.database_url)
    try:
        await tables.open()
        quotas = Quotas(directory, SteadyClock(), partial(count_open_orders, tables))
        tail = Tail(log, clock, (directory.take,))
        dial = dialler(paths.settings.broker_url, **paths.login("relay"))
        relay = Relay(log, dial, quotas, clock)

        async def let_in() -> None:
            # keys and quotas stand on the log: nobody is let in before it was read
            await tail.catch_up()
            async with _answering_logins(paths, directory, quotas):
                await relay.run()

        async with heartbeat(paths, "relay", lambda: {**relay.status}):
            await run_until_stopped(stop, run_until_first_exits(let_in(), tail.run()))
    finally:
        await tables.close()
        await log.close()


@contextlib.asynccontextmanager
async def _answering_logins(
    paths: VenuePaths, directory: Directory, quotas: Quotas
) -> AsyncIterator[None]:
    """Answer the server's questions who somebody is."""
    keyring, secret = paths.keyring, keys.secret(paths.home.keys, keys.SESSION_SECRET)
    sessions = Sessions(secret, SystemClock(), NoNonces(), directory.has_lapsed)
    logins = Logins(
        shard=paths.shard,
        issuer_seed=keyring.seed(ISSUER),
        account_of=directory.account_of,
        key_of=directory.key_of,
        check_token=sessions.check_token,
        seats_of=quotas.native_connections,
    )
    answering = await callout.start(paths.settings.broker_url, keyring.seed("door"), logins)
    try:
        yield
    finally:
        await answering.close()
