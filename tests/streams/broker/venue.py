"""A throwaway venue's broker: a real server, keys, the declared streams, desk and relay."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from schemas import signatures
from schemas.codec import encode
from schemas.commands import CancelAll
from streams.accounts.directory import Directory
from streams.accounts.quotas import Quotas
from streams.broker import callout, config, roles
from streams.broker.keyring import ISSUER, Keyring, ensure_service_keys
from streams.broker.logins import Logins
from streams.broker.server import NatsServer
from streams.log import nats_log
from streams.log.clock import SteadyClock, SystemClock
from streams.log.nats_log import NatsLog
from streams.log.nats_wire import Wire
from streams.log.streams import check_consumers, ensure_shard
from streams.relay.relay import Relay
from tests.support import native
from tests.support.native import ANSWER_WITHIN_S, Raw
from tests.support.ports import free_port
from tests.support.waiting import wait_until

SHARD = "main"


@dataclass(frozen=True)
class Trader:
    account: str
    seed: str

    @property
    def key(self) -> str:
        return signatures.public_key(self.seed)


def command(client_id: str = "x") -> bytes:
    """Return a small command that means something, and differs by `client_id`."""
    return encode(CancelAll(client_id=client_id, client_time_ns=0))


def new_trader(account: str) -> Trader:
    return Trader(account, signatures.seed_from(secrets.token_bytes(signatures.SEED_BYTES)))


SOME = command()


@dataclass
class Dialled:
    """A connection and what the server complained about on it."""

    client: Client
    errors: list[str] = field(default_factory=list)

    async def sync(self) -> list[str]:
        """Wait until the server has judged all that was sent; return its complaints."""
        await self.client.flush(ANSWER_WITHIN_S)
        return self.errors

    async def ask(
        self, subject: str, payload: bytes = SOME, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Request and return the JSON answer."""
        answer = await self.client.request(
            subject, payload, timeout=ANSWER_WITHIN_S, headers=dict(headers) if headers else None
        )
        return dict(json.loads(answer.data))

    async def hear(self, *subjects: str) -> list[tuple[str, bytes]]:
        """Return a list that what is heard on `subjects` will be added to."""
        heard: list[tuple[str, bytes]] = []

        async def listen(message: Msg) -> None:
            heard.append((message.subject, message.data))

        for subject in subjects:
            await self.client.subscribe(subject, cb=listen)
        assert await self.sync() == []
        return heard


class BrokerVenue:
    """What a test needs to dial the broker in any role."""

    def __init__(
        self, folder: Path, sync_interval: str = "always", conf: Path | None = None
    ) -> None:
        self.keyring: Keyring = ensure_service_keys(folder / "keys", SHARD)
        self.traders: dict[str, Trader] = {}
        self.tokens: dict[str, str] = {}
        self.desks: list[callout.Callout] = []
        self.store = folder / "store"
        port = free_port()
        place = config.ListenConfig(
            store=self.store,
            port=port,
            sync_interval=sync_interval,
        )
        variables = config.environment(place, SHARD, self.keyring)
        self.server = NatsServer(conf or config.shipped(), port, folder / "nats.log", variables)

    async def start(self) -> None:
        """Start the server and have the operator create the streams."""
        await self.server.start()
        async with self._wire("operator") as wire, self._wire("monitor") as monitor:
            await check_consumers(wire)
            await ensure_shard(wire, SHARD, monitor, founded=False)

    def _wire(self, role: str) -> AbstractAsyncContextManager[Wire]:
        seed, inbox = self.keyring.seed(role), roles.inbox(role)
        return Wire.opened(self.server.url, name=role, seed=seed, inbox_prefix=inbox)

    def logins(self) -> Logins:
        return Logins(
            shard=SHARD,
            issuer_seed=self.keyring.seed(ISSUER),
            account_of=self._account_of,
            key_of=lambda account: t.key if (t := self.traders.get(account)) else None,
            check_token=self.tokens.get,
        )

    def _account_of(self, key: str) -> str | None:
        return next((t.account for t in self.traders.values() if t.key == key), None)

    def trader(self, account: str) -> Trader:
        """Return `account`'s trader, who is known to the desk from now on."""
        return self.traders.setdefault(account, new_trader(account))

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[None]:
        """Let the venue's traders in and carry their commands, as the relay's process does."""
        async with self.door(), self.relay():
            yield

    @asynccontextmanager
    async def door(self) -> AsyncIterator[None]:
        """Let the venue's traders in."""
        desk = await callout.start(self.server.url, self.keyring.seed("door"), self.logins())
        self.desks.append(desk)
        try:
            yield
        finally:
            self.desks.remove(desk)
            await desk.close()

    @asynccontextmanager
    async def relay(self, directory: Directory | None = None) -> AsyncIterator[Relay]:
        """Run a relay by itself; without a `directory` there are no quotas."""
        log = await self.log("relay")
        quotas = Quotas(directory or Directory(), SteadyClock())
        dial = nats_log.dialler(
            self.server.url,
            name="relay",
            seed=self.keyring.seed("relay"),
            inbox_prefix=roles.inbox("relay"),
        )
        relay = Relay(log, dial, quotas, SystemClock())
        running = asyncio.create_task(relay.run())
        try:
            await wait_until(lambda: relay.is_heard, running)
            yield relay
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await log.close()

    @asynccontextmanager
    async def dial(self, **options: Any) -> AsyncIterator[Dialled]:
        """Connect with nats-py's options; complaints are kept, not raised."""
        errors: list[str] = []

        async def on_error(error: Exception) -> None:
            errors.append(str(error))

        client = Client()
        try:
            await client.connect(
                self.server.url, error_cb=on_error, allow_reconnect=False, **options
            )
            yield Dialled(client, errors)
        finally:
            await client.close()

    def raw(self, seed: str, name: str) -> AbstractAsyncContextManager[Raw]:
        """Connect with an nkey, by hand."""
        return native.raw(self.server.port, seed, name)

    def service(self, name: str) -> AbstractAsyncContextManager[Dialled]:
        """Dial as the service role `name`."""
        seed = self.keyring.seed(name)
        return self.dial(nkeys_seed_str=seed, inbox_prefix=roles.inbox(name), name=name)

    def native(self, account: str, name: str = "orders") -> AbstractAsyncContextManager[Dialled]:
        """Dial as `account`'s program."""
        seed = self.trader(account).seed
        return self.dial(nkeys_seed_str=seed, inbox_prefix=roles.inbox(account), name=name)

    async def log(self, name: str) -> NatsLog:
        """Open the log as the service role `name`."""
        return await nats_log.connect(
            self.server.url,
            SHARD,
            name=name,
            seed=self.keyring.seed(name),
            inbox_prefix=roles.inbox(name),
        )

    async def held(self, account: str, name: str) -> int:
        """Ask the server how many connections `name` has in the NATS account `account`."""
        question = json.dumps({"acc": account, "user": name}).encode()
        async with self.service("monitor") as monitor:
            told = await monitor.ask("$SYS.REQ.SERVER.PING.CONNZ", question)
        return int(told["data"]["num_connections"])

    async def stored(self, after: int = 0) -> list[tuple[str, bytes]]:
        """Return subject and payload of all that stands on the log behind `after`."""
        async with self.service("replay") as replay:
            found: list[tuple[str, bytes]] = []
            for sequence in range(after + 1, await self.end(replay) + 1):
                question = json.dumps({"seq": sequence}).encode()
                answer = await replay.client.request(
                    "$JS.API.DIRECT.GET.LOG_main", question, timeout=ANSWER_WITHIN_S
                )
                assert answer.headers is not None
                found.append((answer.headers["Nats-Subject"], answer.data))
            return found

    async def end(self, dialled: Dialled | None = None) -> int:
        """Return the log's last sequence."""
        if dialled is None:
            async with self.service("replay") as replay:
                return await self.end(replay)
        info = await dialled.ask("$JS.API.STREAM.INFO.LOG_main", b"")
        return int(info["state"]["last_seq"])
