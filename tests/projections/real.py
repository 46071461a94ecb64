"""The real engines over a simulated log, stepped by hand: what projections meet in life."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec

from engines.exchange.engine import ExchangeEngine
from engines.governance.engine import GovernanceEngine
from engines.kernel import decide_group, write
from engines.notary.engine import NotaryEngine
from engines.pricing.engine import PricingEngine
from engines.reality import RealityEngine
from schemas import signatures, subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.commands import (
    AccountOpening,
    CancelAll,
    CancelOrder,
    OpenAccount,
    Order,
    PlaceOrder,
    PlaceOrders,
)
from schemas.decisions import (
    EnrolKey,
    HaltMarket,
    ListMarket,
    Mint,
    ResolveMarket,
    ResumeMarket,
)
from schemas.policy import SEED_PLAN
from schemas.record_chain import Head
from schemas.stored import Stored
from schemas.units import HOUR_NS, SECOND_NS
from tests.engines.governance.people import ANNA, START_NS, Person, genesis
from tests.simulated.log import SimulatedServer

GRANT_CENTS = 10**10
POLICY = msgspec.structs.replace(
    SEED_PLAN,
    exchange=msgspec.structs.replace(SEED_PLAN.exchange, signup_grant_cents=GRANT_CENTS),
)
COMMON_SIDES: Sequence[Any] = ("buy", "sell")


class _Runner:
    """One engine with its state and head."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.state = engine.initial()
        self.head = Head(time_ns=START_NS)
        self.seen = 0

    def step(self, server: SimulatedServer, now_ns: int, group: int) -> bool:
        """Decide the next group of inputs; tell whether there were any."""
        inputs: list[Stored] = []
        while self.seen < server.last_sequence and len(inputs) < group:
            self.seen += 1
            message = server.get(self.seen)
            if message is not None and any(
                subjects.matches(pattern, message.subject) for pattern in self.engine.reads
            ):
                inputs.append(message)
        if not inputs:
            return False
        now_ns = max(now_ns, self.head.time_ns)
        decided = decide_group(self.engine, self.state, inputs, now_ns)
        self.seen = inputs[decided.taken - 1].sequence
        if decided.events:
            covered = (inputs[0].sequence, inputs[decided.taken - 1].sequence)
            data, self.head = write(
                self.engine, self.state, self.head, 1, covered, now_ns, decided.events
            )
            server.store([(subjects.events(server.shard, self.engine.name), data)])
        return True


class RealVenue:
    """A venue with its engines, where `seed` decides who does what."""

    def __init__(self, seed: int = 0, group: int = 50) -> None:
        self.server = SimulatedServer()
        self.dice = random.Random(seed)
        self.now_ns = START_NS
        self.root = Person("root", 0)
        self.group = group
        self.accounts: list[str] = []
        self.symbols: list[str] = []
        self.exchange = _Runner(ExchangeEngine())
        self.reality = _Runner(RealityEngine())
        self._runners = [
            _Runner(GovernanceEngine()),
            self.exchange,
            self.reality,
            _Runner(PricingEngine()),
        ]
        self._notary = _Runner(NotaryEngine())
        founding = encode(genesis(self.root, policy=POLICY))
        self.venue_id = digest(founding)
        self._send(subjects.admin_command("main", self.root.key), self.root.sign(founding))
        self.run()

    def run(self) -> None:
        """Let the engines decide until nothing is left to decide."""
        busy = True
        while busy:
            steps = [one.step(self.server, self.now_ns, self.group) for one in self._runners]
            busy = any(steps)

    def seal(self) -> None:
        self._notary.step(self.server, self.now_ns, 10_000)

    def decide(self, kind: Any, **fields: Any) -> None:
        self.root.counter += 1
        body = encode(
            kind(
                venue_id=self.venue_id,
                counter=self.root.counter,
                expires_ns=self.now_ns + HOUR_NS,
                **fields,
            )
        )
        self._send(subjects.admin_command("main", self.root.key), self.root.sign(body))

    def list_markets(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            self.decide(
                ListMarket, symbol=symbol, name=f"Market {symbol}", market_type="social",
                region="eu", subtype="weather", aliases=[symbol.lower()],
            )  # fmt: skip
        self.symbols += symbols

    def open_accounts(self, names: Sequence[str]) -> None:
        for number, name in enumerate(names):
            holder = Person(name, 1000 + number)
            opening = AccountOpening(
                account=name,
                public_key=holder.key,
                client_time_ns=self.now_ns,
                venue_id=self.venue_id,
            )
            signature = signatures.sign(holder.seed, encode(opening))
            command = OpenAccount(self.now_ns, holder.key, signature)
            self._send(subjects.account_command("main", name), encode(command))
        self.accounts += names

    def trade(self, commands: int, step_ns: int = SECOND_NS) -> None:
        """Send mixed commands: resting and crossing orders, batches, cancels, rubbish."""
        for number in range(commands):
            if number % self.group == 0:
                self.now_ns += step_ns
            account = self.dice.choice(self.accounts)
            subject = subjects.order_command("main", account)
            self._send(subject, self._command(f"{self.now_ns}-{number}"))

    def _command(self, client_id: str) -> bytes:
        roll, dice, now_ns = self.dice.random(), self.dice, self.now_ns
        if roll < 0.01:
            return dice.choice((b"", b"{}", b"\xff", b'{"type":"place_order/1"}'))
        if roll < 0.03:
            return encode(CancelAll(client_id, now_ns, dice.choice([None, *self.symbols])))
        if roll < 0.10:
            recent = self.server.last_sequence - dice.randrange(200)
            return encode(CancelOrder(client_id, now_ns, recent * 100))
        if roll < 0.13:
            orders = [
                Order(
                    client_order_id=f"{client_id}-{index}", symbol=dice.choice(self.symbols),
                    side=dice.choice(COMMON_SIDES), quantity_lots=5, price_ticks=5000 + index,
                )
                for index in range(3)
            ]  # fmt: skip
            return encode(PlaceOrders(now_ns, orders))
        return encode(
            PlaceOrder(
                client_order_id=client_id,
                client_time_ns=now_ns,
                symbol="NOPE" if roll > 0.995 else dice.choice(self.symbols),
                side=dice.choice(COMMON_SIDES),
                quantity_lots=dice.randrange(1, 50),
                price_ticks=5000 + dice.randrange(-30, 31),
                time_in_force="ioc" if roll > 0.9 else "gtc",
            )
        )

    def _send(self, subject: str, payload: bytes) -> int:
        return self.server.store([(subject, payload)])


def busy_day(seed: int = 0, commands: int = 600, symbols: int = 3, accounts: int = 8) -> RealVenue:
    """Return a venue where most things have happened."""
    venue = RealVenue(seed)
    venue.list_markets([f"M{number}" for number in range(symbols)])
    venue.open_accounts([f"trader{number}" for number in range(accounts)])
    venue.decide(EnrolKey, key=ANNA.key, holder="anna", role="editor")
    venue.run()
    venue.trade(commands // 2)
    venue.run()
    venue.decide(Mint, account="trader0", amount_cents=12_345)
    venue.decide(Mint, account="nobody", amount_cents=1)
    venue.decide(HaltMarket, symbol="M0", reason="news")
    venue.run()
    venue.trade(20)
    venue.decide(ResumeMarket, symbol="M0")
    venue.decide(ResumeMarket, symbol="M0")
    venue.run()
    venue.trade(commands // 2)
    venue.run()
    venue.decide(ResolveMarket, symbol="M1", value_ticks=10_000, reason="it rained")
    venue.run()
    venue.trade(20)
    venue.run()
    venue.seal()
    return venue
