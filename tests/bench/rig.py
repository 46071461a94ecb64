"""What the benchmarks run on: a real broker with the venue's permissions, real engine
processes, traders logged in at the native door. All on loopback, all in a temporary folder.

The market and its accounts exist only in this throwaway venue.
"""

import asyncio
import contextlib
import os
import platform
import secrets
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

import psutil

from deploy.venue import keys
from deploy.venue.paths import NOTARY_KEY, VenuePaths
from deploy.venue.settings import Settings
from deploy.venue.supervisor import python
from schemas import policy, signatures, subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.commands import AccountOpening, OpenAccount
from schemas.decisions import Decision, Genesis, ListMarket, Mint, SignedDecision
from schemas.errors import LogUnavailable
from schemas.events.exchange import CashCredited
from schemas.policy import Policy
from schemas.records import EVENT_MESSAGES, Record
from schemas.units import HOUR_NS
from streams.broker import config, roles
from streams.broker.server import NatsServer
from streams.log import publishing
from streams.log.cursor import Cursor
from streams.log.nats_log import NatsLog
from streams.log.nats_wire import Wire
from streams.log.streams import ensure_streams, feed_spec, log_spec
from tests.support.policies import widened
from tests.support.ports import free_port

SHARD = subjects.DEFAULT_SHARD
CASH_CENTS = 10**13
WIDE_RULES = widened(policy.SEED_PLAN)
LOGIN_TRIES = 40


class Trader:
    """One account's connection to the native door."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.subject = subjects.order_command(SHARD, account).encode()
        self.seed = signatures.seed_from(secrets.token_bytes(signatures.SEED_BYTES))
        self.key = signatures.public_key(self.seed)
        self._wire: Wire | None = None
        self._batches = 0

    async def log_in(self, url: str) -> None:
        self._wire = await Wire.open(
            url, name=self.account, seed=self.seed, inbox_prefix=roles.inbox(self.account)
        )

    async def send(self, payloads: Sequence[bytes]) -> list[int]:
        """Send all at once and return their sequences. Raises RuntimeError for one refused."""
        wire = self._wire
        assert wire is not None
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sequences = [0] * len(payloads)
        left = len(payloads)

        def acked(index: int, _header: bytes, payload: bytes) -> None:
            nonlocal left
            ack = publishing.read_ack(0, payload)
            if ack.error:
                if not answer.done():
                    answer.set_exception(RuntimeError(ack.text))
                return
            sequences[index] = ack.sequence
            left -= 1
            if not left:
                answer.set_result(None)

        asked = self.subject.decode()
        wire.write(
            b"".join(
                publishing.single(self.subject, wire.expect(asked, partial(acked, index)), payload)
                for index, payload in enumerate(payloads)
            )
        )
        await wire.drain()
        await answer
        return sequences

    async def log_out(self) -> None:
        if self._wire is not None:
            await self._wire.close()


class Rig:
    """A broker, engines as processes of their own, and traders."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="everything-bench-")
        self.port = free_port()
        self.settings = Settings(home=Path(self._folder.name), nats_port=self.port)
        self.place = VenuePaths(self.settings)
        self.place.home.prepare()
        where = config.ListenConfig(store=self.place.home.nats, port=self.port)
        variables = config.environment(where, SHARD, self.place.keyring)
        self.server = NatsServer(
            config.shipped(), self.port, self.place.home.logs / "nats.log", variables
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.traders: list[Trader] = []
        self.root = ""
        self.venue_id = ""
        self._counter = 0
        self.log: NatsLog

    async def __aenter__(self) -> "Rig":
        await self.server.start()
        specs, login = (log_spec(SHARD), feed_spec(SHARD)), self.place.login
        async with (
            Wire.opened(self.server.url, **login("operator")) as wire,
            Wire.opened(self.server.url, **login("monitor")) as monitor,
        ):
            await ensure_streams(wire, specs, monitor)
        self.log = await self.place.log("gateway")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for trader in self.traders:
            await trader.log_out()
        for name in list(self.processes):
            self.stop(name)
        await self.log.close()
        await self.server.stop()
        self._folder.cleanup()

    def start(self, name: str) -> None:
        """Start one of the venue's processes."""
        environment = {
            **os.environ,
            "EVERYTHING_HOME": str(self.place.home.root),
            "EVERYTHING_NATS_PORT": str(self.port),
            "DATABASE_URL": "postgresql://127.0.0.1:1/nowhere",
        }
        with (self.place.home.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                python("deploy.processes", name),
                env=environment,
                stdout=log,
                stderr=log,
            )

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        process.wait(30)

    def memory_mb(self, name: str) -> int:
        """Return the resident memory of a process, `nats-server` included."""
        pid = self.server.pid if name == "nats-server" else self.processes[name].pid
        return int(psutil.Process(pid).memory_info().rss / 1e6)

    def cpu_s(self, name: str) -> float:
        """Return the processor time that a process has used."""
        pid = self.server.pid if name == "nats-server" else self.processes[name].pid
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)

    async def found(
        self,
        symbols: Sequence[str],
        accounts: Sequence[str],
        rules: Policy = WIDE_RULES,
    ) -> None:
        """Found the venue, open markets and funded accounts, all by signed messages."""
        self.root = keys.ensure(self.place.home.keys, "root")
        genesis = Genesis(
            venue="bench",
            root_key=signatures.public_key(self.root),
            notary_key=signatures.public_key(keys.ensure(self.place.home.keys, NOTARY_KEY)),
            policy=rules,
            time_ns=time.time_ns(),
        )
        text = encode(genesis)
        self.venue_id = digest(text)
        await self.log.found(*self._signed(text))
        # an account that asks before the exchange knows of the venue is refused
        await self.covered(subjects.GOVERNANCE, 1)
        self.traders = [Trader(account) for account in accounts]
        openings = [self._opening(trader) for trader in self.traders]
        await self._append(openings)
        listings = [
            self._decision(ListMarket, symbol=symbol, name=symbol, market_type="technology")
            for symbol in symbols
        ]
        await self._append(listings)
        mints = [
            self._decision(Mint, account=account, amount_cents=CASH_CENTS) for account in accounts
        ]
        await self._append(mints)

    async def ready(self) -> None:
        """Wait until the exchange has taken in all that governance decided so far."""
        end = await self.log.last_sequence()
        await self.covered(subjects.GOVERNANCE, end, trailing=True)
        last = await self.log.last(subjects.events(SHARD, subjects.GOVERNANCE))
        assert last is not None
        await self.covered(subjects.EXCHANGE, last.sequence)
        await self._check_accounts()

    async def _check_accounts(self) -> None:
        """See that every account is open and has its credits: else all orders are refused."""
        credited, end = set(), await self.log.last_sequence()
        async with Cursor(self.log, [subjects.events(SHARD, subjects.EXCHANGE)], 0) as cursor:
            async for messages in cursor.read_to(end):
                for stored in messages:
                    events = EVENT_MESSAGES.decode(stored.payload).events
                    credited |= {one.account for one in events if isinstance(one, CashCredited)}
        assert credited == {trader.account for trader in self.traders}

    async def covered(self, engine: str, sequence: int, *, trailing: bool = False) -> Record:
        """Return the engine's first last-record that covers its input `sequence`.

        With `trailing`, `sequence` may be followed by none of the engine's inputs, so being
        unchanged for a while is enough.
        """
        deadline = time.monotonic() + 60
        before, since = 0, time.monotonic()
        while time.monotonic() < deadline:
            stored = await self.log.last(subjects.events(SHARD, engine))
            if stored is not None:
                record = EVENT_MESSAGES.decode(stored.payload)
                if record.last_input >= sequence:
                    return record
                if record.last_input != before:
                    before, since = record.last_input, time.monotonic()
                if trailing and time.monotonic() - since > 1:
                    return record
            await asyncio.sleep(0.005)
        said = (self.place.home.logs / f"engine-{engine}.log").read_text()[-2_000:]
        raise AssertionError(f"{engine} does not reach {sequence}: {said}")

    async def log_in(self) -> None:
        """Have every trader connect, as soon as the relay lets them in."""
        for trader in self.traders:
            for _ in range(LOGIN_TRIES):
                with contextlib.suppress(LogUnavailable):
                    await trader.log_in(self.server.url)
                    break
                await asyncio.sleep(0.5)
            else:
                raise AssertionError((self.place.home.logs / "relay.log").read_text()[-2_000:])

    async def _append(self, messages: list[tuple[str, bytes]]) -> None:
        for start in range(0, len(messages), 1_000):
            await self.log.append_batch(messages[start : start + 1_000])

    def _signed(self, text: bytes) -> tuple[str, bytes]:
        key = signatures.public_key(self.root)
        signed = SignedDecision(key, text.decode(), signatures.sign(self.root, text))
        return subjects.admin_command(SHARD, key), encode(signed)

    def _decision(self, kind: type[Decision], **fields: object) -> tuple[str, bytes]:
        self._counter += 1
        decision = kind(
            venue_id=self.venue_id,
            counter=self._counter,
            expires_ns=time.time_ns() + HOUR_NS,
            **fields,
        )
        return self._signed(encode(decision))

    def _opening(self, trader: Trader) -> tuple[str, bytes]:
        now_ns = time.time_ns()
        opening = AccountOpening(
            account=trader.account,
            public_key=trader.key,
            client_time_ns=now_ns,
            venue_id=self.venue_id,
        )
        command = OpenAccount(now_ns, trader.key, signatures.sign(trader.seed, encode(opening)))
        return subjects.account_command(SHARD, trader.account), encode(command)


async def pour(rig: Rig, loads: dict[str, list[list[bytes]]], in_flight: int) -> int:
    """Send every trader's parts, `in_flight` at once over all; return the last sequence."""
    by_account = {trader.account: trader for trader in rig.traders}
    queue = deque(
        (by_account[account], part)
        for row in zip(*loads.values(), strict=True)
        for account, part in zip(loads, row, strict=True)
    )
    last = 0

    async def worker() -> None:
        nonlocal last
        while queue:
            trader, part = queue.popleft()
            last = max(last, *await trader.send(part))

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return last


def machine() -> str:
    """Say on what the figures were taken."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"CPython {platform.python_version()}"
    )
