"""A throwaway venue: the exchange engine, driven as by a host, with its people."""

from typing import Any

from engines.exchange.engine import ExchangeEngine
from engines.exchange.state import State
from schemas import subjects
from schemas.chain import GENESIS_HASH
from schemas.codec import encode
from schemas.commands import AccountOpening, OpenAccount
from schemas.events import Event
from schemas.events.governance import CreditsMinted, MarketListed, VenueFounded
from schemas.policy import ExchangePolicy, Policy
from schemas.records import Record, seal
from schemas.signatures import public_key, seed_from, sign
from tests.engines.driver import Driver

START_NS = 1_700_000_000_000_000_000
VENUE_ID = "f" * 64
SEED = seed_from(bytes(range(32)))
KEY = public_key(SEED)


def listed(symbol: str, tick_ticks: int = 1) -> MarketListed:
    return MarketListed(
        cause=1,
        symbol=symbol,
        name=symbol,
        description="",
        market_type="economic",
        subtype="",
        region="global",
        risk_level="low",
        aliases=[],
        market_weight_bp=5_000,
        reality_weight_bp=5_000,
        initial_score_e2=5_000,
        tick_ticks=tick_ticks,
        min_price="0",
        max_price="100",
        created_by=KEY,
    )


def opening(account: str, time_ns: int, venue_id: str = VENUE_ID, seed: str = SEED) -> OpenAccount:
    """Return a well-signed request to open `account`."""
    key = public_key(seed)
    text = AccountOpening(
        account=account, public_key=key, client_time_ns=time_ns, venue_id=venue_id
    )
    return OpenAccount(time_ns, key, sign(seed, encode(text)))


class ExchangeVenue(Driver[State]):
    """A driven exchange with a founded venue."""

    def __init__(self, policy: ExchangePolicy | None = None) -> None:
        super().__init__(ExchangeEngine(), START_NS)
        policy = policy or ExchangePolicy()
        founded = Policy(name="test", exchange=policy)
        self.govern(VenueFounded(1, VENUE_ID, "test", KEY, KEY, founded))

    def govern(self, *events: Event) -> list[Event]:
        """Let governance have decided `events`, in one record of its own."""
        record = Record(
            engine=subjects.GOVERNANCE,
            decider="governance/1",
            epoch=1,
            number=1,
            first_input=1,
            last_input=1,
            time_ns=self.now_ns,
            tick=False,
            events=list(events),
            state_hash=None,
            prev=GENESIS_HASH,
        )
        return self.feed((subjects.events("main", subjects.GOVERNANCE), seal(record)[0]))

    def markets(self, *symbols: str) -> None:
        self.govern(*(listed(symbol) for symbol in symbols))

    def open(self, account: str, cents: int = 0) -> list[Event]:
        events = self.feed(
            (subjects.account_command("main", account), encode(opening(account, self.now_ns)))
        )
        if cents:
            self.mint(account, cents)
        return events

    def mint(self, account: str, cents: int) -> list[Event]:
        return self.govern(CreditsMinted(1, account, cents, ""))

    def order(self, account: str, command: Any) -> list[Event]:
        """Feed one order command as a group of its own."""
        return self.feed(self.order_message(account, command))

    def order_message(self, account: str, command: Any) -> tuple[str, bytes]:
        return subjects.order_command("main", account), encode(command)

    def check(self) -> None:
        """Check that folding the records, and a dump's round trip, lead to this same state."""
        expected = self.hash()
        assert self.engine.dump(self.folded()) == self.engine.dump(self.state)
        loaded = self.engine.load(self.engine.dump(self.state))
        assert self.engine.dump(loaded) == self.engine.dump(self.state)
        assert self.hash() == expected
