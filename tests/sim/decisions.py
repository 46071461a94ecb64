"""Workload: people who sign, co-sign, repeat themselves and let things lapse.

Invariants: a decision takes effect at most once, and never with too few people behind it;
what lapsed does not take effect; every mint that was accepted is credited once.
"""

import asyncio
import random
from typing import Any, Final

import msgspec

from engines.governance.limits import MAX_DECISION_LIFE_NS
from schemas import subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.decisions import (
    CloseMarket,
    CoSign,
    EditMarket,
    EnrolKey,
    HaltMarket,
    ListMarket,
    Mint,
    ResolveMarket,
    ResumeMarket,
    SetPolicy,
)
from schemas.events import exchange as ex
from schemas.events import governance as gov
from schemas.policy import SEED_PLAN
from schemas.records import Record
from schemas.units import SECOND_NS
from tests.engines.governance.people import Person, genesis
from tests.sim.world import Sent, World

SYMBOLS: Final = ("ALPHA", "BETA", "GAMMA")
_GRANT_CENTS: Final = 10**10
_POLICY: Final = msgspec.structs.replace(
    SEED_PLAN,
    exchange=msgspec.structs.replace(SEED_PLAN.exchange, signup_grant_cents=_GRANT_CENTS),
)
_ROUNDS: Final = 30


class Decisions:
    """Three people with keys."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = random.Random(f"{world.seed} decisions")
        self.people = [Person(name, number) for number, name in enumerate(("root", "ann", "ben"))]
        self._root = self.people[0]
        self.venue_id = ""
        self._round = 0
        self.ended: list[str] = []
        """Symbols that were closed or resolved."""

    async def found(self) -> None:
        """Found the venue, its markets and its people."""
        body = encode(genesis(self._root, policy=_POLICY))
        self.venue_id = digest(body)
        log = self._world.server.connect("founder")
        await log.found(subjects.admin_command("main", self._root.key), self._root.sign(body))
        for person in self.people[1:]:
            await self.sure(EnrolKey, key=person.key, holder=person.name, role="admin")
        for symbol in SYMBOLS:
            await self.sure(ListMarket, symbol=symbol, name=symbol, market_type="social")

    async def drive(self) -> None:
        """Decide this and that."""
        for self._round in range(_ROUNDS):
            await self._dice.choice(
                (self._mint, self._mint, self._halt, self._edit, self._politics, self._politics)
            )()
            await asyncio.sleep(self._dice.choice((0.0, 0.5, 3.0)))
        await self._last_words()

    async def _mint(self) -> None:
        account = f"trader{self._dice.randrange(9)}"
        await self.maybe(self._root, Mint, account=account, amount_cents=self._dice.randint(1, 99))

    async def _halt(self) -> None:
        symbol = self._dice.choice(SYMBOLS)
        await self.maybe(self._any(), HaltMarket, symbol=symbol, reason="a look")
        await asyncio.sleep(self._dice.choice((0.0, 1.0)))
        await self.sure(ResumeMarket, symbol=symbol)

    async def _edit(self) -> None:
        fields: dict[str, Any] = {"symbol": self._dice.choice(SYMBOLS), "name": f"n{self._round}"}
        if self._dice.random() < 0.3:
            await self.maybe(self._root, SetPolicy, policy=_POLICY, reason="as it was")
        await self.maybe(self._any(), EditMarket, **fields)

    async def _politics(self) -> None:
        """Propose what takes two people; the second may come late, or twice, or not at all."""
        first, second = self._dice.sample(self.people, 2)
        life_ns = self._dice.choice((SECOND_NS, 20 * SECOND_NS, MAX_DECISION_LIFE_NS // 2))
        fields = {"name": "Vote", "market_type": "political", "symbol": f"VOTE{self._round}"}
        body = self._body(first, ListMarket, life_ns, **fields)
        await self._send(first, body)
        for signer in self._dice.choice(((), (second,), (second, second), (first, second))):
            await asyncio.sleep(self._dice.choice((0.0, 0.1, 2.0)))
            await self.maybe(signer, CoSign, decision_hash=digest(body))

    async def _last_words(self) -> None:
        if self._dice.random() < 0.5:
            await self.sure(CloseMarket, symbol=SYMBOLS[0], reason="done")
            await self.sure(ResolveMarket, symbol=SYMBOLS[0], value_ticks=7_000, reason="so")

    def _any(self) -> Person:
        return self._dice.choice(self.people)

    def _body(self, person: Person, kind: type[Any], life_ns: int, **fields: Any) -> bytes:
        person.counter += 1
        common = {
            "venue_id": self.venue_id,
            "counter": person.counter,
            "expires_ns": self._world.now_ns() + life_ns,
        }
        return encode(kind(**common, **fields))

    async def sure(self, kind: type[Any], **fields: Any) -> None:
        """Have the root decide something, however often it must be sent."""
        body = self._body(self._root, kind, MAX_DECISION_LIFE_NS // 2, **fields)
        await self._world.deliver(self._new(self._root, body))

    async def maybe(self, person: Person, kind: type[Any], **fields: Any) -> None:
        """Have a person try to decide something."""
        await self._send(person, self._body(person, kind, MAX_DECISION_LIFE_NS // 2, **fields))

    async def _send(self, person: Person, body: bytes) -> None:
        sent = self._new(person, body)
        for _ in range(3):
            if await self._world.attempt(sent) is not None and self._dice.random() < 0.9:
                return
            await asyncio.sleep(0.1)

    def _new(self, person: Person, body: bytes) -> Sent:
        return self._world.new(subjects.admin_command("main", person.key), person.sign(body))


class DecisionsCheck:
    """Follows governance and the exchange and finds what cannot be."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.lapses = 0
        self.co_signed = 0
        self._counters: dict[tuple[str, int], int] = {}
        self._waiting: dict[str, int] = {}
        """How many people each waiting decision needs, by its hash."""
        self._holders: dict[str, str] = {}
        self._minted = 0
        self._credited = 0

    def take(self, record: Record) -> None:
        """Follow one record."""
        for event in record.events:
            match event:
                case gov.DecisionAccepted():
                    self._accept(event)
                case gov.DecisionPending():
                    if event.decision_hash in self._waiting:
                        self.problems.append(f"{event.decision_hash[:12]} waits twice")
                    self._waiting[event.decision_hash] = event.signers_needed
                case gov.DecisionLapsed():
                    self.lapses += 1
                    if self._waiting.pop(event.decision_hash, None) is None:
                        self.problems.append(f"{event.decision_hash[:12]} lapsed and did not wait")
                case gov.KeyEnrolled():
                    self._holders[event.key] = event.holder
                case gov.CreditsMinted():
                    self._minted += 1
                case ex.CashCredited() if event.reason == "mint":
                    self._credited += 1
                case ex.CreditRefused():
                    self._credited += 1
                case _:
                    pass

    def _accept(self, event: gov.DecisionAccepted) -> None:
        # The text does not name its signer: two people may decide the same, each for himself.
        used = self._counters.setdefault((event.key, event.counter), event.cause)
        if used != event.cause:
            self.problems.append(f"counter {event.counter} was used at {used} and {event.cause}")
        needed = self._waiting.pop(event.decision_hash, 1)
        self.co_signed += needed > 1
        people = {self._holders.get(key, key): None for key in event.signers}
        if len(people) < max(needed, len(event.signers)) or (needed == 1 < len(event.signers)):
            note = f"{len(people)} people are behind it, {needed} are needed"
            self.problems.append(
                f"{event.decision_hash[:12]} was accepted at {event.cause}: {note}"
            )

    def finish(self) -> list[str]:
        """Return all that was found."""
        if self._minted != self._credited:
            note = f"{self._minted} mints were accepted, {self._credited} were carried out"
            self.problems.append(note)
        return self.problems
