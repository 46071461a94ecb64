"""A throwaway venue behind the door: the real engines over a simulated log, in one loop."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import APIRouter

from engines.exchange.engine import ExchangeEngine
from engines.governance.engine import GovernanceEngine
from engines.kernel import Engine
from schemas import decisions, signatures
from schemas.chain import digest
from schemas.codec import encode
from schemas.commands import AccountOpening
from schemas.errors import EverythingError
from schemas.policy import ExchangePolicy, Policy
from schemas.services import ServiceKeys
from schemas.sessions import opening_text
from schemas.units import HOUR_NS, SECOND_NS
from streams.accounts.nonces import Nonces
from streams.accounts.quotas import CountOpenOrders, count_none
from streams.gateway.app import create_app
from streams.gateway.context import AppendPort, GatewayContext
from streams.gateway.founding import FoundingTerms
from streams.gateway.services import no_service_keys
from streams.gateway.sign_ups import SignUpBounds
from streams.host.host import EngineHost
from streams.ingest.jobs.queue import JobQueue, NoJobQueue
from streams.log.appender import Appender
from streams.log.ports import Clock, Log
from tests.simulated.log import SimulatedLog, SimulatedServer
from tests.simulated.nonces import SimulatedNonces
from tests.support.waiting import wait_until

START_NS = 1_800_000_000 * SECOND_NS
SYMBOL = "RAIN-OSLO"
GRANTING = Policy(name="test", exchange=ExchangePolicy(signup_grant_cents=1_000_000))


UNBOUNDED = SignUpBounds(10**6, 10**6, 10**6, 10**6, 10**6)
"""For tests in which many people come from one machine."""


class SetClock:
    """A clock that a test sets; it stands still otherwise. Sleeping is real, but short."""

    def __init__(self) -> None:
        self.ns = START_NS

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.02))


class Key:
    """An nkey whose seed the test holds."""

    def __init__(self) -> None:
        self.seed = signatures.seed_from(secrets.token_bytes(signatures.SEED_BYTES))
        self.public = signatures.public_key(self.seed)

    def sign(self, data: bytes) -> str:
        return signatures.sign(self.seed, data)

    def action(self, decision: Any) -> dict[str, str]:
        text = encode(decision)
        return {"key": self.public, "body": text.decode(), "signature": self.sign(text)}


class House:
    """The venue, and a person with its root key who talks to it over HTTP."""

    def __init__(self, context: GatewayContext, client: httpx.AsyncClient, clock: SetClock) -> None:
        self.context = context
        self.client = client
        self.clock = clock
        self.root = Key()
        self.notary = Key()
        self.founding = FoundingTerms(code="AAAA-BBBB-CCCC-DDDD", notary_key=self.notary.public)
        context.founding_terms = lambda: self.founding
        self.accounts: dict[str, Key] = {}
        self.venue_id = ""
        self.halts: list[EverythingError] = []
        self._counter = 0

    @property
    def server(self) -> SimulatedServer:
        assert isinstance(self.context.log, SimulatedLog)
        return self.context.log.server

    async def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return await self.client.post(f"/api/v1{path}", json=body, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(f"/api/v1{path}", **options)

    # -- governance ------------------------------------------------------------------

    def genesis(self, policy: Policy = GRANTING) -> decisions.Genesis:
        return decisions.Genesis(
            "Test", self.root.public, self.notary.public, policy, self.clock.now_ns()
        )

    async def found(self, policy: Policy = GRANTING) -> httpx.Response:
        genesis = self.genesis(policy)
        self.venue_id = digest(encode(genesis))
        return await self.act(genesis)

    def terms(self) -> dict[str, Any]:
        """Return what every decision carries, with the next counter."""
        self._counter += 1
        return {
            "venue_id": self.venue_id,
            "counter": self._counter,
            "expires_ns": self.clock.now_ns() + HOUR_NS,
        }

    async def act(self, decision: Any, key: Key | None = None) -> httpx.Response:
        """Hand in what `key` signs, the genesis with its code."""
        founds = isinstance(decision, decisions.Genesis)
        headers = {"X-Founding-Code": self.founding.code} if founds else {}
        action = (key or self.root).action(decision)
        return await self.post("/admin/action", action, headers=headers)

    def listing(self, symbol: str = SYMBOL, **fields: Any) -> decisions.ListMarket:
        fields = {"market_type": "social"} | fields
        return decisions.ListMarket(**self.terms(), symbol=symbol, name=f"{symbol}?", **fields)

    async def open_for_trade(self) -> None:
        """Found the venue and list SYMBOL."""
        assert (await self.found()).status_code == 200
        answer = await self.act(self.listing())
        assert answer.status_code == 200, answer.text

    # -- accounts --------------------------------------------------------------------

    def opening(self, account: str, key: Key) -> dict[str, Any]:
        time_ns = self.clock.now_ns()
        text = encode(
            AccountOpening(
                account=account,
                public_key=key.public,
                client_time_ns=time_ns,
                venue_id=self.venue_id,
            )
        )
        return {
            "account": account,
            "public_key": key.public,
            "client_time_ns": time_ns,
            "signature": key.sign(text),
        }

    async def open_account(self, account: str) -> Key:
        key = self.accounts[account] = Key()
        answer = await self.post("/accounts", self.opening(account, key))
        assert answer.status_code == 201, answer.text
        return key

    async def proof(self, account: str, key: Key | None = None) -> dict[str, str]:
        """Ask for a challenge and return the signed answer to it."""
        answer = await self.post("/session/challenge", {"account": account})
        assert answer.status_code == 200, answer.text
        nonce = answer.json()["nonce"]
        text = opening_text(account, nonce, self.venue_id)
        signature = (key or self.accounts[account]).sign(text)
        return {"account": account, "nonce": nonce, "signature": signature}

    async def session(self, account: str) -> dict[str, str]:
        """Return the headers of a new session."""
        answer = await self.post("/session", await self.proof(account))
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    async def trader(self, account: str) -> dict[str, str]:
        await self.open_account(account)
        return await self.session(account)

    # -- the log ---------------------------------------------------------------------

    def on_log(self, subject_part: str) -> list[Any]:
        """Return the payloads, as JSON, of the messages whose subject holds `subject_part`."""
        return [
            json.loads(message.payload)
            for message in self.server.messages()
            if subject_part in message.subject
        ]


async def _host(engine: Engine[Any], log: Log, clock: Clock, stop: asyncio.Event) -> None:
    await EngineHost(engine, log, clock, writer=f"test-{engine.name}").run(stop)


@asynccontextmanager
async def open_house(
    *,
    log: SimulatedLog | None = None,
    appender: AppendPort | None = None,
    engines: bool = True,
    routers: tuple[APIRouter, ...] = (),
    clock: SetClock | None = None,
    jobs: JobQueue | None = None,
    service_keys: ServiceKeys = no_service_keys,
    nonces: Nonces | None = None,
    sign_up_bounds: SignUpBounds = UNBOUNDED,
    count_open_orders: CountOpenOrders = count_none,
    address: str = "127.0.0.1",
) -> AsyncIterator[House]:
    """Run the door, and the governance and exchange engines, over one simulated log."""
    log = log or SimulatedServer().connect("gateway")
    clock = clock or SetClock()
    halts: list[EverythingError] = []
    context = GatewayContext(
        log=log,
        appender=appender or Appender(log),
        clock=clock,
        session_secret=secrets.token_bytes(32),
        on_halt=halts.append,
        jobs=jobs or NoJobQueue(),
        service_keys=service_keys,
        steady=clock,
        nonces=nonces or SimulatedNonces(clock),
        sign_up_bounds=sign_up_bounds,
        count_open_orders=count_open_orders,
    )
    app = create_app(context, routers)
    stop = asyncio.Event()
    hosted = (GovernanceEngine(), ExchangeEngine()) if engines else ()
    hosts = [
        asyncio.create_task(_host(engine, log.server.connect(engine.name), clock, stop))
        for engine in hosted
    ]
    transport = httpx.ASGITransport(app=app, client=(address, 12345))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://door") as client,
    ):
        house = House(context, client, clock)
        house.halts = halts
        await wait_until(lambda: context.tail.caught_up or halts)
        try:
            yield house
        finally:
            stop.set()
            await asyncio.gather(*hosts)
